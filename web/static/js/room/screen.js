// @ts-check
/** @file What the page shows: its screens, the other person, the broken line, short notices, and what is said aloud. */

import { action, box, byId, set, write } from './dom.js';
import { clock, t } from './i18n.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Mode} Mode */

/** @type {Record<State, 'preview' | 'call' | 'gone'>} */
const SCREENS = { preview: 'preview', joining: 'call', waiting: 'call', connected: 'call', interrupted: 'call', left: 'gone', ended: 'gone' };

/**
 * Shows the screen of a state and puts the focus on its heading, or back where it was.
 * @param {State} state
 * @param {State} before
 */
export function showScreen(state, before) {
  const screen = SCREENS[state];
  for (const id of ['preview', 'call', 'gone']) box(id).hidden = id !== screen;
  const join = action('join');
  if (screen === 'gone') box('gone-go').append(join);
  else box('preview-go').append(join);
  if (SCREENS[before] !== screen) box(`${screen}-title`).focus({ preventScroll: true });
}

/** Says it to a screen reader, once. @param {string} words */
export const speak = (words) => write(box('spoken'), words);

/**
 * The last screen: left, ended, or a link that does not open.
 * @param {string} why key of the texts `gone.<why>_title` and `gone.<why>`
 * @param {boolean} back whether coming back is offered
 * @param {string} button key of the button's words
 */
export function showGone(why, back, button = 'gone.back') {
  write(box('gone-title'), t(`gone.${why}_title`));
  write(box('gone-words'), t(`gone.${why}`));
  write(box('gone-more'), t(back ? 'gone.more_back' : 'gone.more'));
  box('gone-go').hidden = !back;
  write(action('join'), t(button));
  speak(t(`gone.${why}_title`));
}

/**
 * The letters in the circle that stands for a person.
 * @param {string} name
 */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...(word ?? '')][0] ?? '').join('').toLocaleUpperCase();
}

/**
 * @typedef {object} Scene
 * @property {State} state
 * @property {Mode} mode
 * @property {'client'|'counselor'} role
 * @property {boolean} held waiting to be let in
 * @property {string} name of the other person
 * @property {string} peer their state on the wire
 * @property {boolean} quickly they left by the quick exit
 * @property {boolean} picture their picture arrives
 * @property {boolean} theirMic
 * @property {string} theirPaused who or what paused their picture, '' when it is not
 * @property {boolean} ownPaused
 * @property {boolean} ownBroken our own line is the broken one
 * @property {boolean} weak the other person is there, and nothing of them arrives
 * @property {boolean} dropped their line broke, and their place is not kept any more
 * @property {boolean} phone the two go on by telephone
 * @property {MediaStreamTrack | null} self
 */

/** @param {Scene} scene */
export function showScene(scene) {
  const { state, mode, name, picture, role } = scene;
  const other = t(role === 'client' ? 'say.counselor' : 'say.client');
  write(box('call-title'), name ? t('say.with', { name }) : t('say.room'));
  box('remote-box').classList.toggle('pictured', picture);
  box('person').hidden = picture && state !== 'waiting' && state !== 'joining';
  write(box('avatar'), state === 'connected' || state === 'interrupted' ? initials(name) : '');
  const [words, more] = personWords(scene, other);
  write(box('person-words'), words);
  write(box('person-more'), more);
  write(box('chat-who'), state === 'connected' ? t('state.here', { name }) : words);
  write(box('remote-name'), name);
  box('remote-name').hidden = !name || !picture;
  box('remote-muted').hidden = state !== 'connected' || scene.theirMic || mode === 'chat';
  const self = byId('self', HTMLVideoElement);
  const shown = /** @type {MediaStream | null} */ (self.srcObject)?.getTracks()[0] ?? null;
  if (shown !== scene.self) self.srcObject = scene.self ? new MediaStream([scene.self]) : null;
  box('self-box').hidden = mode !== 'video' || !scene.self;
  box('self-box').classList.toggle('paused', scene.ownPaused);
  write(box('self-words'), t(scene.ownPaused ? 'state.self_paused' : 'state.self'));
  showBroken(scene, other);
}

/**
 * @param {Scene} scene
 * @param {string} other
 * @returns {[string, string]}
 */
function personWords({ state, mode, held, name, peer, quickly, theirPaused }, other) {
  if (held) return [t('state.held'), t('state.held_more')];
  if (state === 'joining') return [t('state.joining'), ''];
  if (state === 'waiting') {
    if (peer === 'left' && quickly) return [t('state.other_quick', { name: name || other }), t('state.other_quick_more')];
    if (peer === 'left') return [t('state.other_left', { name: name || other }), t('state.other_left_more')];
    if (peer === 'connecting') return [t('state.other_comes', { name: name || other }), ''];
    return [t('state.waiting', { other: name || other }), t('state.waiting_more')];
  }
  if (mode !== 'video') return [name, mode === 'voice' ? t('state.voice') : ''];
  return [name, t(theirPaused ? `state.paused_${theirPaused}` : 'state.no_picture')];
}

/** @param {Scene} scene @param {string} other */
function showBroken({ state, role, ownBroken, weak, dropped, phone, name }, other) {
  const panel = box('broken');
  panel.hidden = state !== 'interrupted' && !dropped;
  if (panel.hidden) return;
  const own = role === 'client' ? ['broken_client', 'broken_client_more'] : ['broken_own', 'broken_counselor_more'];
  const [title, more] = phone ? ['by_phone', `by_phone_${role}`] : ownBroken ? own : weak ? ['broken_weak', 'broken_weak_more'] : ['broken_their', 'broken_their_more'];
  write(box('broken-title'), t(`state.${title}`, { name: name || other }));
  write(box('broken-words'), t(`state.${more}`, { name: name || other }));
  action('restart').hidden = !ownBroken;
}

/**
 * The small figures of the top row.
 * @param {object} figures
 * @param {{grade: string, words: string}} figures.pill
 * @param {number} figures.bytes
 * @param {number | null} figures.seconds in session
 * @param {number | null} figures.brokenS
 */
export function showFigures({ pill, bytes, seconds, brokenS }) {
  set(box('pill'), 'data-grade', pill.grade);
  write(box('pill-words'), pill.words);
  box('used').hidden = bytes <= 0;
  const time = byId('clock', HTMLTimeElement);
  time.hidden = seconds === null;
  if (seconds !== null) {
    write(time, clock(seconds));
    set(time, 'datetime', `PT${Math.max(0, Math.floor(seconds))}S`);
  }
  write(box('broken-since'), brokenS === null ? '' : t('state.broken_since', { time: clock(brokenS) }));
}

/** @type {number | undefined} */
let toastTimer;

/**
 * A short notice over the picture; with an action it stays until it is answered.
 * @param {string} words
 * @param {{label: string, act: () => void}} [offer]
 */
export function toast(words, offer) {
  window.clearTimeout(toastTimer);
  const close = () => {
    box('toast').hidden = true;
  };
  write(box('toast-words'), words);
  speak(words);
  const button = byId('toast-do', HTMLButtonElement);
  button.hidden = !offer;
  if (offer) {
    write(button, offer.label);
    button.onclick = () => {
      close();
      offer.act();
    };
  } else toastTimer = window.setTimeout(close, 8000);
  byId('toast-close', HTMLButtonElement).onclick = close;
  box('toast').hidden = false;
}

/** Takes a notice away before its time. */
export function hideToast() {
  box('toast').hidden = true;
}
