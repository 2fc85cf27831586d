// @ts-check
/** @file The chat: lines, receipts, typing, unread; what is not yet received by the server is kept and sent again. */

import { box, byId, write } from './dom.js';
import { t, timeOfDay } from './i18n.js';
import { newRef } from './signal.js';

const TYPING_EVERY_MS = 3000;
const TYPING_SHOWN_MS = 5000;
/** How long after entering lines may be a replay of what was read before a reload. */
const REPLAY_MS = 4000;

/**
 * @typedef {object} ChatOptions
 * @property {(type: string, fields: Record<string, unknown>) => Promise<unknown>} request
 * @property {() => void} typing
 * @property {() => string} me our own participant id
 * @property {(from: string) => string} nameOf
 * @property {string} storage name under which unsent lines outlive a reload
 */

export class Chat {
  /** @param {(count: number, text: string) => void} unread called when a line came while the panel was closed */
  constructor(unread) {
    this.unread = unread;
    /** @type {ChatOptions | null} */
    this.options = null;
    this.lines = byId('lines', HTMLOListElement);
    this.field = byId('line', HTMLTextAreaElement);
    this.button = byId('write', HTMLFormElement).querySelector('button');
    this.open = false;
    this.enabled = false;
    this.count = 0;
    /** @type {Map<string, HTMLLIElement>} lines of ours the server has not received yet, by ref */
    this.unsent = new Map();
    /** @type {Set<string>} refs on their way in this call */
    this.sending = new Set();
    /** @type {Set<string>} ids and refs of lines that are shown */
    this.known = new Set();
    /** The last line that was read in this tab; a replay up to it is not unread. */
    this.read = '';
    this.replayedUntil = 0;
    this.newest = '';
    this.typedAt = 0;
    /** @type {number | undefined} */
    this.quiet = undefined;
    byId('write', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener('input', () => {
      this.#fit();
      this.#enable();
      if (this.field.value && performance.now() - this.typedAt > TYPING_EVERY_MS) {
        this.typedAt = performance.now();
        this.options?.typing();
      }
    });
  }

  /** A call begins: lines go through it from now on. @param {ChatOptions} options */
  use(options) {
    this.options = options;
    this.read = this.#kept(`${options.storage}.read`, '');
    this.replayedUntil = performance.now() + REPLAY_MS;
  }

  /** Sends again what an earlier page of this tab could not. */
  resume() {
    for (const { ref, text } of this.#stored()) if (!this.sending.has(ref) && !this.known.has(ref)) this.#say(ref, text);
  }

  /** Whether lines can be written now. @param {boolean} enabled */
  allow(enabled) {
    this.enabled = enabled;
    this.field.disabled = !enabled;
    this.#enable();
  }

  #enable() {
    if (this.button) this.button.disabled = !this.enabled || !this.field.value.trim();
  }

  #fit() {
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(140, this.field.scrollHeight + 2)}px`;
  }

  #submit() {
    const text = this.field.value.trim();
    if (!text || !this.enabled) return;
    this.field.value = '';
    this.typedAt = 0;
    this.#fit();
    this.#enable();
    this.field.focus(); // The button is disabled now, and a disabled element loses the focus.
    this.#say(newRef(), text);
  }

  /** @param {string} ref @param {string} text */
  #say(ref, text) {
    const item = this.unsent.get(ref) ?? this.#line({ mine: true, text, note: t('chat.sending') });
    item.classList.add('unsent');
    this.unsent.set(ref, item);
    this.#store([...this.#stored().filter((line) => line.ref !== ref), { ref, text }]);
    this.sending.add(ref);
    this.options?.request('chat', { ref, text }).then(
      () => {
        this.sending.delete(ref);
        this.#store(this.#stored().filter((line) => line.ref !== ref));
      },
      (error) => {
        this.sending.delete(ref);
        if (error.message === 'closed') return; // Kept, and sent again when the person comes back.
        this.#store(this.#stored().filter((line) => line.ref !== ref));
        if (this.unsent.get(ref) === item) this.#note(item, t('chat.failed'));
      },
    );
  }

  /** A `chat` message: another's line, or the receipt of ours. @param {import('./signal.js').Message} message */
  receive(message) {
    if (this.known.has(message.id)) return;
    this.known.add(message.id);
    this.newest = message.id;
    const replayed = Boolean(this.read) && performance.now() < this.replayedUntil;
    if (message.id === this.read) this.read = '';
    if (this.open && !replayed) this.#keep(`${this.options?.storage}.read`, message.id);
    const mine = message.from === this.options?.me();
    const item = mine && message.ref ? this.unsent.get(message.ref) : undefined;
    if (message.ref) this.known.add(message.ref);
    if (item && message.ref) {
      this.unsent.delete(message.ref);
      item.classList.remove('unsent');
      this.#note(item, t('chat.sent', { time: timeOfDay(message.at) }));
      return;
    }
    const note = mine ? t('chat.sent', { time: timeOfDay(message.at) }) : timeOfDay(message.at);
    this.#line({ mine, text: message.text, note, name: this.options?.nameOf(message.from) });
    if (mine) return;
    this.#silence();
    if (this.open || replayed) return;
    this.count += 1;
    this.unread(this.count, message.text);
  }

  /** The other person is writing. */
  theyType() {
    write(box('typing'), t('chat.typing', { name: this.options?.nameOf('') ?? '' }));
    window.clearTimeout(this.quiet);
    this.quiet = window.setTimeout(() => this.#silence(), TYPING_SHOWN_MS);
  }

  #silence() {
    window.clearTimeout(this.quiet);
    write(box('typing'), '');
  }

  /** Shown now: nothing is unread. @param {boolean} open */
  shown(open) {
    this.open = open;
    if (!open) return;
    this.count = 0;
    if (this.newest) this.#keep(`${this.options?.storage}.read`, this.newest);
    this.unread(0, '');
    this.#bottom();
  }

  /** @param {{mine: boolean, text: string, note: string, name?: string}} line */
  #line({ mine, text, note, name }) {
    const item = document.createElement('li');
    item.className = mine ? 'mine' : 'theirs';
    const who = document.createElement('span');
    who.className = 'vh';
    who.textContent = `${mine ? t('chat.me') : (name ?? '')}: `;
    const words = document.createElement('p');
    words.dir = 'auto';
    words.append(who, text);
    const small = document.createElement('small');
    small.textContent = note;
    item.append(words, small);
    this.lines.append(item);
    box('chat-empty').hidden = true;
    this.#bottom();
    return item;
  }

  /** @param {HTMLLIElement} item @param {string} note */
  #note(item, note) {
    const small = item.querySelector('small');
    if (small) write(small, note);
  }

  #bottom() {
    const scroll = box('scroll');
    scroll.scrollTop = scroll.scrollHeight;
  }

  /** @returns {{ref: string, text: string}[]} */
  #stored() {
    return this.#kept(this.options?.storage ?? '', []);
  }

  /** @param {{ref: string, text: string}[]} lines */
  #store(lines) {
    if (this.options) this.#keep(this.options.storage, lines);
  }

  /**
   * @template T
   * @param {string} name
   * @param {T} otherwise
   * @returns {T}
   */
  #kept(name, otherwise) {
    try {
      return JSON.parse(sessionStorage.getItem(name) ?? 'null') ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /** @param {string} name @param {unknown} value */
  #keep(name, value) {
    try {
      sessionStorage.setItem(name, JSON.stringify(value));
    } catch {
      // Without storage a line waits in this page only.
    }
  }
}
