// @ts-check
/** @file Microphone with its level, speaker, camera: each when asked for, and let go when the page is left. */

import { refusal, t, the } from './texts.js';

const HEARD_LEVEL = 8;

/** Everything that is open now; the quick exit and leaving the page stop it. @type {Set<MediaStream>} */
const open = new Set();

/** Lets go of microphone and camera. */
export function stopAll() {
  for (const stream of open) for (const track of stream.getTracks()) track.stop();
  open.clear();
}

/** @param {MediaStreamConstraints} wanted */
async function ask(wanted) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error('insecure');
  const stream = await navigator.mediaDevices.getUserMedia(wanted);
  open.add(stream);
  return stream;
}

/**
 * The loudness of a block of samples from 0 to 100: -60 dB below full scale is silence.
 * @param {Float32Array} samples
 */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.max(0, Math.min(100, Math.round(((decibels + 60) / 60) * 100)));
}

/** Asks for the microphone and shows its level until the page is left. */
export async function microphone() {
  const said = the('mic-said', HTMLElement);
  const meter = the('mic-level', HTMLMeterElement);
  const button = the('mic', HTMLButtonElement);
  button.disabled = true;
  try {
    const stream = await ask({ audio: true });
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    meter.hidden = false;
    said.textContent = t('prepare.mic_speak');
    let heard = false;
    const look = () => {
      if (!open.has(stream)) return;
      analyser.getFloatTimeDomainData(samples);
      meter.value = loudness(samples);
      if (!heard && meter.value >= HEARD_LEVEL) {
        heard = true;
        said.textContent = t('prepare.mic_heard');
      }
      setTimeout(look, 100);
    };
    look();
  } catch (error) {
    button.disabled = false;
    said.textContent = refusal(error);
  }
}

/** Plays two soft tones. */
export async function speaker() {
  const said = the('speaker-said', HTMLElement);
  const context = new AudioContext();
  const volume = context.createGain();
  volume.gain.value = 0.2;
  volume.connect(context.destination);
  [440, 554].forEach((pitch, place) => {
    const tone = context.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(volume);
    tone.start(context.currentTime + place * 0.5);
    tone.stop(context.currentTime + place * 0.5 + 0.4);
  });
  said.textContent = t('prepare.speaker_played');
  setTimeout(() => void context.close(), 1500);
}

/** Asks for the camera and shows its picture to nobody but this person. */
export async function camera() {
  const said = the('camera-said', HTMLElement);
  const view = the('camera-view', HTMLVideoElement);
  const button = the('camera', HTMLButtonElement);
  button.disabled = true;
  try {
    view.srcObject = await ask({ video: { width: { ideal: 640 }, height: { ideal: 360 } } });
    view.hidden = false;
    await view.play();
    said.textContent = t('prepare.camera_seen');
  } catch (error) {
    button.disabled = false;
    said.textContent = refusal(error);
  }
}
