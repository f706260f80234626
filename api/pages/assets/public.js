// Adds to the pages for visitors; all of them work without it.

const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const both = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

// The time of an event in the reader's zone, under that in the zone of the event.
function ownTime(time) {
  const begins = new Date(time.dateTime);
  const elsewhere = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short", timeZone: time.dataset.zone });
  if (elsewhere.format(begins) === both.format(begins)) return;
  const ends = time.dataset.ends && new Date(time.dataset.ends);
  const line = document.createElement("div");
  line.className = "own soft small";
  line.textContent = `Your time (${own}): ${both.format(begins)}` + (ends
    ? ` – ${day.format(ends) === day.format(begins) ? hour.format(ends) : both.format(ends)}` : "");
  time.append(line);
}

for (const time of document.querySelectorAll("time[data-zone]")) ownTime(time);

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
