// @ts-check
/** @file The room page: puts its parts together. */

import '../exit.js';
import '../word.js';
import { Call } from './call.js';
import { Card } from './card.js';
import { Care } from './care.js';
import { Chat } from './chat.js';
import { arrowKeys, showControls } from './controls.js';
import { makeDetail } from './detail.js';
import { Devices, setSpeaker } from './devices.js';
import { action, box, byId, write } from './dom.js';
import { t } from './i18n.js';
import { makePicker } from './picker.js';
import { PlaceError, keeper, openPlace } from './place.js';
import { Preview } from './preview.js';
import { pill } from './quality.js';
import { Recording } from './recording.js';
import { makeSaving } from './saving.js';
import { hideToast, showFigures, showGone, showScene, showScreen, speak, toast } from './screen.js';
import { inside, makeState } from './state.js';

const remote = byId('remote', HTMLVideoElement);
const endDialog = byId('end-dialog', HTMLDialogElement);
const takeoverDialog = byId('takeover-dialog', HTMLDialogElement);
const deviceDialog = byId('device-dialog', HTMLDialogElement);
const savingDialog = byId('saving-dialog', HTMLDialogElement);

/** @type {import('./place.js').Place | null} */
let place = null;
/** @type {Call | null} */
let call = null;
/** @type {Card | null} */
let card = null;
/** @type {Care | null} */
let care = null;
const wish = { mic: true, camera: true };
let bornChat = false;

const devices = new Devices((kind) => {
  toast(t(kind === 'audio' ? 'say.mic_lost' : 'say.camera_lost'));
  devices.chosen[kind === 'audio' ? 'mic' : 'camera'] = '';
  if (call) {
    call.sending.say({ lost: kind });
    void call.sending.refresh();
  } else if (preview.shown) void preview.refresh();
});
const picker = makePicker(devices, async (slot) => {
  if (slot === 'speaker') return setSpeaker(remote, devices.chosen.speaker);
  devices.stop(slot === 'mic' ? 'audio' : 'video');
  await (call ? call.sending.refresh() : preview.refresh());
  return undefined;
});
const preview = new Preview(devices, () => void picker.refresh());

const state = makeState(box('room'), (now, before) => {
  showScreen(now, before);
  if (now === 'waiting' || now === 'connected') speak(t(`state.say_${now}`, { name: call?.other.name ?? '' }));
  if (now === 'interrupted') hideToast();
  if (now === 'interrupted') show(); // Its words first, for they are spoken.
  if (now === 'interrupted') speak(`${box('broken-title').textContent}. ${box('broken-words').textContent}`);
  void stayAwake();
});

/** @type {any} */
let lock = null;

/** The screen stays on while one is inside; the browser drops the lock whenever the page is hidden. */
async function stayAwake() {
  const wanted = inside(state.now) && document.visibilityState === 'visible';
  if (wanted && !lock) {
    lock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
    lock?.addEventListener('release', () => {
      lock = null;
    });
  } else if (!wanted && lock) await lock.release();
}
document.addEventListener('visibilitychange', () => void stayAwake());

/** Shows everything as it stands now. */
function show() {
  if (!call || !place) return;
  const { other, watch } = call;
  const ownBroken = watch.own === 'silent' || (state.mode === 'chat' && !call.socket);
  const picture = state.mode === 'video' && other.media?.video === true && (state.now === 'connected' || state.now === 'interrupted');
  const brokenS = call.brokenAt === null ? null : (performance.now() - call.brokenAt) / 1000;
  const left = other.state === 'left' && Boolean(care?.facts?.drop);
  care?.look((state.now === 'interrupted' && other.state === 'interrupted') || left, other.quickly === true);
  if (place.role === 'client' && call.socket) void card?.ask();
  card?.show({ broken: ownBroken && state.now === 'interrupted', client: place.role === 'client', seconds: brokenS, graceS: call.graceS });
  showScene({
    state: state.now,
    mode: state.mode,
    role: place.role,
    held: call.held,
    name: other.name,
    peer: other.state,
    quickly: other.quickly === true,
    picture,
    theirMic: other.media?.audio !== false,
    theirPaused: other.media?.picture === 'paused' ? (other.media.by ?? 'user') : '',
    ownPaused: call.steps.sent.step === 'paused',
    ownBroken,
    weak: other.state === 'connected' && watch.their === 'silent',
    dropped: left && care?.gone === true,
    phone: call.phone,
    self: devices.video,
  });
  showControls({
    state: state.now,
    mode: state.mode,
    role: place.role,
    mic: wish.mic && Boolean(devices.audio),
    camera: Boolean(devices.video),
    born_chat: bornChat,
    busy: call.sending.busy,
    socket: call.socket,
  });
  const now = Date.now() + call.signal.skewMs;
  const said = pill({ state: state.now, socket: call.socket, own: !ownBroken, ...call.grade });
  showFigures({
    pill: said,
    bytes: call.bytes || watch.bytes,
    seconds: call.startedAt === null || state.now === 'waiting' ? null : (now - call.startedAt) / 1000,
    brokenS,
  });
  detail.show(said.words, call.grades[call.me], call.grades[other.id]);
  recording.show();
  saving.show(call.steps, call.bytes || watch.bytes, state.mode === 'video');
  if (state.mode === 'chat' && !chatOpen()) openChat(true);
}

/** Plays what comes in; says so when the browser wants a touch first. */
async function play() {
  if (!remote.srcObject) return;
  try {
    await remote.play();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotAllowedError') toast(t('say.sound_blocked'), { label: t('say.sound_on'), act: () => void play() });
  }
}

/** @param {MediaStream} stream */
function showRemote(stream) {
  const tracks = stream.getTracks();
  remote.srcObject = tracks.length ? new MediaStream(tracks) : null;
  void play();
}

const chat = new Chat(unread);
const chatOpen = () => !box('side').hidden;

/** @param {boolean} open */
function openChat(open) {
  box('side').hidden = !open;
  box('stage').classList.toggle('with-chat', open);
  action('chat').setAttribute('aria-expanded', String(open));
  chat.shown(open);
}

/** @param {number} count @param {string} text */
function unread(count, text) {
  const badge = box('unread');
  badge.hidden = count === 0;
  write(box('unread-count'), count > 9 ? '9+' : String(count));
  if (count) toast(t('chat.came', { name: call?.other.name ?? '', text: text.length > 90 ? `${text.slice(0, 90)}…` : text }), { label: t('chat.open'), act: () => chooseChat(true) });
}

/** @param {boolean} open */
function chooseChat(open) {
  openChat(open);
  if (open) hideToast();
  if (open) byId('line', HTMLTextAreaElement).focus();
  else action('chat').focus();
}

const recording = new Recording({
  request: async (type, fields) => call?.signal.request(type, fields),
  call: () => ({ me: call?.me ?? '', name: call?.other.name ?? '', role: place?.role ?? 'client', skewMs: call?.signal.skewMs ?? 0, mode: state.mode }),
});
const saving = makeSaving({
  choose: (picture) => call?.steps.choose(picture),
  limit: (mb) => call?.steps.limit(mb),
});
const detail = makeDetail();
const openSaving = () => call && saving.open(call.steps);

/** Enters the session, from the preview, after leaving, or after a reload. */
function enter() {
  if (!place) return;
  const kept = keeper(place.participant);
  kept.keep({ left: false });
  preview.hide();
  picker.moveTo('devices-there');
  state.apply('join');
  call = new Call({
    place,
    kept,
    state,
    devices,
    wish,
    wanted: preview.chose ? preview.mode : null,
    changed: show,
    remote: showRemote,
    over,
    takeover: askTakeover,
    chat,
    openChat: () => !chatOpen() && openChat(true),
    openSaving,
    recording: (message) => recording.heard(/** @type {any} */ (message)),
  });
  chat.shown(chatOpen());
  card = new Card(place.participant, kept);
  if (place.role === 'counselor' && 'cares' in box('room').dataset) {
    care ??= new Care(place.participant);
    void care.begin();
  }
  show();
  call.enter();
  place = { ...place, ticket: '' };
}

/** @param {string} why @param {string} by @param {boolean} told whether the server knows */
function over(why, by, told) {
  const kept = place && keeper(place.participant);
  call = null;
  recording.forget();
  care?.close();
  for (const dialog of [endDialog, takeoverDialog, deviceDialog, savingDialog, detail]) dialog.close();
  hideToast();
  // A server that did not hear of it keeps the place taken: only the key opens it again.
  if (why === 'left' && !told) kept?.keep({ left: true });
  else if (why === 'left' || why === 'ended') kept?.forget();
  if (why === 'ended' && by === 'missed' && place?.role === 'client') {
    location.replace('/talk/urgent'); // The counselor did not come: there it says so, and who is called now.
    return;
  }
  const ended = why === 'ended' || why === 'unknown' || why === 'token';
  state.apply(ended ? 'end' : 'leave');
  const words = why === 'ended' && by ? `ended_${by}` : why === 'token' ? 'closed' : why;
  if (place && (why === 'left' || why === 'ended')) recording.showKept(place.participant);
  else box('gone-kept').hidden = true;
  showGone(words, !ended, why === 'elsewhere' ? 'gone.here' : why === 'refused' ? 'gone.ask_again' : 'gone.back');
}

/** How long a newcomer waits for the answer, in ms (signaling/PROTOCOL.md, continuing a place). */
const TAKEOVER_MS = 60000;
/** @type {number | undefined} */
let takeoverTimer;

/**
 * Somebody asks for a place: for ours, or for the other person's when they are gone.
 * @param {{id: string, device: string, place?: string}} question
 * @param {(admit: boolean) => void} answer
 */
function askTakeover({ device, place: wanted }, answer) {
  const theirs = wanted !== undefined && wanted !== place?.participant;
  const words = { device: device || t('say.some_device'), name: call?.other.name ?? '' };
  write(box('takeover-title'), t(theirs ? 'say.takeover_theirs_title' : 'say.takeover_title', words));
  write(box('takeover-words'), t(theirs ? 'say.takeover_theirs' : 'say.takeover', words));
  window.clearTimeout(takeoverTimer);
  takeoverTimer = window.setTimeout(() => takeoverDialog.close(), TAKEOVER_MS);
  takeoverDialog.returnValue = '';
  takeoverDialog.onclose = () => {
    if (takeoverDialog.returnValue) answer(takeoverDialog.returnValue === 'yes');
  };
  if (!takeoverDialog.open) takeoverDialog.showModal();
}

/** Opens the place of this address and shows the preview, or goes straight on after a reload. */
async function arrive() {
  try {
    place = await openPlace();
  } catch (error) {
    const kind = error instanceof PlaceError ? error.kind : 'offline';
    const again = kind === 'offline' || kind === 'busy';
    state.apply(again ? 'leave' : 'end');
    showGone(kind, again, 'gone.again');
    return;
  }
  const { role, mode, participant } = place;
  recording.begin(place);
  box('room').dataset.role = role;
  state.mode = mode;
  bornChat = mode === 'chat';
  for (const link of document.querySelectorAll('.languages a')) {
    link.setAttribute('href', `${link.getAttribute('href')?.split('?')[0]}?to=${encodeURIComponent(location.pathname)}`);
  }
  const kept = keeper(participant).read();
  if (kept.key && !kept.left) {
    wish.mic = kept.mic ?? true;
    wish.camera = kept.camera ?? mode === 'video';
    enter();
    return;
  }
  action('join').disabled = false;
  await preview.show(mode);
}

function join() {
  if (state.now === 'preview') {
    // Who came to write is not seen or heard because the other person moves to voice or video.
    wish.mic = !bornChat;
    wish.camera = !bornChat && preview.mode === 'video';
    if (place) keeper(place.participant).keep(wish);
    enter();
  } else if (place) enter();
  else location.reload();
}

// Microphone and camera stop in the same tick; that we left is told by the page itself (exit.js).
document.addEventListener('teduh:exit', () => {
  devices.stop('audio');
  devices.stop('video');
  call?.close();
  care?.close();
});

/** @type {Record<string, () => void>} */
const ACTIONS = {
  join,
  leave: () => void call?.leave(),
  mute: () => void call?.sending.toggleMic(),
  camera: () => void call?.sending.toggleCamera(),
  mode: () => void call?.setMode(state.mode === 'voice' ? 'video' : 'voice'),
  chat: () => chooseChat(!chatOpen()),
  restart: () => call?.tryAgain(),
  saving: openSaving,
  line: () => {
    detail.open();
    show();
  },
  end: () => {
    endDialog.returnValue = 'no';
    endDialog.showModal();
  },
  devices: () => {
    void picker.refresh();
    deviceDialog.showModal();
  },
};
for (const [name, act] of Object.entries(ACTIONS)) action(name).addEventListener('click', act);
endDialog.addEventListener('close', () => endDialog.returnValue === 'yes' && call?.end());
box('close-chat').addEventListener('click', () => chooseChat(false));
document.addEventListener('keydown', (event) => {
  // Wherever the focus is, even nowhere: a control that gets disabled loses it.
  const asked = document.querySelector('dialog[open]');
  if (event.key === 'Escape' && !event.isComposing && !asked && chatOpen() && state.mode !== 'chat') chooseChat(false);
});
arrowKeys(box('controls'));
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload(); // Restored from the back-forward cache: continues as after any reload.
});
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && void play());

void arrive();
