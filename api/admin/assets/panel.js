// Small comforts. Every page works without them.

// Times in the reader's own zone; the UTC stays on hover.
const inWords = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = inWords.format(new Date(time.dateTime));
  }
}

// Beside a field for a UTC time: what that is for the reader.
function localHints(root) {
  for (const input of root.querySelectorAll("input[data-utc]")) {
    const hint = input.nextElementSibling?.matches("output")
      ? input.nextElementSibling
      : input.insertAdjacentElement("afterend", document.createElement("output"));
    const show = () => {
      const moment = new Date(`${input.value}Z`);
      hint.textContent = Number.isNaN(moment.getTime()) ? "" : `${inWords.format(moment)} your time`;
    };
    input.addEventListener("input", show);
    show();
  }
}

// A box that ticks all those with the name it gives.
function tickAll(root) {
  for (const box of root.querySelectorAll("input[data-ticks]")) {
    box.addEventListener("change", () => {
      for (const other of box.form.elements[box.dataset.ticks] instanceof RadioNodeList
        ? box.form.elements[box.dataset.ticks]
        : [box.form.elements[box.dataset.ticks]]) {
        other.checked = box.checked;
      }
    });
  }
}

// Cards whose figures follow for as long as somebody looks.
const PATIENCE = 10_000; // milliseconds without an answer
const RETRY = 30_000; // milliseconds until one is asked again that has refused

let board = null;
let source = null;

function follow() {
  const seen = document.hidden ? null : document.querySelector("[data-live]");
  if (seen === board) return;
  source?.close();
  board = seen;
  source = board && listen(board);
}

function listen(board) {
  const source = new EventSource(board.dataset.live);
  const away = document.getElementById("away");
  const shown = new Map();
  let losing;
  source.addEventListener("open", () => clearTimeout(losing));
  source.addEventListener("figures", ({ data }) => {
    away.hidden = true;
    renew(shown, data);
  });
  source.addEventListener("away", () => { away.hidden = false; });
  source.addEventListener("error", () => {
    clearTimeout(losing);
    losing = setTimeout(() => { away.hidden = false; }, PATIENCE);
    if (source.readyState === EventSource.CLOSED) setTimeout(listenAgain, RETRY, board);
  });
  return source;
}

function listenAgain(lost) {
  if (lost === board) source = listen(lost);
}

// Replaces those cards that have changed, but none that somebody is busy with.
function renew(shown, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  for (const card of [...fresh.content.children]) {
    const text = card.outerHTML;
    const old = document.getElementById(card.id);
    if (!old) return location.reload(); // a page that lacked figures, which can be told again
    const busy = old.contains(document.activeElement) || old.querySelector("details[open]");
    if (busy || shown.get(card.id) === text) continue;
    shown.set(card.id, text);
    localTimes(card);
    old.replaceWith(card);
    htmx.process(card);
  }
}

function enhance(root) {
  localTimes(root);
  localHints(root);
  tickAll(root);
  follow();
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));
document.addEventListener("visibilitychange", follow);

// What a page asks for by itself replaces nothing when it is answered with a problem.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.boosted && detail.xhr.status !== 200) detail.shouldSwap = false;
});
