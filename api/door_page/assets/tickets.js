// What a scanned text is. Only the server can tell a genuine ticket from a forged one.

const TICKET = /^[A-Z2-7]{48}$/;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HASH_LENGTH = 32;

/** Scanners that act as a keyboard change case and space. */
export function canonical(text) {
  return text.trim().toUpperCase();
}

export function isTicket(text) {
  return TICKET.test(canonical(text));
}

/** A ticket holds the last two bytes of its event's id, in its bits 128 to 143. */
export function isOfEvent(ticket, eventId) {
  const [a, b, c, d] = [...canonical(ticket).slice(25, 29)].map((digit) => DIGITS.indexOf(digit));
  const mark = (((a << 15) | (b << 10) | (c << 5) | d) >> 1) & 0xffff;
  return mark === parseInt(eventId.slice(-4), 16);
}

/** As the door's list has it: the beginning of the SHA-256, in hexadecimal digits. */
export async function hashOf(ticket) {
  const bytes = new TextEncoder().encode(canonical(ticket));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, HASH_LENGTH);
}
