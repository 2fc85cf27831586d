// @ts-check
/** @file What a line is good for. Decides only. */

/**
 * What was measured: round trip of the chosen path, share of packets that did not come back, what came back, and what
 * the browser's congestion control would send over this line (null where it does not say). A slow device sends less
 * than its line could carry, which is not the line's fault.
 * @typedef {{rttMs: number, lossPct: number, kbps: number, estimateKbps: number | null, tcp: boolean}} Line
 * @typedef {'video' | 'voice' | 'chat' | 'none'} Advice
 */

/** Voice asks for some 24 kbit/s and its headers; a picture that helps, for 250 and more. */
export const NEEDS = Object.freeze({
  video: { kbps: 250, lossPct: 5, rttMs: 500 },
  voice: { kbps: 40, lossPct: 15, rttMs: 1000 },
});

/**
 * Say what this line is good for; null is a line over which nothing came back.
 * @param {Line | null} line
 * @returns {Advice}
 */
export function advise(line) {
  if (line === null || line.kbps === 0) return 'none';
  const kbps = Math.max(line.kbps, line.estimateKbps ?? 0);
  for (const medium of /** @type {const} */ (['video', 'voice'])) {
    const needs = NEEDS[medium];
    if (kbps >= needs.kbps && line.lossPct <= needs.lossPct && line.rttMs <= needs.rttMs) return medium;
  }
  return 'chat';
}
