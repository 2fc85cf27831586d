// @ts-check
/**
 * @file Which picture this side sends, where the session goes, and what a data budget leaves: deciding only.
 * The server advises by what both lines show (signaling/PROTOCOL.md); a person's choice goes before it.
 */

/** @typedef {'full'|'less'|'small'|'paused'} Picture */
/** @typedef {'user'|'line'|'data'} By */
/** @typedef {import('./state.js').Mode} Mode */

/** The steps of a picture, each costing less than the one before. @type {readonly Picture[]} */
export const STEPS = Object.freeze(['full', 'less', 'small', 'paused']);

/** @type {readonly Mode[]} */
const MODES = Object.freeze(['video', 'voice', 'chat']);

/** Upper limits of the picture we send, the browser's congestion control goes below by itself; `lines` of its shorter side. */
const CAPS = Object.freeze({
  full: { maxBitrate: 900_000, maxFramerate: 24, lines: 720 },
  less: { maxBitrate: 300_000, maxFramerate: 15, lines: 360 },
  small: { maxBitrate: 100_000, maxFramerate: 10, lines: 180 },
});

/** @param {unknown} value @returns {Picture} */
export const stepOf = (value) => STEPS.find((step) => step === value) ?? 'full';

/** The one that costs least. @param {Picture[]} steps */
export const smallest = (...steps) => STEPS[Math.max(...steps.map((step) => STEPS.indexOf(step)))] ?? 'full';

/**
 * The limits of an encoding (W3C WebRTC, 5.2.8) for a camera that gives pictures of this size.
 * @param {Exclude<Picture, 'paused'>} step
 * @param {{width?: number, height?: number}} camera
 */
export function limitsOf(step, { width = 0, height = 0 }) {
  const { lines, ...limits } = CAPS[step];
  return { ...limits, scaleResolutionDownBy: Math.max(1, Math.min(width, height) / lines) };
}

/**
 * The picture to send and who or what chose it. What the other side will take holds whatever else does, for it pays.
 * @param {{hand: Picture | '', line: Picture, data: Picture, theirs: Picture}} wishes
 * @returns {{step: Picture, by: By | undefined}}
 */
export function chosen({ hand, line, data, theirs }) {
  const own = hand || smallest(line, data);
  const step = smallest(own, theirs);
  if (step !== own) return { step, by: 'data' };
  if (hand) return { step, by: 'user' };
  if (step === 'full') return { step, by: undefined };
  return { step, by: step === line ? 'line' : 'data' };
}

/**
 * What to do about the server's advice for the session: ask for a mode, offer one to the person, or show the chat.
 * A mode that a person chose is never left by itself, and no voice begins to sound by itself.
 * @param {{advice: string | undefined, mode: Mode, byHand: boolean}} facts
 * @returns {{ask?: Mode, offer?: Mode, open?: boolean}}
 */
export function answerTo({ advice, mode, byHand }) {
  if (advice === 'voice' && mode === 'chat') return { offer: 'voice' };
  if (advice === 'chat' && mode === 'voice') return byHand ? { open: true } : { ask: 'chat', open: true };
  const next = (advice === 'voice' && mode === 'video') || (advice === 'video' && mode === 'voice');
  return next && !byHand ? { ask: advice } : {};
}

/** After how much silence on our own line the chat opens, and the session moves to it, while the server still hears us; ms. */
export const CHAT_OPENS_MS = 4000;
export const CHAT_MOVES_MS = 20000;

/**
 * What to do while nothing comes over our line although the server hears us: the voice is lost, words are not.
 * @param {{silentMs: number, socket: boolean, byHand: boolean}} facts
 * @returns {{ask?: Mode, open?: boolean}}
 */
export function withoutVoice({ silentMs, socket, byHand }) {
  if (!socket || silentMs < CHAT_OPENS_MS) return {};
  return silentMs >= CHAT_MOVES_MS && !byHand ? { ask: 'chat', open: true } : { open: true };
}

/** @typedef {Picture | 'voice' | 'chat'} Rung the steps of a picture, then voice alone, then chat */

/**
 * What a minute of each rung costs, both directions with all headers, in bytes: measured, speech with pauses,
 * and a tenth more.
 * @type {Readonly<Record<Rung, number>>}
 */
const A_MINUTE = Object.freeze({ full: 14.8e6, less: 5.7e6, small: 2.4e6, paused: 0.85e6, voice: 0.26e6, chat: 0.01e6 });
const RUNGS = /** @type {Rung[]} */ (Object.keys(A_MINUTE));
/** For how long the data is made to last when nobody knows when the session ends, and at most and at least. */
const LASTS_S = Object.freeze({ unknown: 600, most: 3600, least: 180 });
const STEP_EVERY_MS = 8000;
const UP_AFTER_MS = 60000;
/** A rung goes up again only when it is affordable with this much to spare. */
const SPARE = 1.5;
const RATE_OVER_MS = 60000;

/**
 * @typedef {object} Standing where a budget stands
 * @property {number} left bytes
 * @property {number} pace bytes a minute, over the last one
 * @property {number | null} minutes that the rest lasts at this pace, null when nothing flows
 * @property {Rung} rung the highest that can be afforded
 * @property {Rung | ''} soon the rung that is due within a minute, told before it comes
 */

/** What the session may cost this side's person, and what follows from it. */
export class Budget {
  /** @param {number | null} bytes null: no limit */
  constructor(bytes) {
    this.bytes = bytes;
    /** @type {{now: number, used: number}[]} */
    this.seen = [];
    /** @type {Rung} */
    this.rung = 'full';
    this.changedAt = -Infinity;
    this.toldOf = /** @type {Rung | ''} */ ('');
  }

  /** A new limit: decided anew at once. @param {number | null} bytes */
  set(bytes) {
    this.bytes = bytes;
    this.rung = 'full';
    this.changedAt = -Infinity;
    this.toldOf = '';
  }

  /**
   * @param {{now: number, used: number, present: Rung, endsInS: number | null}} facts `present`: the rung that is lived now
   * @returns {Standing}
   */
  look({ now, used, present, endsInS }) {
    const last = this.seen[this.seen.length - 1];
    if (!last || now - last.now >= 2000 || used < last.used) this.seen.push({ now, used });
    while (this.seen[0] && (now - this.seen[0].now > RATE_OVER_MS || this.seen[0].used > used)) this.seen.shift();
    const first = this.seen[0] ?? { now, used };
    const pace = now - first.now < 4000 ? 0 : (60000 * (used - first.used)) / (now - first.now);
    const left = this.bytes === null ? Infinity : Math.max(0, this.bytes - used);
    const lastsS = Math.max(LASTS_S.least, Math.min(LASTS_S.most, endsInS ?? LASTS_S.unknown));
    if (this.bytes === null) this.rung = 'full';
    else this.#step(left / (lastsS / 60), now);
    const soon = this.#soon(left, pace, lastsS, present);
    return { left, pace, minutes: pace > 0 ? left / pace : null, rung: this.rung, soon };
  }

  /** @param {number} perMinute what may be used each minute @param {number} now */
  #step(perMinute, now) {
    const at = RUNGS.indexOf(this.rung);
    const fits = RUNGS.findIndex((rung) => A_MINUTE[rung] <= perMinute);
    const to = fits < 0 ? RUNGS.length - 1 : fits;
    const since = now - this.changedAt;
    if (to > at && since >= STEP_EVERY_MS) this.#go(to, now);
    else if (to < at && since >= UP_AFTER_MS && A_MINUTE[RUNGS[at - 1] ?? 'full'] * SPARE <= perMinute) this.#go(at - 1, now);
  }

  /** @param {number} at @param {number} now */
  #go(at, now) {
    this.rung = RUNGS[at] ?? 'chat';
    this.changedAt = now;
  }

  /**
   * @param {number} left
   * @param {number} pace
   * @param {number} lastsS
   * @param {Rung} present
   * @returns {Rung | ''} each rung once
   */
  #soon(left, pace, lastsS, present) {
    const next = RUNGS[RUNGS.indexOf(this.rung) + 1];
    if (this.bytes === null || !next || next === this.toldOf || RUNGS.indexOf(present) >= RUNGS.indexOf(next)) return '';
    const until = (left - A_MINUTE[this.rung] * (lastsS / 60)) / Math.max(1, pace);
    if (pace <= 0 || until > 1) return '';
    this.toldOf = next;
    return next;
  }
}

/** What a rung means for pictures and for the session. @param {Rung} rung @returns {{picture: Picture, mode: Mode}} */
export function meaning(rung) {
  if (rung === 'voice' || rung === 'chat') return { picture: 'paused', mode: rung };
  return { picture: rung, mode: 'video' };
}

/** Whether one mode costs less than another. @param {Mode} one @param {Mode} other */
export const below = (one, other) => MODES.indexOf(one) > MODES.indexOf(other);
