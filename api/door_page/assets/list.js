// The door's list: who has which ticket, and who is inside. Held in memory, and in the database so
// that the page can begin without a network.

import { AccessLost } from "./access.js";
import { ofEvent, read, readAll, write } from "./database.js";

const PORTION = 1_000;

export class DoorList {
  #visitors = new Map();
  #byHash = new Map();

  constructor(eventId, calls) {
    this.eventId = eventId;
    this.calls = calls;
    this.position = 0;
    this.readAt = null;
  }

  async load() {
    const door = await read("doors", this.eventId);
    this.position = door?.position ?? 0;
    this.readAt = door?.read_at ?? null;
    for (const visitor of await readAll("visitors", ofEvent(this.eventId))) this.#hold(visitor);
  }

  /** Reads what has changed since the last time; `progress` is told after each portion. */
  async update(progress = () => {}) {
    for (;;) {
      const { data, meta, problem } = await this.calls.list(this.position, PORTION);
      if (problem?.slug === "not-in-history") await this.#beginAgain();
      else if (problem) throw new AccessLost("gone");
      else {
        await this.#store(data.map((item) => this.#hold(item)), meta.position);
        progress();
        if (!meta.more) return;
      }
    }
  }

  get size() {
    return this.#visitors.size;
  }

  get visitors() {
    return this.#visitors.values();
  }

  /** `{known, former}`: the visitor, null for an unknown ticket; and whether the visitor has a newer
   * ticket than this. */
  ofHash(hash) {
    const known = this.#visitors.get(this.#byHash.get(hash)) ?? null;
    return { known, former: known !== null && known.ticket_hash !== hash };
  }

  ofId(id) {
    return { known: this.#visitors.get(id) ?? null, former: false };
  }

  /** As the server has just said; its list will say the same. `at`: null when nobody came in. */
  async mark(visitorId, at, gate) {
    const known = this.#visitors.get(visitorId);
    if (!known) return;
    const marked = this.#hold({ ...known, checked_in_at: at, gate });
    await write(["visitors"], ({ visitors }) => visitors.put(marked));
  }

  counts() {
    const counts = { registered: 0, entered: 0 };
    for (const visitor of this.#visitors.values()) {
      if (visitor.status === "registered") counts.registered += 1;
      if (visitor.checked_in_at) counts.entered += 1;
    }
    return counts;
  }

  /** With the hashes of tickets that the visitor had before. */
  #hold(item) {
    const before = this.#visitors.get(item.visitor_id);
    const hashes = new Set(item.hashes ?? before?.hashes ?? []);
    if (item.ticket_hash) hashes.add(item.ticket_hash);
    const visitor = { gate: null, ...item, event_id: this.eventId, hashes: [...hashes] };
    this.#visitors.set(visitor.visitor_id, visitor);
    for (const hash of hashes) this.#byHash.set(hash, visitor.visitor_id);
    return visitor;
  }

  /** After the server was restored from a backup that is older than this list. */
  async #beginAgain() {
    this.#visitors.clear();
    this.#byHash.clear();
    await write(["visitors"], ({ visitors }) => visitors.delete(ofEvent(this.eventId)));
    this.position = 0;
  }

  async #store(changed, position) {
    this.position = position;
    this.readAt = Date.now();
    const door = await read("doors", this.eventId);
    await write(["doors", "visitors"], ({ doors, visitors }) => {
      for (const visitor of changed) visitors.put(visitor);
      doors.put({ ...door, event_id: this.eventId, position, read_at: this.readAt });
    });
  }
}
