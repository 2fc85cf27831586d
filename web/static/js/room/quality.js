// @ts-check
/** @file The browser's own view of the line, as the `quality` message tells it, and the words of the pill. */

import { t } from './i18n.js';

/** How often a report goes out, in ms. */
export const REPORT_MS = Object.freeze({ video: 2000, voice: 10000 });

/** @typedef {Record<string, any>} Stat */

const NETWORKS = new Set(['wifi', 'cellular', 'ethernet']);

/** Makes reports out of statistics; remembers the last one, because rates are means since then. */
export class Reports {
  constructor() {
    /** @type {Map<string, {concealed: number, samples: number, delay: number, emitted: number}>} */
    this.last = new Map();
  }

  /**
   * @param {RTCStatsReport} report
   * @param {Stat | undefined} pair the selected candidate pair
   * @param {string} leg
   */
  make(report, pair, leg) {
    /** @type {object[]} */
    const inbound = [];
    /** @type {object[]} */
    const outbound = [];
    report.forEach((stat) => {
      if (stat.type === 'inbound-rtp') inbound.push(known(this.#inbound(stat)));
      if (stat.type === 'outbound-rtp' && stat.packetsSent) outbound.push(known(outboundOf(stat)));
    });
    const local = pair ? /** @type {Stat | undefined} */ (report.get(pair.localCandidateId)) : undefined;
    const network = /** @type {any} */ (navigator).connection?.type ?? local?.networkType;
    return {
      leg,
      at: new Date().toISOString(),
      rtt_ms: pair?.currentRoundTripTime === undefined ? null : Math.round(1000 * pair.currentRoundTripTime),
      available_kbps: pair?.availableOutgoingBitrate ? Math.round(pair.availableOutgoingBitrate / 1000) : null,
      candidate: local
        ? { protocol: local.protocol ?? 'udp', type: local.candidateType ?? 'host', network: NETWORKS.has(network) ? network : 'unknown' }
        : null,
      inbound,
      outbound,
    };
  }

  /** @param {Stat} stat */
  #inbound(stat) {
    const now = {
      concealed: stat.concealedSamples ?? 0,
      samples: stat.totalSamplesReceived ?? 0,
      delay: stat.jitterBufferDelay ?? 0,
      emitted: stat.jitterBufferEmittedCount ?? 0,
    };
    const before = this.last.get(stat.id) ?? { concealed: 0, samples: 0, delay: 0, emitted: 0 };
    this.last.set(stat.id, now);
    const samples = now.samples - before.samples;
    const emitted = now.emitted - before.emitted;
    return {
      kind: stat.kind,
      lost: Math.max(0, stat.packetsLost ?? 0),
      received: stat.packetsReceived ?? 0,
      bytes: stat.bytesReceived ?? 0,
      freezes: stat.freezeCount ?? 0,
      freeze_ms: Math.round(1000 * (stat.totalFreezesDuration ?? 0)),
      concealed_pct: samples > 0 ? Math.min(100, Math.max(0, Math.round((1000 * (now.concealed - before.concealed)) / samples) / 10)) : 0,
      jitter_ms: Math.round(1000 * (stat.jitter ?? 0)),
      buffer_ms: emitted > 0 ? Math.round((1000 * (now.delay - before.delay)) / emitted) : null,
      fps: stat.framesPerSecond === undefined ? null : Math.round(stat.framesPerSecond),
      width: stat.frameWidth ?? null,
      height: stat.frameHeight ?? null,
    };
  }
}

/** @param {Stat} stat */
const outboundOf = (stat) => ({
  kind: stat.kind,
  sent: stat.packetsSent ?? 0,
  bytes: stat.bytesSent ?? 0,
  retransmitted: stat.retransmittedPacketsSent ?? 0,
  target_kbps: stat.targetBitrate ? Math.round(stat.targetBitrate / 1000) : null,
  limited: stat.qualityLimitationReason ?? 'none',
  fps: stat.framesPerSecond === undefined ? null : Math.round(stat.framesPerSecond),
  width: stat.frameWidth ?? null,
  height: stat.frameHeight ?? null,
});

/**
 * Leaves out what is not known (an unknown value is null, and so is one that is left out): each byte is paid for.
 * @param {object} values
 */
const known = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));

/**
 * What this leg cost so far, when the server has not said: both directions, a header of 28 bytes for each packet.
 * @param {Stat | undefined} pair
 */
export function costOf(pair) {
  if (!pair) return 0;
  const packets = (pair.packetsSent ?? 0) + (pair.packetsReceived ?? 0);
  return (pair.bytesSent ?? 0) + (pair.bytesReceived ?? 0) + 28 * packets;
}

/**
 * The pill: which words, and which of its colours.
 * @param {object} facts
 * @param {import('./state.js').State} facts.state
 * @param {boolean} facts.socket
 * @param {boolean} facts.own whether our own line carries
 * @param {string} [facts.mine] the server's grade of our line
 * @param {string} [facts.theirs]
 * @returns {{grade: 'none'|'good'|'weak'|'lost', words: string}}
 */
export function pill({ state, socket, own, mine, theirs }) {
  if (state === 'joining') return { grade: 'none', words: t('pill.starting') };
  // Without the socket sound and picture go on: a word of a broken line would be untrue.
  if (!socket && own && state === 'connected') return { grade: 'weak', words: t('pill.goes_on') };
  if (!socket || (state === 'interrupted' && !own)) return { grade: 'lost', words: t('pill.reconnecting') };
  if (state === 'interrupted') return { grade: 'weak', words: t('pill.theirs_lost') };
  if (state === 'waiting') return { grade: 'none', words: t('pill.ready') };
  if (mine === 'poor' || mine === 'lost') return { grade: 'weak', words: t('pill.mine_weak') };
  if (theirs === 'poor' || theirs === 'lost') return { grade: 'weak', words: t('pill.theirs_weak') };
  if (mine === 'fair' || theirs === 'fair') return { grade: 'good', words: t('pill.fair') };
  return { grade: 'good', words: t('pill.good') };
}
