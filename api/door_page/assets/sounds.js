// A sound for each verdict, told apart without looking: two high notes, two equal ones, a low one.

const NOTES = {
  green: [[880, 0, 0.09], [1320, 0.1, 0.16]],
  amber: [[620, 0, 0.14], [620, 0.22, 0.14]],
  red: [[170, 0, 0.55]],
};
const BUZZ = { green: [60], amber: [80, 80, 80], red: [400] };
const VOLUME = 0.25;

let context;
let muted = false;

/** Browsers play nothing before somebody has pressed something. */
export function unlock() {
  context ??= new AudioContext();
  context.resume();
}

export function mute(value) {
  muted = value;
}

export function play(colour) {
  navigator.vibrate?.(BUZZ[colour]);
  if (muted || !context) return;
  for (const [frequency, begin, length] of NOTES[colour]) {
    const at = context.currentTime + begin;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.type = colour === "red" ? "sawtooth" : "sine";
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(VOLUME, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + length);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + length);
  }
}
