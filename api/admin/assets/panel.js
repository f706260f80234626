// Progressive enhancement: every page works without scripts.

// Shows times in the reader's zone, which it names; the title keeps UTC. Times of an event stay in the
// zone of the event.
const formatter = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not(.zoned)")) {
    time.textContent = formatter.format(new Date(time.dateTime));
  }
}

// A new event takes place in the reader's zone, unless they choose another.
function ownZone(root) {
  for (const input of root.querySelectorAll("input[data-own-zone]")) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (input.value === input.defaultValue && input.list?.querySelector(`option[value="${zone}"]`)) input.value = zone;
  }
}

// Turns the times of a form, which are in UTC, into times of the reader's zone, which the form names.
function inOwnZone(root) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const named of root.querySelectorAll("input[type=hidden][name=zone]")) {
    if (!zone || named.value !== "UTC") continue; // shown as it was typed
    named.value = zone;
    for (const input of named.form.querySelectorAll("input[type=datetime-local]")) {
      input.labels[0].textContent = input.labels[0].textContent.replace("(UTC)", `(${zone})`);
      const moment = new Date(`${input.defaultValue}Z`);
      if (input.value !== input.defaultValue || Number.isNaN(moment.getTime())) continue;
      const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
      input.value = local.toISOString().slice(0, input.defaultValue.length);
    }
  }
}

// A checkbox that checks all checkboxes with a given name.
function checkAll(root) {
  for (const box of root.querySelectorAll("input[data-checks]")) {
    box.addEventListener("change", () => {
      for (const other of box.form.elements[box.dataset.checks] instanceof RadioNodeList
        ? box.form.elements[box.dataset.checks]
        : [box.form.elements[box.dataset.checks]]) {
        other.checked = box.checked;
      }
    });
  }
}

// Buttons that copy the text of a field, which can be selected without scripts.
function copying(root) {
  for (const button of root.querySelectorAll("button[data-copies]")) {
    button.hidden = !navigator.clipboard; // only secure pages have it
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copies);
      field.select();
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    });
  }
}

// Live cards, while the page is visible.
const STALE_AFTER = 10_000; // milliseconds without a connection
const RETRY_INTERVAL = 30_000; // milliseconds, after the server refused a stream

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
    losing = setTimeout(() => { away.hidden = false; }, STALE_AFTER);
    if (source.readyState === EventSource.CLOSED) setTimeout(listenAgain, RETRY_INTERVAL, board);
  });
  return source;
}

function listenAgain(lost) {
  if (lost === board) source = listen(lost);
}

// Replaces changed cards, except those that the reader is using.
function renew(shown, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  for (const card of [...fresh.content.children]) {
    const text = card.outerHTML;
    const old = document.getElementById(card.id);
    if (!old) return location.reload(); // the page had no figures, and they are available again
    const busy = old.contains(document.activeElement) || old.querySelector("details[open]");
    if (busy || shown.get(card.id) === text) continue;
    shown.set(card.id, text);
    localTimes(card);
    old.replaceWith(card);
    htmx.process(card);
  }
}

// Asks before typed text is lost by leaving the page.
let sent = null; // a form, which is not asked about

function isTyped(field) {
  const holdsText = field.matches("textarea, input:not([type=hidden], [type=checkbox], [type=radio])");
  return holdsText && field.value !== field.defaultValue;
}

// A form that is shown again has text that was not saved: it is marked, or has an alert.
function isUnsaved(form) {
  if (form === sent || form.querySelector("input[type=password]")) return false;
  return form.matches("[data-typed]") || form.querySelector("[role=alert]") || [...form.elements].some(isTyped);
}

function hasUnsaved() {
  return [...document.querySelectorAll("main form[method=post]")].some(isUnsaved);
}

window.addEventListener("submit", (event) => { sent = event.target; });
window.addEventListener("beforeunload", (event) => { if (hasUnsaved()) event.preventDefault(); });
document.addEventListener("htmx:beforeRequest", (event) => {
  const leaves = event.detail.boosted && event.detail.elt.matches("a");
  if (leaves && hasUnsaved() && !confirm("Leave this page? What you typed is not saved.")) event.preventDefault();
});
document.addEventListener("htmx:sendError", () => { sent = null; });

function enhance(root) {
  localTimes(root);
  inOwnZone(root);
  ownZone(root);
  checkAll(root);
  copying(root);
  follow();
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));
document.addEventListener("visibilitychange", follow);

// A background request that fails must not replace a part of the page.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.boosted && detail.xhr.status !== 200) detail.shouldSwap = false;
});
