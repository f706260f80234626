// Adds to the pages for visitors; all of them work without it.

// As this browser writes the language of the page.
const language = document.documentElement.lang;
const here = navigator.languages.find((known) => known.split("-")[0] === language) ?? language;

const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
const day = new Intl.DateTimeFormat(here, { dateStyle: "full" });
const hour = new Intl.DateTimeFormat(here, { timeStyle: "short" });
const both = new Intl.DateTimeFormat(here, { dateStyle: "full", timeStyle: "short" });

// With the day only if the reader does not know it yet.
const clock = (moment, known) => (day.format(moment) === known ? hour : both).format(moment);

// The time of an event in the reader's zone, under that in the zone of the event.
function ownTime(time) {
  const begins = new Date(time.dateTime);
  const there = (style) => new Intl.DateTimeFormat(here, { ...style, timeZone: time.dataset.zone }).format(begins);
  if (there({ dateStyle: "full", timeStyle: "short" }) === both.format(begins)) return;
  const ends = time.dataset.ends && new Date(time.dataset.ends);
  const line = document.createElement("div");
  line.className = "own soft small";
  const period = clock(begins, there({ dateStyle: "full" })) + (ends ? ` – ${clock(ends, day.format(begins))}` : "");
  line.textContent = time.dataset.own.replace("{zone}", own).replace("{time}", period);
  time.append(line);
}

for (const time of document.querySelectorAll("time[data-zone]")) ownTime(time);

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
