// The camera: shows what it sees, and tells each QR code once.

const FORGOTTEN_AFTER = 3_000; // a code that has been out of sight for so long is a new scan
const PAUSE_AFTER_FAILURE = 2_000;

export const isPossible = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Until the page closes. `reader`: of `frames.js`; `scanned` gets texts. Raises DOMException when
 * the camera is refused or there is none. */
export async function watch(video, reader, scanned) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
  });
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  keepAwake();
  follow(video, reader, scanned);
}

async function follow(video, reader, scanned) {
  let seen = { text: null, at: 0 };
  for (;;) {
    let pause = reader.pause;
    if (!document.hidden && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      try {
        const text = await reader.read(video);
        const isNew = text !== seen.text || Date.now() - seen.at > FORGOTTEN_AFTER;
        if (text) seen = { text, at: Date.now() };
        if (text && isNew) await scanned(text);
      } catch (error) {
        pause = Math.max(PAUSE_AFTER_FAILURE, (error.retryAfter ?? 0) * 1_000);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** The screen stays on, where the browser can do that. */
async function keepAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // on a low battery: the screen may go dark
  }
  document.addEventListener("visibilitychange", keepAwake, { once: true });
}
