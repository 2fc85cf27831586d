// @ts-check
/** @file Stepping down and up as this page does it: the server's advice, the person's hand and the data budget together. */

import { megabytes, t } from './i18n.js';
import { Budget, STEPS, answerTo, below, chosen, meaning, stepOf, withoutVoice } from './ladder.js';
import { toast } from './screen.js';

/** @typedef {import('./ladder.js').Picture} Picture */
/** @typedef {import('./state.js').Mode} Mode */

const ASK_EVERY_MS = 8000;
const MB = 1e6;

/**
 * @typedef {object} StepsOptions
 * @property {import('./peer.js').Peer} peer
 * @property {() => Mode} mode
 * @property {(mode: Mode, reason: 'network'|'data'|'user') => void} ask move the session
 * @property {() => void} say tell the other side what is sent now
 * @property {(mb: number | null) => void} budget tell the server of a limit
 * @property {() => void} openChat
 * @property {() => void} openSaving
 * @property {{read: () => {picture?: string, budget?: number | null}, keep: (part: {picture?: string, budget?: number | null}) => void}} kept
 */

export class Steps {
  /** @param {StepsOptions} options */
  constructor(options) {
    this.options = options;
    const { picture, budget } = options.kept.read();
    /** @type {Picture | ''} */
    this.hand = STEPS.find((step) => step === picture) ?? '';
    this.budget = new Budget(budget ? budget * MB : null);
    /** @type {import('./ladder.js').Standing | null} */
    this.standing = null;
    /** @type {Picture} */
    this.line = 'full';
    /** @type {Picture} */
    this.theirs = 'full';
    /** @type {Picture} what the budget leaves for a picture, of either side */
    this.data = 'full';
    /** @type {ReturnType<typeof chosen>} */
    this.sent = { step: 'full', by: undefined };
    /** A person chose the mode. */
    this.byHand = false;
    /** Our budget took the session down, and to where; once each, for a person may take it up again. */
    this.byBudget = false;
    this.tookTo = /** @type {Mode | ''} */ ('');
    this.askedAt = -Infinity;
    this.offered = false;
    this.opened = false;
    this.#apply();
  }

  /** What `media` says beside sound and picture. */
  get said() {
    const { step, by } = this.sent;
    return { picture: step, ...(by && { by }), ...(this.data !== 'full' && { receive: this.data }) };
  }

  /** The server's view of the lines came. @param {import('./signal.js').Message} quality */
  heard({ advice, picture }) {
    this.line = stepOf(picture);
    this.#apply();
    const mode = this.options.mode();
    const { ask, offer, open } = answerTo({ advice, mode, byHand: this.byHand });
    if (ask) this.#ask(ask, 'network');
    if (open) this.#open();
    if (!offer) this.offered = false;
    else if (!this.offered) {
      this.offered = true;
      toast(t('say.voice_again'), { label: t('control.back_to_voice'), act: () => this.options.ask('voice', 'user') });
    }
  }

  /** The other side said what it sends, and what it will take. @param {{receive?: string} | null} media */
  peerSays(media) {
    this.theirs = stepOf(media?.receive);
    this.#apply();
  }

  /** The session is in this mode now. @param {Mode} mode @param {string | undefined} reason @param {boolean} mine */
  moved(mode, reason, mine) {
    this.byHand = reason === 'user';
    this.byBudget = reason === 'data' && mine;
    if (this.byBudget) this.tookTo = mode;
    if (mode !== 'chat') this.opened = false;
    this.offered = false;
  }

  /**
   * Five times a second.
   * @param {{now: number, used: number, endsInS: number | null, silentMs: number, socket: boolean}} facts
   */
  look({ now, used, endsInS, silentMs, socket }) {
    const mode = this.options.mode();
    const lost = mode === 'chat' ? {} : withoutVoice({ silentMs, socket, byHand: this.byHand });
    if (lost.open) this.#open();
    else if (silentMs === 0) this.opened = false;
    if (lost.ask) this.#ask(lost.ask, 'network');
    const present = mode === 'video' ? this.sent.step : mode;
    this.standing = this.budget.look({ now, used, present, endsInS });
    this.#spend(this.standing, mode);
  }

  /** @param {import('./ladder.js').Standing} standing @param {Mode} mode */
  #spend({ rung, soon, left, minutes }, mode) {
    if (soon && soon !== 'less' && soon !== 'small') {
      const words = { left: megabytes(left), minutes: Math.max(1, Math.round(minutes ?? 1)) };
      toast(t(`data.soon_${soon}`, words), { label: t('data.change'), act: () => this.options.openSaving() });
    }
    const wanted = meaning(rung);
    if (wanted.picture !== this.data) {
      this.data = wanted.picture;
      if (!this.#apply()) this.options.say(); // What we take has changed, though not what we send.
    }
    if (below(wanted.mode, mode) && this.tookTo !== wanted.mode) this.#ask(wanted.mode, 'data');
    else if (this.byBudget && mode === 'voice' && wanted.mode === 'video') this.#ask('video', 'data');
  }

  /** The person chose a picture, or '' to leave it to the line. @param {string} picture */
  choose(picture) {
    this.hand = STEPS.find((step) => step === picture) ?? '';
    this.options.kept.keep({ picture: this.hand });
    this.#apply();
  }

  /** The person set what the session may cost, null for no limit. @param {number | null} mb */
  limit(mb) {
    this.budget.set(mb === null ? null : mb * MB);
    this.tookTo = '';
    this.options.kept.keep({ budget: mb });
    this.options.budget(mb);
  }

  /** @returns {boolean} whether the other side was told of something new */
  #apply() {
    const before = this.sent;
    this.sent = chosen({ hand: this.hand, line: this.line, data: this.data, theirs: this.theirs });
    const { step, by } = this.sent;
    if (step === before.step && by === before.by) return false;
    this.options.peer.setPicture(step);
    this.options.say();
    if (step === 'paused' && by !== 'user' && this.options.mode() === 'video') toast(t(`say.paused_${by}`));
    return true;
  }

  /** @param {Mode} mode @param {'network'|'data'} reason */
  #ask(mode, reason) {
    const now = performance.now();
    if (now - this.askedAt < ASK_EVERY_MS) return;
    this.askedAt = now;
    this.options.ask(mode, reason);
  }

  /** Once each time: who closes the chat again is not asked to write again at once. */
  #open() {
    if (this.opened) return;
    this.opened = true;
    this.options.openChat();
  }
}
