/**
 * The line, live: the page of who waits, a counselor's desk, and the bar on what is read meanwhile.
 *
 * The server says over `/api/v1/line` that something changed for this person; the page is then asked for
 * again and what changed in it is put in place, so that it has one source, with script and without. The open
 * socket is the sign of life. While it cannot be opened, the page is asked for every `ASK_MS`.
 */

/** @typedef {{type: string, state?: string, go?: string|null}} News */

const ASK_MS = 15000;
const PRESS_MS = 400;
const FIRST_MS = 1000;
const MOST_MS = 15000;
const TONE_HZ = 523;
const TONE_S = 0.9;

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const bar = /** @type {HTMLElement|null} */ (document.querySelector("[data-line-bar]"));
const title = document.title;

/** @type {WebSocket|null} */
let socket = null;
let waitMs = FIRST_MS;
let over = false;
let again = 0;
/** A finger is down: what is under it stays until it is up. */
let pressed = false;
/** A form is on its way: its answer says what is so. */
let sent = false;
let heardAt = 0;
/** @type {AudioContext|null} */
let sound = null;

/** @returns {HTMLElement|null} */
const line = () => document.querySelector("[data-line]");

function connect() {
  clearTimeout(again);
  if (over || socket) return;
  const url = new URL("/api/v1/line", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new WebSocket(url);
  socket.addEventListener("message", (event) => {
    waitMs = FIRST_MS;
    heardAt = Date.now();
    hear(String(event.data));
  });
  socket.addEventListener("close", () => {
    socket = null;
    again = setTimeout(connect, waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, MOST_MS);
  });
}

/** @param {string} text */
function hear(text) {
  /** @type {News} */
  const news = JSON.parse(text);
  if (news.type !== "line") return;
  if (bar && news.state === "none") {
    over = true;
    socket?.close();
  }
  if (bar && news.go) {
    const way = /** @type {HTMLAnchorElement} */ (bar.querySelector("a"));
    way.href = news.go;
    bar.hidden = false;
  }
  const here = line();
  if (here && JSON.stringify(news) !== JSON.stringify(JSON.parse(here.dataset.line || "null"))) void renew();
}

/** Ask for this page again and put what it says now in the place of what it said. */
async function renew() {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store" });
  } catch {
    return;
  }
  while (pressed) await new Promise((done) => setTimeout(done, PRESS_MS));
  if (over) return;
  if (sent) {
    setTimeout(renew, ASK_MS);
    return;
  }
  if (answer.redirected) {
    location.replace(answer.url);
    return;
  }
  if (!answer.ok) return;
  const there = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = /** @type {HTMLElement|null} */ (there.querySelector("[data-line]"));
  const here = line();
  if (!now || !here) return;
  const inside = here.contains(document.activeElement);
  const talked = here.querySelector("[data-talk]") !== null;
  here.replaceChildren(...now.childNodes);
  for (const name of ["line", "go"]) here.dataset[name] = now.dataset[name] ?? "";
  around(here, now);
  if (inside) /** @type {HTMLElement|null} */ (here.querySelector("h1, h2[tabindex]"))?.focus({ preventScroll: true });
  look();
  if (!talked && here.querySelector("[data-talk]")) ring();
}

/** What somebody may just be using is left as it is. @param {Element} one */
const stays = (one) => one instanceof HTMLElement && one.dataset.stays !== undefined;

/**
 * Put what stands before and after the line in place too; the line itself stays, so that it is read out.
 * @param {HTMLElement} here
 * @param {HTMLElement} now
 */
function around(here, now) {
  const after = [...(now.parentElement?.children ?? [])];
  const at = after.indexOf(now);
  for (const one of [...(here.parentElement?.children ?? [])]) {
    if (one !== here && !stays(one)) one.remove();
  }
  here.parentElement?.prepend(...after.slice(0, at).filter((one) => !stays(one)));
  here.parentElement?.append(...after.slice(at + 1).filter((one) => !stays(one)));
}

/** Do what the page asks for: go into the room, or have an offer noticed. */
function look() {
  const here = line();
  const go = here?.dataset.go ?? "";
  const offer = here?.querySelector("[data-offer]") ?? null;
  const news = offer ?? here?.querySelector("[data-talk]");
  if (here?.dataset.quiet === undefined) document.title = news ? `\u25CF ${title}` : title;
  if (go.startsWith("/")) {
    over = true;
    ring();
    setTimeout(() => location.assign(go), sound ? TONE_S * 1000 : 0);
    return;
  }
  const left = /** @type {HTMLElement|null} */ (here?.querySelector("[data-left]") ?? null);
  if (offer && left && left.dataset.until === undefined) {
    left.dataset.until = String(Date.now() + Number(left.dataset.left) * 1000);
    ring();
  }
}

function count() {
  const left = /** @type {HTMLElement|null} */ (document.querySelector("[data-until]"));
  if (left) left.textContent = String(Math.max(0, Math.round((Number(left.dataset.until) - Date.now()) / 1000)));
}

/** A soft tone, where somebody asked for one. */
function ring() {
  if (!sound) return;
  const tone = sound.createOscillator();
  const loud = sound.createGain();
  tone.frequency.value = TONE_HZ;
  loud.gain.setValueAtTime(0.0001, sound.currentTime);
  loud.gain.exponentialRampToValueAtTime(0.2, sound.currentTime + 0.05);
  loud.gain.exponentialRampToValueAtTime(0.0001, sound.currentTime + TONE_S);
  tone.connect(loud).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + TONE_S);
}

const sounds = /** @type {HTMLButtonElement|null} */ (document.querySelector("#sound"));
if (sounds) {
  sounds.hidden = false;
  sounds.addEventListener("click", () => {
    const on = sound === null;
    if (sound) void sound.close();
    sound = on ? new AudioContext() : null;
    sounds.setAttribute("aria-pressed", String(on));
    ring();
  });
}

addEventListener("pointerdown", () => (pressed = true), true);
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, () => (pressed = false), true);
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  sent = true;
  setTimeout(() => (sent = false), ASK_MS);
});
document.addEventListener("teduh:exit", () => {
  over = true;
  socket?.close();
  if (sound) void sound.close();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connect();
});

if (main && (line() || bar)) {
  connect();
  setInterval(count, 1000);
  setInterval(() => {
    if (line() && !over && socket?.readyState !== WebSocket.OPEN && Date.now() - heardAt > ASK_MS) void renew();
  }, ASK_MS);
  look();
}

export {};
