// @ts-check
/** @file What this side sends: the person's wishes, the mode and the devices brought together. */

import { t } from './i18n.js';
import { toast } from './screen.js';

/** @typedef {import('./state.js').Mode} Mode */

/** How long after another took the picture away a camera still comes back by itself, in ms. */
export const CAMERA_BACK_MS = 60000;

/**
 * @typedef {object} SendingOptions
 * @property {import('./devices.js').Devices} devices
 * @property {{mic: boolean, camera: boolean}} wish what the person wants to send; kept over a reload
 * @property {{keep: (wish: {mic: boolean, camera: boolean}) => void}} kept
 * @property {() => Mode} mode
 * @property {import('./peer.js').Peer} peer
 * @property {(media: {audio: boolean, video: boolean, budget_mb?: number | null, lost?: 'audio' | 'video'}) => void} tell the other side
 * @property {() => void} changed
 */

export class Sending {
  /** @param {SendingOptions} options */
  constructor(options) {
    this.options = options;
    /** A device is being opened: the controls wait. */
    this.busy = false;
    this.over = false;
    /** When somebody else, or the line, took our picture away; ms, monotonic. */
    this.takenAt = /** @type {number | null} */ (null);
  }

  /**
   * The person chose a way of talking. Voice also says that the camera is not wanted: it does not come on again
   * when the other person goes back to video.
   * @param {Mode} mode
   * @returns {boolean} whether the session must move
   */
  choose(mode) {
    const { wish } = this.options;
    wish.camera = mode === 'video';
    this.#keep();
    return this.options.mode() !== mode;
  }

  /**
   * The session moved. A picture that another took away comes back by itself for a short while only: later its owner
   * may sit where nobody should look.
   * @param {Mode} before
   * @param {Mode} mode
   * @param {boolean} mine whether we asked for it
   * @param {number} now ms, monotonic
   * @returns {boolean} whether to say that the camera stays off
   */
  moved(before, mode, mine, now) {
    const { wish } = this.options;
    if (before === 'video' && mode !== 'video') this.takenAt = mine || !wish.camera ? null : now;
    if (before === 'video' || mode !== 'video') return false;
    const soon = this.takenAt !== null && now - this.takenAt <= CAMERA_BACK_MS;
    this.takenAt = null;
    if (mine) return false;
    if (!soon && wish.camera) {
      wish.camera = false;
      this.#keep();
    }
    return !wish.camera;
  }

  async toggleMic() {
    const { wish, devices } = this.options;
    wish.mic = devices.audio ? !wish.mic : true;
    this.#keep();
    await this.refresh();
  }

  async toggleCamera() {
    const { wish, devices } = this.options;
    wish.camera = !devices.video;
    this.#keep();
    await this.refresh();
  }

  #keep() {
    this.options.kept.keep(this.options.wish);
  }

  /**
   * Opens and closes devices as the mode and the person's wishes say, and tells the other side.
   * @returns {Promise<void>}
   */
  async refresh() {
    const { devices, wish, peer } = this.options;
    const mode = this.options.mode();
    if (devices.audio) devices.audio.enabled = wish.mic; // At once: a camera's prompt may stay open for long.
    if (mode !== 'video' || !wish.camera) devices.stop('video');
    if (mode === 'chat') devices.stop('audio');
    const wanted = { audio: mode !== 'chat' && !devices.audio, video: mode === 'video' && wish.camera && !devices.video };
    if ((wanted.audio || wanted.video) && !this.busy) {
      this.busy = true;
      this.options.changed();
      await devices.open(wanted);
      this.busy = false;
      if (this.over) return devices.close();
      this.#tellRefusal(wanted);
      if (this.options.mode() !== mode || (devices.video && !wish.camera)) return this.refresh();
    }
    if (devices.audio) devices.audio.enabled = wish.mic;
    await peer.use({ audio: devices.audio, video: devices.video });
    this.say();
    this.options.changed();
    return undefined;
  }

  /**
   * Tells the other side what is sent now.
   * @param {{budget_mb?: number | null, lost?: 'audio' | 'video'}} [more] for the server alone
   */
  say(more = {}) {
    const { devices, wish } = this.options;
    this.options.tell({ audio: Boolean(devices.audio) && wish.mic, video: Boolean(devices.video), ...more });
  }

  /** @param {{audio: boolean, video: boolean}} wanted */
  #tellRefusal(wanted) {
    const { audio, video } = this.options.devices.refused;
    const kind = wanted.audio && audio ? audio : wanted.video ? video : null;
    if (!kind) return;
    const what = wanted.audio && audio ? 'mic' : 'camera';
    const title = t(`refusal.${what}_${kind === 'insecure' || kind === 'failed' ? 'failed' : kind}`);
    toast(`${title} ${t(`refusal.do_${kind}`)}`, { label: t('say.retry'), act: () => void this.#again(what) });
    if (what === 'camera') this.options.wish.camera = false;
  }

  /** @param {'mic' | 'camera'} what */
  #again(what) {
    this.options.wish[what] = true;
    return this.refresh();
  }

  /** Idempotent. */
  close() {
    this.over = true;
    this.options.devices.close();
  }
}
