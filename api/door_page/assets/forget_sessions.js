// On the page where people sign in: what the door page has read by sessions that have ended goes
// from this browser. Lists of door links stay, and so do scans that were not sent yet.

import { forget } from "./access.js";
import { exists, readAll } from "./database.js";

if (await exists()) {
  for (const door of await readAll("doors")) if (!door.key) await forget(door.event_id);
}
