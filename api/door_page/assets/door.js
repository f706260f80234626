// The door page: people at the entrance scan tickets with it, also when the network is away.

import { Access, AccessLost, forget } from "./access.js";
import * as camera from "./camera.js";
import { Calls, Unreachable } from "./calls.js";
import * as clock from "./clock.js";
import { Connection } from "./connection.js";
import { read, write } from "./database.js";
import { reader } from "./frames.js";
import { DoorList } from "./list.js";
import { search } from "./names.js";
import { Queue } from "./queue.js";
import { Scans, gateOf } from "./scans.js";
import * as sounds from "./sounds.js";
import { isTicket } from "./tickets.js";
import { listen } from "./typing.js";
import * as view from "./view.js";

const UPDATE_EVERY = 5_000;

const PROBLEMS = {
  none: ["No right to check in", "Open the link that the organizer gave you, or sign in as an organizer."],
  ended: ["This link has ended", "It was revoked, or has expired. Ask the organizer for another link."],
  "signed-out": ["You are signed out", "Sign in, or open the whole link that the organizer gave you."],
  forbidden: ["Not allowed", "This account or link may not check visitors in. Ask the organizer for a link."],
  insecure: ["Open this page by https", "Browsers give the camera, and what scanning without a network needs, only to pages that come by https."],
  nowhere: ["Which event?", "Open the door from the page of an event, or by a link that the organizer gave you."],
  gone: ["There is no such event", "It was deleted, or this link is for another event. Ask the organizer for a link."],
};

/** For what should never happen: the scans after it go on. */
const AGAIN = { colour: "red", word: "Scan again" };

const element = (id) => document.getElementById(id);
const eventId = /^\/door\/([0-9a-f-]{36})$/i.exec(location.pathname)?.[1];

async function begin() {
  if (!isSecureContext) return fail("insecure");
  if (!eventId) return fail("nowhere");
  keep();
  navigator.storage?.persist?.();
  const access = await Access.of(eventId);
  const door = new Door(access);
  await door.load();
  door.listen();
  await door.run();
}

/** The page, for when the network is away. */
async function keep() {
  if (!navigator.serviceWorker) return; // in private windows of some browsers
  try {
    await navigator.serviceWorker.register("/door/worker.js", { scope: "/door/" });
    await navigator.serviceWorker.ready;
    document.documentElement.dataset.kept = true;
  } catch {
    // offline, and kept already
    document.documentElement.dataset.kept = navigator.serviceWorker.controller !== null;
  }
}

function fail(reason, waiting = 0) {
  const [title, text] = PROBLEMS[reason];
  const link = ["none", "signed-out", "nowhere"].includes(reason) && `/admin/events/${eventId ? `${eventId}/door` : ""}`;
  view.showProblem({ title, text, link, waiting });
}

class Door {
  constructor(access) {
    this.access = access;
    this.calls = new Calls(access);
    this.list = new DoorList(eventId, this.calls);
    this.queue = new Queue(eventId, this.calls);
    this.connection = new Connection(() => this.show());
    this.scans = new Scans({ eventId, ...this });
    this.asking = null;
  }

  /** From this phone. */
  async load() {
    const [door] = await Promise.all([read("doors", eventId), this.list.load(), this.queue.load()]);
    clock.restore(door?.clock_offset);
    this.scans.gate = element("gate").value = door?.gate ?? "";
    view.showEvent(door?.event_name ?? "Door");
    element("right").textContent = this.access.byKey
      ? "Opened by a link of an organizer."
      : "Opened by the session of an organizer.";
    if (door?.position !== undefined || this.access.byKey) view.showDoor();
    this.show();
  }

  /** Keeps list and queue up to date, until the right to do so is lost. */
  async run() {
    addEventListener("online", () => this.update());
    document.addEventListener("visibilitychange", () => document.hidden || this.update());
    setInterval(() => this.update(), UPDATE_EVERY);
    setInterval(() => this.show(), 1_000);
    await this.update();
  }

  update() {
    this.updating ??= this.#update().finally(() => {
      this.updating = null;
      this.show();
    });
    return this.updating;
  }

  async #update() {
    if (this.lost) return;
    try {
      await this.connection.ask(async () => {
        await this.queue.send();
        if (!this.named) await this.#learnName();
        await this.list.update(() => this.show());
        await this.#rememberClock();
      });
      view.showDoor();
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #learnName() {
    const { data, problem } = await this.calls.event();
    if (problem) throw new AccessLost("gone");
    this.named = true;
    view.showEvent(data.name);
    await this.#remember({ event_name: data.name });
  }

  /** For when the network is away. */
  async #rememberClock() {
    if (this.clockOffset === clock.difference()) return;
    this.clockOffset = clock.difference();
    await this.#remember({ clock_offset: this.clockOffset });
  }

  async #remember(facts) {
    const door = await read("doors", eventId);
    await write(["doors"], ({ doors }) => doors.put({ ...door, event_id: eventId, ...facts }));
  }

  async #failed(error) {
    if (error instanceof Unreachable) return;
    if (!(error instanceof AccessLost)) throw error;
    this.lost = true;
    await forget(eventId);
    fail(error.reason, this.queue.size);
  }

  listen() {
    listen(element("typed"), {
      changed: (text) => this.find(text),
      entered: (text, clear) => {
        sounds.unlock();
        const isName = search(this.list.visitors, text).found.length > 0;
        if (isTicket(text) || !isName) {
          clear();
          this.scan(text);
        }
      },
    });
    element("start").addEventListener("click", () => this.startCamera());
    element("undo").addEventListener("click", () => this.undo());
    element("let-in").addEventListener("click", () => this.answer(true));
    element("turn-away").addEventListener("click", () => this.answer(false));
    element("dismiss").addEventListener("click", () => this.queue.dismissTold().then(() => this.show()));
    element("sound").addEventListener("change", (event) => sounds.mute(!event.target.checked));
    element("gate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.scans.gate = element("gate").value = gateOf(element("gate").value);
      this.#remember({ gate: this.scans.gate });
      element("settings").open = false;
    });
    element("forget").addEventListener("click", async () => {
      this.lost = true;
      await forget(eventId);
      fail("none", this.queue.size);
    });
  }

  get hasNames() {
    for (const visitor of this.list.visitors) if (visitor.full_name) return true;
    return false;
  }

  find(text) {
    const isName = text.trim().length > 1 && !isTicket(text);
    const result = isName ? search(this.list.visitors, text) : { found: [], more: false };
    const nobody = isName && result.found.length === 0 && text.length < 40;
    const note = this.hasNames ? "Nobody of this name is in the list." : "Names are not in the list of this phone.";
    view.showFound(result, nobody ? note : "", (visitor) => {
      element("typed").value = "";
      this.find("");
      this.judge(() => this.scans.ofVisitor(visitor.visitor_id));
    });
  }

  scan(text) {
    return this.judge(() => this.scans.ofTicket(text));
  }

  /** One at a time, in the order that they come in. */
  judge(decide) {
    this.judging = (this.judging ?? Promise.resolve()).then(async () => {
      if (this.lost) return;
      try {
        this.tell(await decide());
      } catch (error) {
        await this.#failed(error).catch(() => this.tell({ ...AGAIN, reason: error.message }));
      }
    });
    return this.judging;
  }

  tell(verdict) {
    this.asking = verdict.entry ?? null;
    view.showVerdict(verdict);
    view.addRecent(verdict);
    sounds.play(verdict.colour);
    this.show();
  }

  async answer(isLetIn) {
    const entry = this.asking;
    if (!entry) return;
    this.asking = null;
    if (isLetIn) await this.scans.letInAnyway(entry);
    const verdict = isLetIn
      ? { colour: "green", word: "Let in", reason: "You decided. It is checked later." }
      : { colour: "red", word: "Turned away", reason: "Nothing was recorded." };
    view.showVerdict(verdict);
    view.addRecent(verdict);
    this.show();
  }

  async undo() {
    try {
      await this.scans.undo();
      view.showVerdict({ colour: "ready", word: "Undone", reason: "The last one is not inside. Scan a ticket." });
    } catch (error) {
      await this.#failed(error);
    }
    this.show();
  }

  async startCamera() {
    sounds.unlock();
    const frames = await reader(this.calls, () => this.connection.online);
    try {
      await camera.watch(element("video"), frames, (text) => this.scan(text));
      element("start").hidden = true;
      this.needsNetwork = frames.needsNetwork;
      this.show();
    } catch (error) {
      view.showCameraNote(
        `The camera cannot be used (${error.message}). Use a USB scanner, or type.`,
      );
    }
  }

  show() {
    const { registered, entered } = this.list.counts();
    view.showConnection(this.connection.online, this.list.readAt, this.list.size);
    view.showCounts({ registered, entered: entered + this.queue.entering, waiting: this.queue.size });
    view.showUndo(this.scans.last !== null);
    view.showTold(this.queue.toldLater, (entry) => this.list.ofId(entry.of).known?.full_name ?? "Somebody");
    if (this.needsNetwork) {
      view.showCameraNote(
        this.connection.online
          ? null
          : "This browser cannot read codes without a network. Use a USB scanner, or type.",
      );
    }
  }
}

// Another link, opened where the page is open already.
addEventListener("hashchange", () => location.reload());

begin();
