// The server's time on a phone whose clock is wrong, as its last answer showed it. `at` of a scan
// decides which of two entries was the first, so phones must agree on the time.

const TOLERATED = 60_000;

let offset = 0;

export function restore(stored) {
  offset = stored ?? 0;
}

/** `sent` and `received`: by this phone's clock, in milliseconds. `Date` has whole seconds. */
export function compare(date, sent, received) {
  const theirs = Date.parse(date);
  if (Number.isNaN(theirs)) return;
  const measured = theirs + 500 - (sent + received) / 2;
  offset = Math.abs(measured) < 2_000 ? 0 : Math.round(measured);
}

export const serverTime = () => Date.now() + offset;

export const difference = () => offset;

/** Null, or a sentence for people. */
export function complaint() {
  if (Math.abs(offset) < TOLERATED) return null;
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const direction = offset > 0 ? "slow" : "fast";
  return `The clock of this phone is ${minutes} min ${direction}. Scans get the server's time.`;
}
