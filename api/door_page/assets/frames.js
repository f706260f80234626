// Reads the QR code in a frame of the camera: with the browser's own detector where there is one,
// else by the server, which needs the network.

const SIDE = 400;

/** Reads a frame: the text of a QR code, or null. `pause`: milliseconds until the next frame. */
export async function reader(calls, isOnline) {
  const detector = await builtIn();
  return detector ? { read: detector, pause: 100, needsNetwork: false } : byServer(calls, isOnline);
}

async function builtIn() {
  if (!("BarcodeDetector" in globalThis)) return null;
  const formats = await BarcodeDetector.getSupportedFormats();
  if (!formats.includes("qr_code")) return null;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  return async (video) => (await detector.detect(video))[0]?.rawValue ?? null;
}

function byServer(calls, isOnline) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const read = async (video) => {
    if (!isOnline()) return null;
    drawMiddle(context, video);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    const { data: found } = await calls.decode(grayMap(data));
    return found?.text ?? null;
  };
  return { read, pause: 250, needsNetwork: true };
}

/** The square that people see. */
function drawMiddle(context, video) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const left = (video.videoWidth - side) / 2;
  const top = (video.videoHeight - side) / 2;
  context.drawImage(video, left, top, side, side, 0, 0, SIDE, SIDE);
}

/** A Portable GrayMap: a line of text, then a byte for each pixel. */
function grayMap(pixels) {
  const header = new TextEncoder().encode(`P5 ${SIDE} ${SIDE} 255\n`);
  const map = new Uint8Array(header.length + SIDE * SIDE);
  map.set(header);
  for (let from = 0, to = header.length; from < pixels.length; from += 4, to += 1) {
    map[to] = (pixels[from] * 77 + pixels[from + 1] * 150 + pixels[from + 2] * 29) >> 8;
  }
  return map;
}
