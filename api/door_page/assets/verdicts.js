// What the people at the door are told about a scan. No verdict depends on colour alone: each has a
// word, a symbol and a sound of its own.

const GO = { colour: "green", word: "Let in" };
const ASK = { colour: "amber", word: "Ask" };
const STOP = { colour: "red", word: "Stop" };

export const NOT_A_TICKET = { ...STOP, reason: "This is no ticket." };
export const OF_ANOTHER_EVENT = { ...STOP, reason: "This is a ticket of another event." };
export const REPLACED = {
  ...STOP,
  reason: "This ticket was replaced by a newer one, or its registration is over.",
};
export const EVENT_CANCELLED = { ...STOP, reason: "The event is cancelled." };
export const UNKNOWN = {
  ...ASK,
  reason: "Not in the list of this phone, which is offline. Ask for the name, then decide.",
};
export const TOO_NEW = {
  ...ASK,
  reason: "The server does not answer this scan. Try again, or ask for the name and decide.",
};

const WITHOUT_SEAT = {
  waiting: "This person is on the waiting list and has no seat.",
  unconfirmed: "This person has not confirmed the address yet.",
  cancelled: "This registration was cancelled.",
  lapsed: "This registration has lapsed, because the address was not confirmed in time.",
  erased: "This registration was erased.",
};

export function letIn(name) {
  return { ...GO, name };
}

/** `entry`: when and where the person came in. */
export function alreadyInside(entry, name) {
  return { ...STOP, name, reason: `Already inside: came in ${when(entry.at)}${at(entry.gate)}.` };
}

export function withoutSeat(status, name) {
  return { ...STOP, name, reason: WITHOUT_SEAT[status] ?? "This person is not registered." };
}

/** What the phone says by itself.
 * `known`: from the list, null if the ticket is not in it; `former`: that the visitor has a newer
 * ticket; `entry`: when and where the ticket came in, as far as this phone knows. */
export function decided({ known, former, entry }) {
  const name = known?.full_name;
  if (former) return { ...REPLACED, name };
  if (entry) return alreadyInside(entry, name);
  if (!known) return UNKNOWN;
  return known.status === "registered" ? letIn(name) : withoutSeat(known.status, name);
}

/** What the server said, by the type of its problem. */
export function refused(problem, known) {
  const name = known?.full_name;
  switch (problem.slug) {
    case "already-checked-in":
      return alreadyInside({ at: problem.checked_in_at, gate: problem.gate }, name);
    case "not-registered":
      return withoutSeat(known?.status === "registered" ? undefined : known?.status, name);
    case "ticket-revoked":
      return { ...REPLACED, name };
    case "event-cancelled":
      return EVENT_CANCELLED;
    case "ticket-invalid":
      return { ...STOP, reason: problem.detail.endsWith(".") ? problem.detail : `${problem.detail}.` };
    default:
      return { ...STOP, name, reason: problem.detail };
  }
}

export function clockTime(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function when(at) {
  const day = new Date(at);
  const today = day.toDateString() === new Date().toDateString();
  const date = day.toLocaleDateString([], { day: "numeric", month: "short" });
  return `${today ? "" : `on ${date} `}at ${clockTime(at)}`;
}

function at(gate) {
  return gate ? `, ${gate}` : "";
}
