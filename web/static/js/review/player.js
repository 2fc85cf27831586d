// @ts-check
/**
 * @file Plays both sides of a recording as one. What is wished (to play or not) and what is possible (both have
 * enough) are kept apart: when one side has to wait, the other waits with it.
 *
 *     paused ── play ──> waiting ── both ready ──> playing ── one waits, or a jump ──> waiting
 *       any ── leave has ended ──> over            any ── a file does not play ──> broken
 */

import { nudge } from "./step.js";

/** @typedef {"paused" | "waiting" | "playing" | "over" | "broken"} State */

const LOOK_MS = 100;
const ENOUGH = HTMLMediaElement.HAVE_FUTURE_DATA;
/** The last of a side may be a frame short of its duration. */
const END_S = 0.05;

/**
 * @param {HTMLVideoElement[]} sides
 * @param {number} lengthMs
 * @param {(state: State) => void} told
 */
export function makePlayer(sides, lengthMs, told) {
  /** @type {State} */
  let state = "paused";
  let wished = false;
  let held = false;
  let speed = 1;

  /** @param {State} next */
  const become = (next) => {
    if (next === state || state === "over") return;
    state = next;
    told(state);
  };

  /** @param {HTMLVideoElement} one */
  const atEnd = (one) => one.ended || (one.duration > 0 && one.currentTime >= one.duration - END_S);
  const going = () => sides.filter((one) => !atEnd(one));
  /** Who leads: the side that is there longest. */
  const leader = () => going().sort((a, b) => (b.duration || 0) - (a.duration || 0))[0] ?? sides[0];

  const positionMs = () => {
    const one = leader();
    return one ? Math.min(lengthMs, Math.round(one.currentTime * 1000)) : 0;
  };

  const rest = () => sides.forEach((one) => one.pause());

  const look = () => {
    if (state === "over" || state === "broken" || !wished) return;
    const active = going();
    if (!active.length) {
      wished = false;
      become("paused");
      return;
    }
    if (held || active.some((one) => one.seeking || one.readyState < ENOUGH)) {
      rest();
      become("waiting");
      return;
    }
    for (const one of active) if (one.paused) one.play().catch(() => undefined);
    become("playing");
    const first = leader();
    for (const one of active) {
      if (one === first || !first) {
        one.playbackRate = speed;
        continue;
      }
      const next = nudge(one.currentTime - first.currentTime, speed);
      if (next.jump) one.currentTime = first.currentTime;
      one.playbackRate = next.speed;
    }
  };
  setInterval(look, LOOK_MS);

  for (const one of sides) {
    one.addEventListener("waiting", look);
    one.addEventListener("canplay", look);
    one.addEventListener("error", () => {
      if (!one.hasAttribute("src")) return;
      rest();
      wished = false;
      become("broken");
    });
    one.src = String(one.dataset.src);
  }

  return {
    positionMs,
    state: () => state,
    play() {
      wished = true;
      if (positionMs() >= lengthMs - END_S * 1000) this.seek(0);
      look();
    },
    pause() {
      wished = false;
      rest();
      if (state !== "broken") become("paused");
    },
    /** @param {number} ms */
    seek(ms) {
      const to = Math.max(0, Math.min(lengthMs, ms)) / 1000;
      for (const one of sides) one.currentTime = Math.min(to, one.duration || to);
      look();
    },
    /** @param {number} next */
    hasten(next) {
      speed = next;
      sides.forEach((one) => (one.playbackRate = next));
    },
    /** Play nothing while nobody knows whether leave to play it stands; then on as before. @param {boolean} now */
    hold(now) {
      held = now;
      look();
    },
    /** Leave to play it has ended: nothing of it stays in the page. */
    end() {
      this.pause();
      become("over");
      for (const one of sides) {
        one.removeAttribute("src");
        one.load();
      }
    },
  };
}

/** @typedef {ReturnType<typeof makePlayer>} Player */
