// What the page shows. No decision is made here.

import { complaint } from "./clock.js";
import { clockTime } from "./verdicts.js";

const RECENT = 8;

const element = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");

export function showDoor() {
  element("problem").hidden = true;
  element("door").hidden = false;
}

export function showProblem({ title, text, link, waiting }) {
  element("door").hidden = true;
  element("problem").hidden = false;
  element("problem-title").textContent = title;
  element("problem-text").textContent = text;
  element("problem-queue").textContent = waiting
    ? `${waiting === 1 ? "One scan is" : `${waiting} scans are`} kept on this device. Another link for this event sends ${waiting === 1 ? "it" : "them"}.`
    : "";
  element("problem-link").hidden = !link;
  if (link) element("problem-link").href = link;
}

export function showEvent(name) {
  element("event").textContent = name;
  document.title = `${name} · Door · Events-Face`;
}

/** `readAt`: when the list was read, null for never. */
export function showConnection(online, readAt, loaded) {
  const chip = element("connection");
  chip.dataset.online = online;
  const list = readAt === null ? `reading the list${loaded ? `: ${number(loaded)}` : ""}` : `list ${age(readAt)}`;
  setText(chip, `${online ? "● Online" : "▲ Offline"} · ${list}`);
  const wrong = complaint();
  element("clock").hidden = !wrong;
  element("clock").textContent = wrong ?? "";
}

export function showCounts({ registered, entered, waiting }) {
  element("registered").textContent = number(registered);
  element("entered").textContent = number(entered);
  element("waiting").textContent = number(waiting);
  element("waiting").parentElement.parentElement.dataset.some = waiting > 0;
}

export function showVerdict({ colour, word, name, reason, offline }) {
  const panel = element("verdict");
  panel.dataset.colour = colour;
  panel.querySelector("use").setAttribute("href", `#${colour}`);
  element("word").textContent = word;
  element("name").textContent = name ?? "";
  element("reason").textContent = [reason, offline && colour === "green" ? "Offline: sent later." : ""]
    .filter(Boolean)
    .join(" ");
  element("choice").hidden = colour !== "amber";
  panel.classList.remove("new");
  void panel.offsetWidth; // so that the same verdict twice is seen as two
  panel.classList.add("new");
}

export function addRecent({ colour, word, name, reason }) {
  const list = element("recent");
  if (!list.querySelector(".sign")) list.replaceChildren();
  const item = document.createElement("li");
  item.dataset.colour = colour;
  item.append(sign(colour), text("b", word), text("span", name ?? reason ?? ""), text("time", clockTime(Date.now())));
  list.prepend(item);
  while (list.children.length > RECENT) list.lastChild.remove();
}

export function showUndo(possible) {
  element("undo").disabled = !possible;
}

/** `choose` gets the visitor whose button is pressed. */
export function showFound({ found, more }, note, choose) {
  element("found").replaceChildren(
    ...found.map((visitor) => {
      const item = document.createElement("li");
      const button = text("button", "Check in");
      button.type = "button";
      button.setAttribute("aria-label", `Check in ${visitor.full_name}`);
      button.addEventListener("click", () => choose(visitor));
      const state = visitor.checked_in_at ? "inside" : visitor.status;
      item.append(text("span", visitor.full_name), text("small", state), button);
      return item;
    }),
  );
  setText(element("search-note"), more ? "There are more: type more of the name." : note);
}

const TOLD = {
  entered_again: "came in twice: the same ticket was used at another time or gate",
  entered_without_seat: "came in without a seat",
  unknown_ticket: "came in with something that is no ticket of this event",
  refused: "came in, but the server does not take the scan: nothing was recorded",
};

/** `nameOf`: of an entry. */
export function showTold(entries, nameOf) {
  element("told").hidden = entries.length === 0;
  element("told").querySelector("ul").replaceChildren(
    ...entries.map((entry) =>
      text("li", `${nameOf(entry)} ${TOLD[entry.outcome] ?? entry.outcome} (${clockTime(entry.at)}${entry.gate ? `, ${entry.gate}` : ""})`),
    ),
  );
}

export function showCameraNote(note) {
  element("camera-note").hidden = !note;
  element("camera-note").textContent = note ?? "";
}

function sign(colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${colour}`);
  svg.append(use);
  return svg;
}

function text(tag, content) {
  const made = document.createElement(tag);
  made.textContent = content;
  return made;
}

/** Screen readers read what is set, even if it is the same. */
function setText(target, content) {
  if (target.textContent !== content) target.textContent = content;
}

function age(readAt) {
  const seconds = Math.max(0, Math.round((Date.now() - readAt) / 1_000));
  if (seconds < 15) return "is new";
  if (seconds < 90) return `${seconds} s old`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min old`;
  return `${Math.round(seconds / 3_600)} h old`;
}
