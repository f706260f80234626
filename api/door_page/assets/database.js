// What this phone keeps, in IndexedDB: doors, their lists, scans that wait to be sent, and what the
// server said about those that it was told later.

const NAME = "events-face-door";

let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("doors", { keyPath: "event_id" });
      database.createObjectStore("visitors", { keyPath: ["event_id", "visitor_id"] });
      database.createObjectStore("queue", { keyPath: ["event_id", "nonce"] });
      database.createObjectStore("told_later", { keyPath: ["event_id", "nonce"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

/** Whether the door page was ever used in this browser. */
export async function exists() {
  return (await indexedDB.databases()).some(({ name }) => name === NAME);
}

/** All of one event, in a store whose keys begin with it. */
export const ofEvent = (eventId) => IDBKeyRange.bound([eventId], [eventId, []]);

export async function read(store, key) {
  return done((await open()).transaction(store).objectStore(store).get(key));
}

export async function readAll(store, range) {
  return done((await open()).transaction(store).objectStore(store).getAll(range));
}

/** Returns once it is on the disk: `change` gets the stores, by name. */
export async function write(stores, change) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(stores, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
    change(Object.fromEntries(stores.map((name) => [name, transaction.objectStore(name)])));
  });
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
