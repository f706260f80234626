// By what right this phone calls the API: a door key from the link that opened the page, or the
// session of an organizer who is signed in to the panel.
//
// The key comes in the fragment of the address, which browsers send to no server. It is kept in
// this phone's database, and taken out of the address bar at once.

import { ofEvent, read, write } from "./database.js";

const KEY = /^#(evf_[0-9A-Za-z]{49})$/;

/** The phone may not call the API (any more). `reason`: "none", "ended", "signed-out", "forbidden". */
export class AccessLost extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

export class Access {
  #token = null;

  constructor(eventId, key) {
    this.eventId = eventId;
    this.key = key;
  }

  /** From the address, or as the phone keeps it. */
  static async of(eventId) {
    const found = KEY.exec(location.hash);
    if (location.hash) history.replaceState(null, "", location.pathname);
    const door = await read("doors", eventId);
    if (found) {
      await write(["doors"], ({ doors }) => doors.put({ ...door, event_id: eventId, key: found[1] }));
    }
    return new Access(eventId, found ? found[1] : (door?.key ?? null));
  }

  get byKey() {
    return this.key !== null;
  }

  /** Raises AccessLost, or TypeError without a network. */
  async bearer() {
    if (this.key) return this.key;
    this.#token ??= await this.#tokenOfSession();
    return this.#token;
  }

  /** After the server has refused it. A session's token lasts a quarter of an hour, then there is
   * another one. Returns whether to try again. */
  renew() {
    const renewable = !this.byKey && this.#token !== null;
    this.#token = null;
    return renewable;
  }

  async #tokenOfSession() {
    const answer = await fetch(`/admin/events/${this.eventId}/door/token`, { redirect: "manual" });
    if (answer.type === "opaqueredirect") throw new AccessLost("signed-out"); // to the sign-in page
    if (answer.status === 404) throw new AccessLost("gone");
    if (answer.status === 403) throw new AccessLost("forbidden");
    if (!answer.ok) throw new TypeError(`the panel answers ${answer.status}`);
    return (await answer.json()).access_token;
  }
}

/** Takes the key and the list from this phone. Scans that were not sent yet stay: another link for
 * the event sends them. */
export async function forget(eventId) {
  await write(["doors", "visitors"], ({ doors, visitors }) => {
    doors.delete(eventId);
    visitors.delete(ofEvent(eventId));
  });
}
