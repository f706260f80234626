// Decides each scan: by the server if it answers in time, else by what this phone knows.

import * as clock from "./clock.js";
import { Unreachable } from "./calls.js";
import { canonical, hashOf, isOfEvent, isTicket } from "./tickets.js";
import { NOT_A_TICKET, OF_ANOTHER_EVENT, TOO_NEW, decided, letIn, refused } from "./verdicts.js";

/** The name of a gate as the server takes it; empty if nothing of it can be seen. */
export function gateOf(typed) {
  const name = typed.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return /[^\p{DI}\p{Z}]/u.test(name) ? name : "";
}

export class Scans {
  /** The last one that let somebody in, to be undone. */
  last = null;

  constructor({ eventId, calls, list, queue, connection }) {
    Object.assign(this, { eventId, calls, list, queue, connection });
    this.gate = "";
  }

  /** The verdict on a scanned text. */
  async ofTicket(text) {
    const ticket = canonical(text);
    if (!isTicket(ticket)) return NOT_A_TICKET;
    if (!isOfEvent(ticket, this.eventId)) return OF_ANOTHER_EVENT;
    const found = this.list.ofHash(await hashOf(ticket));
    return this.#decide({ ticket }, found);
  }

  /** Of somebody who was found by name. */
  ofVisitor(visitorId) {
    return this.#decide({ visitor_id: visitorId }, this.list.ofId(visitorId));
  }

  /** After `Ask`: the people at the door let somebody in whom the phone cannot judge. */
  async letInAnyway(entry) {
    await this.queue.add(entry);
    this.last = { entry };
  }

  async undo() {
    const { entry, visitorId } = this.last;
    if (!(await this.queue.undo(entry.nonce))) {
      try {
        await this.connection.ask(() => this.calls.undo(entry.nonce));
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        await this.queue.add({ ...entry, tried: true, undone: true });
      }
    }
    if (visitorId) await this.list.mark(visitorId, null, null);
    this.last = null;
  }

  async #decide(what, found) {
    const entry = {
      ...what,
      nonce: crypto.randomUUID(),
      at: new Date(clock.serverTime()).toISOString(),
      gate: this.gate || null,
    };
    const waiting = this.queue.of(what.ticket, found.known?.visitor_id);
    if (!waiting && this.connection.online) {
      try {
        return await this.#asked(entry, found.known);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        entry.tried = true;
      }
    }
    return this.#alone(entry, found, waiting);
  }

  async #asked(entry, known) {
    const answer = await this.connection.ask(() => this.calls.checkIn(entry));
    if (answer.problem) return refused(answer.problem, known);
    const { visitor_id, full_name, checked_in_at, gate } = answer.data;
    this.last = { entry, visitorId: visitor_id };
    // The person need not wait for the disk: the list will say the same.
    this.list.mark(visitor_id, checked_in_at, gate);
    return letIn(full_name ?? known?.full_name);
  }

  async #alone(entry, { known, former }, waiting) {
    const inside = known?.checked_in_at ? { at: known.checked_in_at, gate: known.gate } : null;
    const verdict = { ...decided({ known, former, entry: waiting ?? inside }), offline: true };
    if (verdict.colour === "green") {
      await this.queue.add({ ...entry, of: known.visitor_id });
      this.last = { entry };
    }
    if (verdict.colour !== "amber") return verdict;
    return { ...verdict, ...(entry.tried ? TOO_NEW : {}), entry };
  }
}
