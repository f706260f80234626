// Scans that the server does not know yet. Each is on the disk before somebody is let in, and has a
// nonce, so sending it twice records it once.

import { AccessLost } from "./access.js";
import { ofEvent, readAll, write } from "./database.js";

const PORTION = 200;

export class Queue {
  #entries = new Map();

  constructor(eventId, calls) {
    this.eventId = eventId;
    this.calls = calls;
    this.toldLater = [];
  }

  async load() {
    for (const entry of await readAll("queue", ofEvent(this.eventId))) {
      this.#entries.set(entry.nonce, entry);
    }
    this.toldLater = await readAll("told_later", ofEvent(this.eventId));
  }

  get size() {
    return this.#entries.size;
  }

  /** How many of the entries let somebody in. */
  get entering() {
    return [...this.#entries.values()].filter((entry) => !entry.undone).length;
  }

  /** The entry of a ticket or of a visitor that waits here. */
  of(ticket, visitorId) {
    for (const entry of this.#entries.values()) {
      if (entry.undone) continue;
      if (ticket && entry.ticket === ticket) return entry;
      if (visitorId && (entry.of ?? entry.visitor_id) === visitorId) return entry;
    }
    return null;
  }

  async add(entry) {
    const kept = { ...entry, event_id: this.eventId };
    await write(["queue"], ({ queue }) => queue.put(kept));
    this.#entries.set(kept.nonce, kept);
  }

  async remove(nonce) {
    await write(["queue"], ({ queue }) => queue.delete([this.eventId, nonce]));
    this.#entries.delete(nonce);
  }

  /** Returns whether it was here. What may have reached the server is undone there later. */
  async undo(nonce) {
    const entry = this.#entries.get(nonce);
    if (!entry) return false;
    if (entry.tried) await this.add({ ...entry, undone: true });
    else await this.remove(nonce);
    return true;
  }

  /** Sends all, the oldest first. One page at a time, if several are open. */
  send() {
    return navigator.locks.request(`door ${this.eventId}`, async () => {
      for (const entry of [...this.#entries.values()].filter((entry) => entry.undone)) {
        await this.calls.undo(entry.nonce); // 404: it never got there
        await this.remove(entry.nonce);
      }
      for (;;) {
        const waiting = [...this.#entries.values()].filter((entry) => !entry.undone);
        const portion = waiting.sort((a, b) => a.at.localeCompare(b.at)).slice(0, PORTION);
        if (portion.length === 0) return;
        await this.#sendPortion(portion);
      }
    });
  }

  async dismissTold() {
    this.toldLater = [];
    await write(["told_later"], ({ told_later }) => told_later.delete(ofEvent(this.eventId)));
  }

  async #sendPortion(portion) {
    for (const entry of portion) entry.tried = true;
    const { status, data, problem } = await this.calls.sendQueued(portion.map(asSent));
    if (problem && status !== 422) throw new AccessLost("gone");
    if (!problem) await this.#settle(portion, data);
    else if (portion.length === 1) await this.#settle(portion, [{ ...portion[0], outcome: "refused" }]);
    else {
      // One that the server cannot take must not keep the others from it.
      const half = Math.ceil(portion.length / 2);
      await this.#sendPortion(portion.slice(0, half));
      await this.#sendPortion(portion.slice(half));
    }
  }

  async #settle(portion, answers) {
    const outcomes = new Map(answers.map((answer) => [answer.nonce, answer.outcome]));
    const told = portion
      .map((entry) => ({ ...entry, outcome: outcomes.get(entry.nonce) }))
      .filter((entry) => entry.outcome && entry.outcome !== "entered");
    await write(["queue", "told_later"], ({ queue, told_later }) => {
      for (const entry of portion) queue.delete([this.eventId, entry.nonce]);
      for (const entry of told) told_later.put(entry);
    });
    for (const entry of portion) this.#entries.delete(entry.nonce);
    this.toldLater.push(...told);
  }
}

function asSent({ ticket, visitor_id, nonce, at, gate }) {
  return { ...(ticket ? { ticket } : { visitor_id }), nonce, at, ...(gate ? { gate } : {}) };
}
