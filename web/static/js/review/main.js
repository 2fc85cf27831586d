// @ts-check
/**
 * @file The page on which a recording is reviewed: controls, keyboard, the timeline, and comments that are kept
 * without leaving the page.
 */

import { makePlayer } from "./player.js";
import { say } from "./step.js";
import { watch } from "./watched.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const NEAR_MS = 4000;
const DRAW_MS = 200;
const WIDTH = 1000;

const box = /** @type {HTMLElement} */ (document.querySelector("[data-player]"));
const length = Number(box.dataset.length);
const waits = /** @type {HTMLElement} */ (box.querySelector("[data-waits]"));
const seek = /** @type {HTMLInputElement} */ (box.querySelector("[data-seek]"));
const clock = /** @type {HTMLElement} */ (box.querySelector("[data-position]"));
const speed = /** @type {HTMLSelectElement} */ (box.querySelector("[data-speed]"));
const toggle = /** @type {HTMLButtonElement} */ (box.querySelector("[data-do=toggle]"));
const sides = [...box.querySelectorAll("video")];

const player = makePlayer(sides, length, (state) => {
  box.dataset.state = state;
  const said = { waiting: waits.dataset.loading, over: waits.dataset.ended, broken: waits.dataset.broken };
  waits.textContent = state === "paused" || state === "playing" ? "" : (said[state] ?? "");
  toggle.textContent = (state === "playing" || state === "waiting" ? toggle.dataset.pause : toggle.dataset.play) ?? "";
  if (state === "playing") watched.begin();
  else watched.flush();
  if (state === "broken") watched.ask();
  if (state === "over") {
    for (const one of box.querySelectorAll("button, input, select")) one.setAttribute("disabled", "");
    document.querySelector("[data-comments]")?.replaceChildren();
  }
});
const watched = watch(
  String(box.dataset.player),
  () => ({ ms: player.positionMs(), playing: player.state() === "playing" }),
  () => player.end(),
  (yes) => {
    box.toggleAttribute("data-dark", !yes);
    player.hold(!yes);
  },
);
// Whatever the network does; a moment before, so that what was played last is still told.
setTimeout(() => player.end(), Math.max(0, Number(box.dataset.left) - 1000));

/** @param {number} ms */
function go(ms) {
  watched.leave();
  player.seek(ms);
  draw();
  if (player.state() === "playing") watched.begin();
}

const turn = () => (player.state() === "paused" || player.state() === "broken" ? player.play() : player.pause());

/** @param {number} by how many speeds up or down */
function hasten(by) {
  const at = SPEEDS.indexOf(Number(speed.value)) + by;
  speed.value = String(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))]);
  player.hasten(Number(speed.value));
}

/** Stop here and write what there is to say of this moment. */
function comment() {
  player.pause();
  const form = document.querySelector("[data-comment-form]");
  const at = /** @type {HTMLInputElement | null} */ (form?.querySelector("[name=at]") ?? null);
  if (at) at.value = say(player.positionMs());
  /** @type {HTMLElement | null} */ (form?.querySelector("textarea") ?? null)?.focus();
}

const moments = () =>
  [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-comments] [data-go]"))].map((one) =>
    Number(one.dataset.go),
  );

/** @param {1 | -1} way */
function toComment(way) {
  const here = player.positionMs();
  const found = moments().filter((ms) => (way > 0 ? ms > here + 500 : ms < here - 1500));
  const ms = way > 0 ? found[0] : found[found.length - 1];
  if (ms !== undefined) go(ms);
}

function draw() {
  const ms = player.positionMs();
  const said = say(ms);
  clock.textContent = said;
  if (document.activeElement !== seek || player.state() === "playing") seek.value = String(ms);
  seek.setAttribute("aria-valuetext", said);
  const x = String((WIDTH * ms) / Math.max(1, length));
  for (const one of box.querySelectorAll("[data-playhead]")) one.setAttribute("x", x);
  for (const one of document.querySelectorAll("[data-comments] li")) {
    const at = /** @type {HTMLElement | null} */ (one.querySelector("[data-go]"));
    one.classList.toggle("now", at !== null && ms >= Number(at.dataset.go) && ms < Number(at.dataset.go) + NEAR_MS);
  }
}
setInterval(draw, DRAW_MS);

/** @type {Record<string, () => void>} */
const DO = {
  toggle: turn,
  back: () => go(player.positionMs() - 10_000),
  forward: () => go(player.positionMs() + 10_000),
  comment,
};
/** @type {Record<string, () => void>} */
const KEYS = {
  " ": turn,
  k: turn,
  ArrowLeft: () => go(player.positionMs() - 5000),
  ArrowRight: () => go(player.positionMs() + 5000),
  j: () => go(player.positionMs() - 10_000),
  l: () => go(player.positionMs() + 10_000),
  ",": () => hasten(-1),
  ".": () => hasten(1),
  "[": () => toComment(-1),
  "]": () => toComment(1),
  c: comment,
};

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  const one = /** @type {HTMLElement | null} */ (at?.closest("[data-do], [data-go]") ?? null);
  if (one?.dataset.do) DO[one.dataset.do]?.();
  else if (one?.dataset.go) go(Number(one.dataset.go));
  else if (at?.closest("figure video")) turn();
  else {
    const lane = at?.closest("[data-timeline] .lane-shapes");
    if (!lane || !(event instanceof MouseEvent)) return;
    const where = lane.getBoundingClientRect();
    go((length * (event.clientX - where.left)) / where.width);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || player.state() === "over") return;
  const at = event.target instanceof HTMLElement ? event.target : null;
  if (at?.closest("input, textarea, select")) return;
  if (event.key === " " && at?.closest("button, a, summary")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
seek.addEventListener("input", () => go(Number(seek.value)));
speed.addEventListener("change", () => player.hasten(Number(speed.value)));
for (const one of sides) {
  one.addEventListener("loadedmetadata", () => {
    const words = /** @type {HTMLElement | null} */ (one.parentElement?.querySelector(".voice-only") ?? null);
    if (words) words.hidden = one.videoWidth > 0;
  });
  one.addEventListener("contextmenu", (event) => event.preventDefault());
}

/**
 * Send a form of the comments and put what the page says now in the place of what it said: the player plays on.
 * Where it does not get through, what was typed stays.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} by
 */
async function keep(form, by) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form, by)) fields.append(name, String(value));
  const told = /** @type {HTMLElement} */ (document.querySelector("[data-told]"));
  const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html" } }).catch(
    () => null,
  );
  if (answer && [401, 403, 404].includes(answer.status)) {
    player.end();
    return;
  }
  if (!answer || (!answer.ok && answer.status !== 422)) {
    told.textContent = told.dataset.unsent ?? "";
    return;
  }
  const there = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const place of ["#said", "[data-marks]"]) {
    const now = there.querySelector(place);
    const here = document.querySelector(place);
    if (now && here) here.replaceChildren(...now.childNodes);
  }
  told.textContent = there.querySelector(".done[role=status]")?.textContent ?? "";
  const wrong = /** @type {HTMLElement | null} */ (document.querySelector("#said #wrong"));
  (wrong ?? toggle).focus();
  draw();
}
document.addEventListener("submit", (event) => {
  const form = event.target instanceof HTMLFormElement ? event.target : null;
  if (!form?.closest("#said")) return;
  event.preventDefault();
  void keep(form, event.submitter);
});
