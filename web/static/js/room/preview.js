// @ts-check
/** @file Before entering: how one looks and sounds, video or voice, and what to do when a device is refused. */

import { box, byId, write } from './dom.js';
import { meter } from './devices.js';
import { t } from './i18n.js';

/** @param {number} value 0 to 100 */
function showLevel(value) {
  const level = box('mic-level');
  level.setAttribute('aria-valuenow', String(value));
  const bar = level.querySelector('i');
  if (bar) bar.style.transform = `translateX(${value - 100}%)`;
}

export class Preview {
  /**
   * @param {import('./devices.js').Devices} devices
   * @param {() => void} opened called after each attempt to open devices
   */
  constructor(devices, opened) {
    this.devices = devices;
    this.opened = opened;
    this.shown = false;
    /** @type {'video' | 'voice'} */
    this.mode = 'video';
    this.chose = false;
    /** @type {(() => void) | null} */
    this.stopMeter = null;
    for (const radio of this.#radios()) {
      radio.addEventListener('change', () => {
        this.mode = radio.value === 'voice' ? 'voice' : 'video';
        this.chose = true;
        void this.refresh();
      });
    }
    box('retry-devices').addEventListener('click', () => void this.refresh());
  }

  #radios() {
    return /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll('input[name="mode"]')]);
  }

  /** @param {import('./state.js').Mode} mode the session's */
  async show(mode) {
    this.shown = true;
    this.chose = false;
    const chat = mode === 'chat';
    if (mode !== 'chat') this.mode = mode;
    for (const radio of this.#radios()) radio.checked = radio.value === this.mode;
    write(box('preview-words'), t(chat ? 'say.preview_chat' : 'say.preview_words'));
    if (!chat) await this.refresh();
  }

  /** Opens what the chosen way of talking needs, lets go what it does not, and shows it. */
  async refresh() {
    const { devices } = this;
    if (this.mode === 'voice') devices.stop('video');
    this.#paint(true);
    await devices.open({ audio: true, video: this.mode === 'video' });
    if (!this.shown) return;
    this.#paint(false);
    this.#listen();
    this.opened();
  }

  /** @param {boolean} looking */
  #paint(looking) {
    const { devices } = this;
    const mirror = byId('mirror', HTMLVideoElement);
    const video = devices.video;
    if (!video || mirror.srcObject === null || /** @type {MediaStream} */ (mirror.srcObject).getTracks()[0] !== video) {
      mirror.srcObject = video ? new MediaStream([video]) : null;
    }
    box('mirror-veil').hidden = Boolean(video);
    const still = this.mode === 'voice' ? 'say.no_picture_voice' : looking ? 'say.looking' : 'say.no_picture';
    write(box('mirror-words'), t(still));
    box('pick-camera-row').hidden = this.mode === 'voice';
    this.#refusal(looking);
  }

  /** @param {boolean} looking */
  #refusal(looking) {
    const { audio, video } = this.devices.refused;
    const notice = box('refusal');
    const kind = looking ? null : (audio ?? (this.mode === 'video' ? video : null));
    notice.hidden = !kind;
    if (!kind) return;
    const both = audio && video && this.mode === 'video';
    const what = both ? 'both' : audio ? 'mic' : 'camera';
    write(box('refusal-title'), t(`refusal.${what}_${kind === 'insecure' || kind === 'failed' ? 'failed' : kind}`));
    write(box('refusal-words'), t(`refusal.do_${kind}`) + (audio ? '' : ` ${t('refusal.still_voice')}`));
    box('retry-devices').hidden = kind === 'insecure';
  }

  #listen() {
    this.#deafen();
    const { audio } = this.devices;
    box('mic-row').classList.toggle('silent', !audio);
    if (!audio) {
      showLevel(0);
      write(box('mic-words'), t('say.no_mic'));
      return;
    }
    write(box('mic-words'), t('say.speak'));
    this.stopMeter = meter(audio, (value) => {
      showLevel(value);
      if (value > 35) write(box('mic-words'), t('say.heard'));
    });
  }

  #deafen() {
    this.stopMeter?.();
    this.stopMeter = null;
  }

  /** The preview is over; the devices stay open for the call. */
  hide() {
    this.shown = false;
    this.#deafen();
    byId('mirror', HTMLVideoElement).srcObject = null;
  }
}
