// Calls to the API, with a time limit. A door that waits is a queue in the rain.

import * as clock from "./clock.js";
import { AccessLost } from "./access.js";

const OF_A_SCAN = 1_500;
const OF_OTHERS = 15_000;

/** No answer that says anything: no network, too slow, or the server asks to come back later. */
export class Unreachable extends Error {
  constructor(why, retryAfter = 0) {
    super(why);
    this.retryAfter = retryAfter;
  }
}

export class Calls {
  constructor(access) {
    this.access = access;
    this.path = `/api/events/${access.eventId}`;
  }

  event() {
    return this.#call("GET", this.path);
  }

  list(after, limit) {
    return this.#call("GET", `${this.path}/door?after=${after}&limit=${limit}`);
  }

  checkIn(entry) {
    return this.#call("POST", `${this.path}/check-ins`, { json: entry, limit: OF_A_SCAN });
  }

  sendQueued(entries) {
    return this.#call("POST", `${this.path}/check-ins/batch`, { json: { entries } });
  }

  undo(nonce) {
    return this.#call("DELETE", `${this.path}/check-ins/${nonce}`, { limit: OF_A_SCAN });
  }

  /** `frame`: a Portable GrayMap. */
  decode(frame) {
    const path = `/door/${this.access.eventId}/frames`;
    return this.#call("POST", path, { body: frame, type: "image/x-portable-graymap", limit: OF_A_SCAN });
  }

  /** `{status, data, meta}`, or `{status, problem}` when the server says no. */
  async #call(method, path, options = {}) {
    const answer = await this.#answer(method, path, options);
    if (answer.status === 401) {
      if (this.access.renew()) return this.#call(method, path, options);
      throw new AccessLost("ended");
    }
    if (answer.status === 403) throw new AccessLost("forbidden");
    if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
      throw new Unreachable(`status ${answer.status}`, Number(answer.headers.get("Retry-After")));
    }
    return read(answer);
  }

  async #answer(method, path, { json, body, type, limit = OF_OTHERS }) {
    const sent = Date.now();
    try {
      const headers = { Authorization: `Bearer ${await this.access.bearer()}` };
      if (body ?? json) headers["Content-Type"] = type ?? "application/json";
      const answer = await fetch(path, {
        method,
        headers,
        body: json ? JSON.stringify(json) : body,
        signal: AbortSignal.timeout(limit),
        cache: "no-store",
        credentials: "omit",
      });
      clock.compare(answer.headers.get("Date"), sent, Date.now());
      return answer;
    } catch (error) {
      if (error instanceof AccessLost) throw error;
      throw new Unreachable(error.message);
    }
  }
}

async function read(answer) {
  const { status } = answer;
  if (status === 204) return { status };
  let content;
  try {
    content = await answer.json();
  } catch (error) {
    throw new Unreachable(error.message); // cut off, or the page of a hotel's network
  }
  if (answer.ok) return { status, data: content.data, meta: content.meta };
  return { status, problem: { ...content, slug: content.type.replace("/problems/", "") } };
}
