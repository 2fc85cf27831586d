// @ts-check
/**
 * @file The lines of a call, looked at again and again: which of them is silent and since when, what the server is asked
 * for then, and what it is told of them.
 */

import { REPORT_MS, Reports, costOf } from './quality.js';
import { Line, REACHED_MS, count } from './recovery.js';

/** How often the line is looked at, in ms; while something is missing more often. */
const LOOK_MS = 200;
const LOOK_CLOSER_MS = 60;
const CLOSER_FOR_MS = 15000;
/** The server hears one wish of each for a restart in two seconds, in ms. */
const RESTART_AGAIN_MS = 2050;
/** In voice the server says each 10 s how the lines are: with 2 s a beat no ping is due before that. */
const QUIET_BEATS = 6;

export class Watch {
  /** @param {import('./call.js').Call} call */
  constructor(call) {
    this.call = call;
    /** Our own line, and the other person's. */
    this.own = /** @type {'ok'|'silent'} */ ('ok');
    this.their = /** @type {'ok'|'silent'} */ ('ok');
    /** What the line has cost so far, as this browser counts it. */
    this.bytes = 0;
    /** Since when nothing has come over our line, over all legs, ms, monotonic. */
    this.lostAt = /** @type {number | null} */ (null);
    this.restartedAt = -Infinity;
    this.reportedAt = 0;
    this.reports = new Reports();
    this.line = new Line(performance.now());
    this.networkChanged = () => {
      this.line.networkChanged();
      void this.#look();
    };
    window.addEventListener('online', this.networkChanged);
    this.network = /** @type {any} */ (navigator).connection?.type;
    this.timer = window.setTimeout(() => void this.#again(), LOOK_MS);
  }

  async #again() {
    const closer = await this.#look();
    if (!this.call.over) this.timer = window.setTimeout(() => void this.#again(), closer ? LOOK_CLOSER_MS : LOOK_MS);
  }

  /** @returns {Promise<boolean>} whether to look again soon */
  async #look() {
    const { call } = this;
    if (call.over) return false;
    // The event `change` also comes for each new estimate of the speed; only another kind of network counts.
    const network = /** @type {any} */ (navigator).connection?.type;
    if (network !== this.network && network !== 'none') {
      this.network = network;
      this.line.networkChanged();
    }
    const now = performance.now();
    const { peer, signal, steps } = call;
    const report = peer.pc && (await peer.stats());
    if (call.over) return false;
    const paired = call.other.state === 'connected';
    const { mode } = call.options.state;
    let silentMs = 0;
    let closer = false;
    if (report && mode !== 'chat') {
      const counted = count(report);
      const { media } = call.other;
      const speaking = Boolean(media && (media.audio || (mode === 'video' && media.video)));
      const verdict = this.line.look({ now, ...counted, paired, speaking, sending: peer.sends, answeredAt: call.socket ? signal.heardAt : -Infinity });
      closer = verdict.doubted && verdict.silentMs < CLOSER_FOR_MS;
      if (verdict.ask && now - signal.pingedAt > REACHED_MS) signal.probe();
      this.own = verdict.own;
      this.their = verdict.other;
      // After a cut the socket is back first: the voice is lost only when it stays away although the server hears us.
      if (this.own === 'silent') this.lostAt ??= now - verdict.silentMs;
      else if (peer.pc?.connectionState === 'connected') this.lostAt = null; // A fresh leg alone is no voice yet.
      if (this.lostAt !== null) silentMs = Math.min(now - this.lostAt, now - call.openedAt);
      if (verdict.fresh) this.restart(true);
      else if (verdict.restart) this.restart(false);
      this.bytes = Math.max(this.bytes, costOf(counted.pair));
      this.#report(now, mode, report, counted.pair);
    } else {
      this.lostAt = null;
      this.own = mode === 'chat' && !call.socket ? 'silent' : 'ok';
      this.their = 'ok';
    }
    const endsInS = call.endsAt === null ? null : (call.endsAt - Date.now() - signal.skewMs) / 1000;
    steps.look({ now, used: Math.max(call.bytes, this.bytes), endsInS, silentMs, socket: call.socket });
    signal.suspect = mode !== 'chat' && this.own === 'silent';
    signal.pingEvery = mode === 'voice' && paired && this.own === 'ok' ? QUIET_BEATS : 1;
    call.update();
    return closer;
  }

  /**
   * @param {number} now
   * @param {'video' | 'voice'} mode
   * @param {RTCStatsReport} report
   * @param {Record<string, any> | undefined} pair
   */
  #report(now, mode, report, pair) {
    const { leg } = this.call.peer;
    if (now - this.reportedAt < REPORT_MS[mode] || !pair || !leg) return;
    this.reportedAt = now;
    this.call.signal.tell('quality', this.reports.make(report, pair, leg));
  }

  /** What made a line better or worse is told while it is there. */
  reportSoon() {
    this.reportedAt = -Infinity;
  }

  /** An offer for a new leg came: what was counted of the old one says nothing of it. */
  newLeg() {
    this.line.reset(performance.now());
  }

  /** The session's socket is open again. */
  opened() {
    if (this.own === 'silent') this.restart(false);
  }

  /** @param {boolean} fresh a whole new leg, not only other ICE credentials */
  restart(fresh) {
    const now = performance.now();
    const { call } = this;
    if (!call.socket || call.over || now - this.restartedAt < RESTART_AGAIN_MS) return;
    this.restartedAt = now;
    void call.signal.request('restart', fresh ? { fresh } : {}).catch(() => undefined);
  }

  /** The person asks for another try. */
  tryAgain() {
    this.line.restarted();
    this.restart(false);
  }

  /** Idempotent. */
  close() {
    window.clearTimeout(this.timer);
    window.removeEventListener('online', this.networkChanged);
  }
}
