// @ts-check
/** @file The choice of microphone, camera and speaker, in the preview and in the call. */

import { box, byId } from './dom.js';
import { testSound } from './devices.js';
import { t } from './i18n.js';

/** @typedef {'mic' | 'camera' | 'speaker'} Slot */

/** @type {[Slot, string][]} */
const SELECTS = [
  ['mic', 'pick-mic'],
  ['camera', 'pick-camera'],
  ['speaker', 'pick-speaker'],
];

/**
 * @param {import('./devices.js').Devices} devices
 * @param {(slot: Slot) => void} picked
 */
export function makePicker(devices, picked) {
  for (const [slot, id] of SELECTS) {
    const select = byId(id, HTMLSelectElement);
    select.addEventListener('change', () => {
      devices.chosen[slot] = select.value;
      picked(slot);
    });
  }
  box('test-sound').addEventListener('click', () => testSound(devices.chosen.speaker));
  const refresh = async () => {
    const found = await devices.list();
    for (const [slot, id] of SELECTS) {
      const select = byId(id, HTMLSelectElement);
      const inUse = slot === 'mic' ? devices.audio : slot === 'camera' ? devices.video : null;
      const value = inUse?.getSettings().deviceId ?? devices.chosen[slot];
      const options = found[slot].map((device, place) => new Option(device.label || t(`say.device_${slot}`, { number: place + 1 }), device.deviceId));
      if (!options.length) options.push(new Option(t(slot === 'speaker' ? 'say.device_usual' : 'say.device_none'), ''));
      select.replaceChildren(...options);
      if (options.some((option) => option.value === value)) select.value = value;
      select.disabled = options.length < 2;
    }
    box('pick-speaker-row').hidden = !('setSinkId' in HTMLMediaElement.prototype) || !found.speaker.length;
  };
  navigator.mediaDevices?.addEventListener?.('devicechange', () => void refresh());
  return {
    refresh,
    /** Moves the fields into the call's dialog or back. @param {'devices-here' | 'devices-there'} slot */
    moveTo(slot) {
      box(slot).append(box('device-fields'));
    },
  };
}
