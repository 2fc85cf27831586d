// @ts-check
/**
 * @file Silence and coming back. `Line` decides from what was counted: the selected candidate pair's bytes are our own
 * line (the server sends at least every 400 ms while both are connected), inbound RTP is the other person's.
 */

/** How long nothing may arrive before the line counts as broken, in ms. */
export const SILENT_MS = 950;
/** The same for the other person's packets, in ms: in a pause one comes every 400 ms, and two in a row may be lost. */
export const OTHER_SILENT_MS = 1400;
/** The same while nobody else is there: the server then sends only every 5 s. */
export const IDLE_SILENT_MS = 13000;
/** Nothing for this long, and the line is looked at more often, in ms. */
export const DOUBTED_MS = 500;
/** When ICE is restarted after the last sign of life, in ms; afterwards every RESTART_EVERY_MS. */
export const RESTARTS_MS = [2000, 5000];
export const RESTART_EVERY_MS = 10000;
/** The socket answered for so long while this path was silent: the network is there, and only this path is dead, in ms. */
export const REACHED_MS = 400;
/** On TCP, where UDP worked before, it is looked for again after so long, in ms; then half as often each time. */
export const UDP_AGAIN_MS = 15000;
export const UDP_AGAIN_MOST_MS = 300000;
/** In this time after a return both directions must have carried something, in ms. */
export const VERIFY_MS = 3000;
/** The other side reports what it hears of our sound each 5 s or so (RFC 3550, 6.2); two reports may be lost, in ms. */
export const REPORTED_MS = 15000;

/**
 * One look at the counters.
 * @typedef {object} Look
 * @property {number} now ms, monotonic
 * @property {number | null} received bytes that came over the selected pair; null when there is none
 * @property {number} echoed checks the server answered: our packets reach it
 * @property {number} heard RTP packets from the other side
 * @property {boolean} [sending] our sound may leave this device
 * @property {number} [sent] RTP packets of our sound
 * @property {number} [reported] when the other side last reported of our sound, 0 for never
 * @property {number} [answeredAt] when the session's socket last said something, ms, monotonic
 * @property {boolean} [tcp] the pair is over TCP: each lost packet holds up those behind it
 * @property {boolean} paired the other person is `connected`
 * @property {boolean} speaking the other person says it is sending
 */

/**
 * @typedef {object} Verdict
 * @property {'ok'|'silent'} own
 * @property {'ok'|'silent'} other
 * @property {boolean} restart ask for new ICE credentials now
 * @property {boolean} fresh ask for a whole new leg now: a direction stayed silent after a return, or only this path is
 *   dead (a browser holds on to a UDP pair for 2.5 s and more after its last packet, whatever ICE is asked for)
 * @property {boolean} ask ask the socket whether the server hears us
 * @property {number} silentMs since the last byte on our own line
 * @property {boolean} doubted something is missing: look again soon
 */

/**
 * What was counted when the line came back, and by when more must have been.
 * @typedef {{at: number, by: number, heard: number, echoed: number, sent: number, reported: number, tries: number}} Proof
 */

export class Line {
  /** @param {number} now */
  constructor(now) {
    /** @type {number | null} */
    this.received = null;
    this.heard = 0;
    this.echoed = 0;
    this.aliveAt = now;
    this.heardAt = now;
    /** @type {'ok'|'silent'} */
    this.own = 'ok';
    this.restarts = 0;
    /** @type {number | null} */
    this.reachedAt = null;
    this.paired = false;
    this.changed = false;
    /** @type {Proof | null} */
    this.proof = null;
    /** UDP carried this call before. */
    this.udp = false;
    this.udpWaitMs = UDP_AGAIN_MS;
    /** @type {number | null} */
    this.udpAt = null;
  }

  /**
   * A new leg: nothing has been counted on it.
   * @param {number} now
   */
  reset(now) {
    const { udp, udpWaitMs, udpAt } = this;
    Object.assign(this, new Line(now), { udp, udpWaitMs, udpAt });
  }

  /** The network changed under us: do not wait before the restart. */
  networkChanged() {
    this.changed = true;
  }

  /** A restart was asked for: the change of network has been answered. */
  restarted() {
    this.changed = false;
  }

  /**
   * @param {Look} look
   * @returns {Verdict}
   */
  look({ now, received, echoed, heard, paired, speaking, sending = false, sent = 0, reported = 0, answeredAt = -Infinity, tcp = false }) {
    if (paired && !this.paired) {
      this.aliveAt = Math.max(this.aliveAt, now);
      this.heardAt = now;
    }
    this.paired = paired;
    const moved = received !== null && received !== this.received;
    if (moved) this.aliveAt = now;
    if (heard !== this.heard || !speaking || !paired) this.heardAt = now;
    this.received = received;
    this.heard = heard;

    const silentMs = now - this.aliveAt;
    const before = this.own;
    this.own = silentMs > (paired ? SILENT_MS : IDLE_SILENT_MS) ? 'silent' : 'ok';
    if (before === 'silent' && this.own === 'ok') {
      this.restarts = 0;
      this.proof = { at: now, by: now + VERIFY_MS, heard, echoed, sent, reported, tries: this.proof?.tries ?? 0 };
    }
    const doubted = paired && (silentMs > DOUBTED_MS || now - this.heardAt > DOUBTED_MS);
    const ask = this.own === 'silent' && this.restarts === 0;
    const verdict = { own: this.own, other: this.#other(now), restart: false, fresh: false, ask, silentMs, doubted };
    if (this.own !== 'silent') this.reachedAt = null;
    if (this.own === 'silent' && this.#deadAlone(paired, answeredAt)) verdict.fresh = true;
    else if (this.own === 'silent') verdict.restart = this.#due(silentMs);
    else if (this.changed) verdict.restart = true;
    else verdict.fresh = this.#unproved({ now, echoed, heard, speaking: paired && speaking, sending: paired && sending, sent, reported });
    if (this.own === 'ok' && moved && this.#udpIsDue(now, tcp)) verdict.restart = true;
    this.echoed = echoed;
    if (verdict.restart) this.restarted();
    return verdict;
  }

  /** @param {number} now @returns {'ok'|'silent'} */
  #other(now) {
    return this.own === 'ok' && now - this.heardAt > OTHER_SILENT_MS ? 'silent' : 'ok';
  }

  /**
   * Whether the socket goes on answering while this path is silent; said once, and not after a restart.
   * @param {boolean} paired
   * @param {number} answeredAt
   */
  #deadAlone(paired, answeredAt) {
    if (!paired || this.restarts > 0 || answeredAt <= this.aliveAt + DOUBTED_MS) return false;
    this.reachedAt ??= answeredAt;
    if (answeredAt - this.reachedAt < REACHED_MS) return false;
    this.restarts = 1;
    return true;
  }

  /**
   * Whether UDP is to be looked for: a browser gives its pairs up while they do not answer, and tries them no more.
   * @param {number} now
   * @param {boolean} tcp
   */
  #udpIsDue(now, tcp) {
    if (!tcp) {
      this.udp = true;
      this.udpWaitMs = UDP_AGAIN_MS;
      this.udpAt = null;
      return false;
    }
    if (!this.udp) return false;
    this.udpAt ??= now + this.udpWaitMs;
    if (now < this.udpAt) return false;
    this.udpWaitMs = Math.min(2 * this.udpWaitMs, UDP_AGAIN_MOST_MS);
    this.udpAt = now + this.udpWaitMs;
    return true;
  }

  /** @param {number} silentMs */
  #due(silentMs) {
    const last = RESTARTS_MS[RESTARTS_MS.length - 1] ?? 0;
    const at = RESTARTS_MS[this.restarts] ?? last + RESTART_EVERY_MS * (this.restarts - RESTARTS_MS.length + 1);
    if (this.changed) return true;
    if (silentMs < at) return false;
    this.restarts += 1;
    return true;
  }

  /** @param {{now: number, echoed: number, heard: number, speaking: boolean, sending: boolean, sent: number, reported: number}} look */
  #unproved({ now, echoed, heard, speaking, sending, sent, reported }) {
    const proof = this.proof;
    if (!proof) return false;
    const out = echoed > proof.echoed && (sent > proof.sent || !sending);
    const back = heard > proof.heard || !speaking;
    // That they hear us only they can say. Who reported nothing before is not waited for.
    const arrives = !sending || proof.reported === 0 || reported !== proof.reported;
    if (out && back && arrives) this.proof = null;
    if (!this.proof || now < (out && back ? proof.at + REPORTED_MS : proof.by + 3000 * Number(!out && !back))) return false;
    // Silent in one direction: a new leg, at most twice in a row.
    this.proof = proof.tries < 2 ? { ...proof, at: now, by: now + 2 * VERIFY_MS, tries: proof.tries + 1 } : null;
    return this.proof !== null;
  }
}

/**
 * The counters of `Look` in one statistics report.
 * @param {RTCStatsReport} report
 */
export function count(report) {
  /** @type {Record<string, any> | undefined} */
  let pair;
  let heard = 0;
  let sent = 0;
  let reported = 0;
  let selected = '';
  report.forEach((entry) => {
    if (entry.type === 'outbound-rtp' && entry.kind === 'audio') sent += entry.packetsSent ?? 0;
    if (entry.type === 'remote-inbound-rtp' && entry.kind === 'audio') reported = Math.max(reported, entry.timestamp ?? 0);
    if (entry.type === 'transport' && entry.selectedCandidatePairId) selected = entry.selectedCandidatePairId;
    if (entry.type === 'inbound-rtp') heard += entry.packetsReceived ?? 0;
  });
  // Chromium names the pair in the transport, Firefox marks the pair itself.
  report.forEach((entry) => {
    if (entry.type !== 'candidate-pair') return;
    if (selected ? entry.id === selected : entry.selected === true) pair = entry;
    else if (!pair && entry.nominated && entry.state === 'succeeded') pair = entry;
  });
  // With the pair's name in the number a move to another pair counts as life.
  return {
    received: pair ? Number(pair.bytesReceived ?? 0) + Number(pair.responsesReceived ?? 0) : null,
    echoed: Number(pair?.responsesReceived ?? 0),
    heard,
    sent,
    reported,
    tcp: pair !== undefined && report.get(pair.localCandidateId)?.protocol === 'tcp',
    pair,
  };
}
