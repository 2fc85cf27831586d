// @ts-check
/**
 * @file In the room: what the client of this talk said of danger, above all, until somebody has read it on the duty
 * desk. It moves the title and shakes a phone, and makes no sound: the client would hear it. Other pages of the staff
 * sound (alarm.js).
 */

const AGAIN_MS = 4000;
const BACK_MS = [500, 2000, 5000, 15000];

const box = document.getElementById("danger");
const words = document.getElementById("danger-words");
const say = document.getElementById("danger-say");

if (box && words && say instanceof HTMLTemplateElement) {
  const title = document.title;
  let tries = 0;

  /** Once more, while it stands. */
  const shake = () => {
    if (box.hidden) return;
    navigator.vibrate?.([400, 150, 400]);
    document.title = document.title === title ? `${box.dataset.title} ${title}` : title;
    box.classList.toggle("beat");
  };

  /** @param {boolean} stands */
  const show = (stands) => {
    if (stands === !box.hidden) return;
    box.hidden = !stands;
    words.textContent = stands ? say.content.textContent : "";
    document.title = title;
    shake();
  };

  const listen = () => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/alarms`);
    socket.addEventListener("message", (event) => {
      tries = 0;
      show(Number(JSON.parse(event.data).own) > 0);
    });
    socket.addEventListener("close", () => {
      setTimeout(listen, BACK_MS[Math.min(tries, BACK_MS.length - 1)]);
      tries += 1;
    });
  };
  setInterval(shake, AGAIN_MS);
  listen();
}
