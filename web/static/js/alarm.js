// @ts-check
/**
 * @file The alarm of urgent calls, and of lines that broke under a risk flag, on every page of who may answer: it
 * stands above all, sounds, moves the title and shakes a phone, again and again until somebody answers. Sound waits
 * for a first touch, as browsers ask; until then a button says so. Without this module the alarm is there when the
 * page is opened.
 */

import { ring as bell } from "./bell.js";

const AGAIN_MS = 4000;
const BACK_MS = [500, 2000, 5000, 15000];

const box = document.getElementById("alarm");
const words = document.getElementById("alarm-words");
const say = document.getElementById("alarm-say");
const sayDrop = document.getElementById("alarm-say-drop");
const button = document.getElementById("alarm-sound");
const open = document.getElementById("alarm-open");
const openDrop = document.getElementById("alarm-drop");
const ready = document.getElementById("alarm-ready");

if (box && words && say instanceof HTMLTemplateElement && sayDrop instanceof HTMLTemplateElement && button) {
  const title = document.title;
  const text = say.content.textContent?.trim() ?? "";
  const dropText = sayDrop.content.textContent?.trim() ?? "";
  let alarms = Number(box.dataset.alarms);
  let drops = Number(box.dataset.drops);
  let tries = 0;
  /** A form is on its way: nothing takes an answer back by loading the page again. */
  let sent = false;
  /** @type {number | undefined} */
  let ringing = undefined;
  /** @type {AudioContext | null} */
  let audio = null;

  const canSound = () => audio?.state === "running";

  /** One ring, if the browser lets us. */
  const ring = () => {
    document.title = document.title === title ? `${box.dataset.title} ${title}` : title;
    box.classList.toggle("beat");
    if (bell(audio)) box.dataset.rang = String(Number(box.dataset.rang ?? 0) + 1);
  };

  const show = () => {
    const count = alarms + drops;
    box.hidden = count === 0;
    for (const [link, shown] of /** @type {[HTMLElement | null, number][]} */ ([[open, alarms], [openDrop, drops]])) {
      if (link) link.hidden = shown === 0;
    }
    button.hidden = canSound();
    if (ready) ready.hidden = !canSound();
    const said = [alarms ? text : "", drops ? dropText : ""].filter(Boolean).join(" ");
    if (words.textContent?.trim() !== said) words.textContent = said;
    if (count && ringing === undefined) {
      ring();
      ringing = setInterval(ring, AGAIN_MS);
    }
    if (!count && ringing !== undefined) {
      clearInterval(ringing);
      ringing = undefined;
      document.title = title;
    }
  };

  /** Lets sound begin; to be called from a touch or a key. */
  const unlock = async () => {
    audio ??= new AudioContext();
    await audio.resume();
    show();
  };
  // Not at the pressing down: what then moves on the page would take the press from the button under it.
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, unlock, { once: true });

  document.addEventListener("submit", () => {
    sent = true;
  });

  const listen = () => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/alarms`);
    socket.addEventListener("message", (event) => {
      tries = 0;
      const now = JSON.parse(event.data);
      const differs = now.alarms !== alarms || now.drops !== drops;
      alarms = now.alarms;
      drops = now.drops;
      show();
      // The desk itself lists who calls.
      if (differs && !sent && location.pathname === "/duty") location.reload();
    });
    socket.addEventListener("close", () => {
      setTimeout(listen, BACK_MS[Math.min(tries, BACK_MS.length - 1)]);
      tries += 1;
    });
  };
  show();
  listen();
}
