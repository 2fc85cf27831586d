// @ts-check
/**
 * @file How two players stay in step: the one that leads goes at the chosen speed, the other a little faster or
 * slower until it is beside it. A jump is heard, so it is for what a nudge would take too long for. Pure.
 */

/** Nearer than this nobody hears or sees a difference, and the speed is left alone. */
export const NEAR_S = 0.008;
/** Farther than this is jumped. */
export const FAR_S = 0.5;
/** A voice that is this much faster still sounds like itself. */
const MOST = 0.1;
/** How much of a distance is made up in a second. */
const GAIN = 1.5;

/**
 * Say how the other is to go on.
 * @param {number} aheadS by how much it is ahead of who leads; below zero it is behind
 * @param {number} speed the chosen speed
 * @returns {{speed: number, jump: boolean}}
 */
export function nudge(aheadS, speed) {
  if (Math.abs(aheadS) > FAR_S) return { speed, jump: true };
  if (Math.abs(aheadS) < NEAR_S) return { speed, jump: false };
  const by = Math.max(-MOST, Math.min(MOST, GAIN * aheadS));
  return { speed: speed * (1 - by), jump: false };
}

/**
 * Write a moment as minutes and seconds, as the server does.
 * @param {number} ms
 */
export function say(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
