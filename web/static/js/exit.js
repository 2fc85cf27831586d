/**
 * Quick exit: one tap, or Shift pressed three times, and the page is gone (the pattern of GOV.UK's
 * "exit this page"). What listens to the `teduh:exit` event stops microphone and camera in the same
 * tick. Without this module the button is a link to `/exit` that does the same on the server.
 */

const PRESSES = 3;
const WITHIN_MS = 2000;

/** @type {NodeListOf<HTMLElement>} */
const buttons = document.querySelectorAll('[data-action="quick-exit"]');

/** Leave now, and leave nothing behind that a page can take away. */
export function leave() {
  document.dispatchEvent(new CustomEvent("teduh:exit"));
  document.documentElement.hidden = true;
  try {
    sessionStorage.clear();
    localStorage.clear();
  } catch {
    // A browser that keeps nothing has nothing to clear.
  }
  document.cookie = "teduh_left=1; path=/; SameSite=Strict"; // Without a network /exit hears of it later.
  navigator.serviceWorker?.controller?.postMessage("leave");
  navigator.sendBeacon("/exit");
  location.replace(buttons[0]?.dataset.to ?? "/exit");
}

for (const button of buttons) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    leave();
  });
}

/** @type {number[]} */
let pressed = [];
document.addEventListener("keydown", (event) => {
  if (event.key !== "Shift") {
    pressed = [];
    return;
  }
  if (event.repeat) return;
  pressed = [...pressed.filter((at) => event.timeStamp - at < WITHIN_MS), event.timeStamp];
  if (pressed.length >= PRESSES) leave();
});

// A page that comes back from the browser's memory is shown only after it was asked for again.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
