// Whether the server can be reached. After a failure scans do not wait for it, until it has answered
// something else.

import { Unreachable } from "./calls.js";

export class Connection {
  online = navigator.onLine;

  constructor(changed) {
    this.changed = changed;
    addEventListener("offline", () => this.#set(false));
  }

  /** The answer to a call; raises as `Calls` does. */
  async ask(call) {
    try {
      const answer = await call();
      this.#set(true);
      return answer;
    } catch (error) {
      if (error instanceof Unreachable) this.#set(false);
      throw error;
    }
  }

  #set(online) {
    const before = this.online;
    this.online = online;
    if (before !== online) this.changed(online);
  }
}
