// @ts-check
/** @file The row of controls: what each is called, whether it is pressed, whether it can be used now. */

import { action, box, set, setIcon, write } from './dom.js';
import { t } from './i18n.js';

/**
 * @typedef {object} View
 * @property {import('./state.js').State} state
 * @property {import('./state.js').Mode} mode
 * @property {'client'|'counselor'} role
 * @property {boolean} mic sound would be sent
 * @property {boolean} camera picture would be sent
 * @property {boolean} born_chat the session was made as a chat: nothing else is offered
 * @property {boolean} busy a device is being opened
 * @property {boolean} socket
 */

/**
 * A control's face, and its full name, which begins with the words that are seen (WCAG 2.5.3).
 * @param {string} name
 * @param {string} icon
 * @param {string} key of its words; `<key>_name` is what a screen reader says
 */
function face(name, icon, key) {
  const button = action(name);
  setIcon(button, icon);
  const label = button.querySelector('span');
  if (label) write(label, t(key));
  set(button, 'aria-label', t(`${key}_name`));
}

/** @param {View} view */
export function showControls(view) {
  const { state, mode, role } = view;
  const inside = state === 'waiting' || state === 'connected' || state === 'interrupted';
  const chat = mode === 'chat';

  const mute = action('mute');
  mute.hidden = chat;
  mute.disabled = !inside;
  set(mute, 'data-on', String(view.mic));
  face('mute', view.mic ? 'mic' : 'mic-off', view.mic ? 'control.mic_on' : 'control.mic_off');

  const camera = action('camera');
  camera.hidden = mode !== 'video';
  camera.disabled = !inside || view.busy;
  set(camera, 'data-on', String(view.camera));
  face('camera', view.camera ? 'cam' : 'cam-off', view.camera ? 'control.camera_on' : 'control.camera_off');

  const modes = action('mode');
  modes.hidden = view.born_chat;
  modes.disabled = !inside || view.busy;
  if (mode === 'video') face('mode', 'voice', 'control.to_voice');
  else if (mode === 'voice') face('mode', 'cam', 'control.to_video');
  else face('mode', 'voice', 'control.back_to_voice');

  action('chat').hidden = chat;
  action('leave').disabled = false;
  const end = action('end');
  end.hidden = role !== 'counselor';
  end.disabled = !view.socket;
  action('restart').disabled = state !== 'interrupted';
  action('devices').hidden = chat;
  set(box('controls'), 'data-count', String(document.querySelectorAll('#controls > button:not([hidden])').length));
}

/**
 * The arrow keys move inside the row, as in any toolbar; Tab leaves it.
 * @param {HTMLElement} row
 */
export function arrowKeys(row) {
  row.addEventListener('keydown', (event) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const usable = [...row.querySelectorAll('button')].filter((button) => !button.hidden && !button.disabled);
    const place = usable.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    usable[(place + step + usable.length) % usable.length]?.focus();
    event.preventDefault();
  });
}
