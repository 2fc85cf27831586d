// @ts-check
/** @file Microphone, camera and speaker: asking for them, their level, their choice, and each refusal by its name. */

/** @typedef {'denied'|'none'|'busy'|'insecure'|'failed'} Refusal */

/**
 * Why a device was not given, from the error's name (Media Capture and Streams, 10.2).
 * @param {unknown} error
 * @returns {Refusal}
 */
export function refusalOf(error) {
  switch (error instanceof Error || error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'none';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** @param {boolean} thrifty */
const picture = (thrifty) => (thrifty ? { width: { ideal: 480 }, height: { ideal: 270 }, frameRate: { max: 15 } } : { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { max: 24 } });

export class Devices {
  /** @param {(kind: 'audio' | 'video') => void} lost called when a device that was in use goes away */
  constructor(lost) {
    this.lost = lost;
    /** @type {MediaStreamTrack | null} */
    this.audio = null;
    /** @type {MediaStreamTrack | null} */
    this.video = null;
    this.chosen = { mic: '', camera: '', speaker: '' };
    /** @type {{audio: Refusal | null, video: Refusal | null}} */
    this.refused = { audio: null, video: null };
    /** How often each was let go: what was asked for before that and is given after it is not wanted any more. */
    this.stops = { audio: 0, video: 0 };
  }

  /**
   * Asks for what is missing. A camera that is refused does not take the microphone with it.
   * @param {{audio: boolean, video: boolean}} wanted
   */
  async open(wanted) {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.refused = { audio: wanted.audio ? 'insecure' : null, video: wanted.video ? 'insecure' : null };
      return;
    }
    const audio = wanted.audio && !this.audio;
    const video = wanted.video && !this.video;
    if (audio && video && (await this.#ask(true, true)) === null) return;
    if (audio) this.refused.audio = await this.#ask(true, false);
    if (video) this.refused.video = await this.#ask(false, true);
  }

  /**
   * @param {boolean} audio
   * @param {boolean} video
   * @returns {Promise<Refusal | null>}
   */
  async #ask(audio, video) {
    const saveData = /** @type {any} */ (navigator).connection?.saveData === true;
    const stops = { ...this.stops };
    const mic = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: audio && { ...mic, ...(this.chosen.mic && { deviceId: { exact: this.chosen.mic } }) },
        video: video && { ...picture(saveData), ...(this.chosen.camera ? { deviceId: { exact: this.chosen.camera } } : { facingMode: 'user' }) },
      });
      for (const track of stream.getTracks()) {
        const kind = track.kind === 'audio' ? 'audio' : 'video';
        if (this.stops[kind] === stops[kind]) this.#take(track);
        else track.stop();
      }
      if (audio) this.refused.audio = null;
      if (video) this.refused.video = null;
      return null;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** @param {MediaStreamTrack} track */
  #take(track) {
    const kind = track.kind === 'audio' ? 'audio' : 'video';
    this.stop(kind);
    this[kind] = track;
    if ('contentHint' in track) track.contentHint = kind === 'audio' ? 'speech' : 'motion';
    track.onended = () => {
      if (this[kind] !== track) return;
      this[kind] = null;
      this.lost(kind);
    };
  }

  /**
   * Lets a device go; its light goes out.
   * @param {'audio' | 'video'} kind
   */
  stop(kind) {
    this.stops[kind] += 1;
    const track = this[kind];
    this[kind] = null;
    if (!track) return;
    track.onended = null;
    track.stop();
  }

  /** Idempotent. */
  close() {
    this.stop('audio');
    this.stop('video');
  }

  /**
   * The devices there are, as the browser tells them (without names before a permission).
   * @returns {Promise<Record<'mic' | 'camera' | 'speaker', MediaDeviceInfo[]>>}
   */
  async list() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const of = (/** @type {MediaDeviceKind} */ kind) => all.filter((device) => device.kind === kind && device.deviceId);
    return { mic: of('audioinput'), camera: of('videoinput'), speaker: of('audiooutput') };
  }
}

/**
 * Calls `show` with 0 to 100 about 12 times a second until the returned function is called.
 * @param {MediaStreamTrack} track
 * @param {(level: number) => void} show
 * @returns {() => void}
 */
export function meter(track, show) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  void context.resume().catch(() => undefined); // Never awaited: without a sound device Firefox does not settle it.
  const samples = new Float32Array(analyser.fftSize);
  const timer = window.setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const loudness = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    show(Math.min(100, Math.round(Math.max(0, 100 + 25 * Math.log10(loudness + 1e-6) * 1.3))));
  }, 80);
  return () => {
    window.clearInterval(timer);
    void context.close().catch(() => undefined);
  };
}

/**
 * Plays two soft notes through the chosen speaker.
 * @param {string} speaker device id, empty for the usual one
 */
export function testSound(speaker) {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  [392, 523.25].forEach((pitch, place) => {
    const at = context.currentTime + 0.1 + place * 0.45;
    const note = new OscillatorNode(context, { type: 'sine', frequency: pitch });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.25, at + 0.06);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.9);
    note.connect(volume).connect(out);
    note.start(at);
    note.stop(at + 1);
  });
  const sound = new Audio();
  sound.srcObject = out.stream;
  void setSpeaker(sound, speaker).then(() => sound.play().catch(() => undefined));
  void context.resume().catch(() => undefined);
  window.setTimeout(() => {
    sound.srcObject = null;
    void context.close().catch(() => undefined);
  }, 2200);
}

/**
 * @param {HTMLMediaElement} element
 * @param {string} speaker
 */
export async function setSpeaker(element, speaker) {
  if ('setSinkId' in element && (speaker || element.sinkId)) await element.setSinkId(speaker).catch(() => undefined);
}
