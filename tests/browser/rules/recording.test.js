// @ts-check
/** @file Whether a no waits for the socket: run by node, with a page, a server and a clock of the test's own. */

import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

class Element {
  hidden = false;
  textContent = '';
  returnValue = '';
  /** @type {(() => void) | null} */
  onclick = null;
  /** @type {(() => void) | null} */
  onclose = null;
  getAttribute = () => null;
  setAttribute = () => undefined;
  toggleAttribute = () => undefined;
  focus = () => undefined;
  showModal = () => undefined;
  close = () => undefined;
}

/** @type {Map<string, Element>} */
const page = new Map();
/** @param {string} name */
const found = (name) => page.get(name) ?? page.set(name, new Element()).get(name);
/** What went by HTTP. @type {string[]} */
const posted = [];
Object.assign(globalThis, {
  HTMLElement: Element,
  HTMLButtonElement: Element,
  HTMLDialogElement: Element,
  HTMLAnchorElement: Element,
  document: {
    documentElement: { lang: 'en' },
    getElementById: (/** @type {string} */ id) => (id === 'texts' ? null : found(id)),
    querySelector: (/** @type {string} */ chosen) => found(chosen),
  },
  window: globalThis,
  fetch: async (/** @type {string} */ path) => (posted.push(path), { ok: true }),
});
const { Recording } = await import('../../../web/static/js/room/recording.js');

const OFF = { state: 'off', granted: false, may_agree: true, off_record: [], terms: '2' };
/** What the socket was given, and never answers. @type {object[]} */
let sent = [];
/** @type {InstanceType<typeof Recording>} */
let recording;
beforeEach(() => {
  page.clear();
  sent = [];
  posted.length = 0;
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  const call = () => ({ me: 'p_1', name: 'Sari', role: 'client', skewMs: 0, mode: 'video' });
  const request = (/** @type {string} */ _type, /** @type {object} */ fields) => (sent.push(fields), new Promise(() => undefined));
  recording = new Recording({ request, call });
});

/** @param {string} name */
const press = (name) => page.get(`[data-action="${name}"]`)?.onclick?.();

/** Let a time pass in which the socket answers nothing. */
async function wait() {
  mock.timers.tick(10_000);
  await new Promise((done) => setImmediate(done));
}

test('a no to a question waits for the socket: by http it would take back what was recorded before', async () => {
  recording.heard({ ...OFF, state: 'asked', question: 'yours', may_agree: false });
  press('rec-no');
  await wait();
  assert.deepEqual(sent.map((one) => 'granted' in one && one.granted), [false]);
  assert.deepEqual(posted, []);
});

test('a withdrawal waits for nothing', async () => {
  recording.heard({ ...OFF, state: 'on', granted: true, may_agree: false });
  press('rec-stop');
  const dialog = page.get('rec-dialog');
  if (dialog) dialog.returnValue = 'yes';
  dialog?.onclose?.();
  await wait();
  assert.deepEqual(posted, ['/api/v1/place/consent']);
});

test('nor does one of a consent that the server was not heard to have taken', async () => {
  recording.heard({ ...OFF, state: 'asked', question: 'yours', may_agree: false });
  press('rec-yes');
  press('rec-no');
  await wait();
  assert.deepEqual(posted, ['/api/v1/place/consent']);
});

test('what was recorded before is taken back only after it was said that it goes', async () => {
  recording.heard({ ...OFF, state: 'on', granted: true, may_agree: false });
  recording.heard({ ...OFF, granted: true });
  const dialog = page.get('rec-dialog');
  let opened = 0;
  if (dialog) dialog.showModal = () => void (opened += 1);
  press('rec-stop');
  await wait();
  assert.deepEqual([opened, sent, posted], [1, [], []]);
  assert.equal(page.get('rec-end-words')?.textContent, 'rec.back_client');
  if (dialog) dialog.returnValue = 'yes';
  dialog?.onclose?.();
  await wait();
  assert.deepEqual(posted, ['/api/v1/place/consent']);
});

test('a question of our own that waits, with nothing recorded, is taken back at once', async () => {
  recording.heard({ ...OFF, state: 'asked', question: 'theirs', granted: true, may_agree: false });
  press('rec-stop');
  await wait();
  assert.deepEqual(posted, ['/api/v1/place/consent']);
});
