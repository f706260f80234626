// Lets the door page open without a network: keeps the page and its files. The server puts two
// constants before this text: RELEASE, and FILES, the addresses to keep. When either changes,
// browsers fetch all of them again.

const PAGE = "/door";
const CACHE = `door ${RELEASE}`;

addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll([PAGE, ...FILES].map((file) => new Request(file, { cache: "reload" }))))
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(deleteOld().then(() => clients.claim()));
});

/** All but this one and the one before, whose page may be loading just now. */
async function deleteOld() {
  const names = (await caches.keys()).filter((name) => name.startsWith("door "));
  await Promise.all(names.slice(0, -2).map((name) => caches.delete(name)));
}

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(kept(PAGE));
  else if (/^\/(door\/)?assets\//.test(new URL(request.url).pathname)) event.respondWith(kept(request));
});

/** The page is the same for each event. */
async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? (await caches.match(request)) ?? fetch(request);
}
