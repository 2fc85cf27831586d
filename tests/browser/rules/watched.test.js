// @ts-check
/** @file What a page tells of what was played: run by node, with a clock, a player and a network of the test's own. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

const page = {
  ms: 0,
  playing: false,
  /** What the server answers next; without one there is no network. @type {number | null} */
  status: 204,
  /** @type {object[]} */
  heard: [],
  over: false,
  dark: false,
  /** @type {Record<string, () => void>} */
  on: {},
  tick: () => {},
};
Object.assign(globalThis, {
  fetch: async (/** @type {string} */ _path, /** @type {{body: string}} */ { body }) => {
    if (page.status === null) throw new TypeError('no network');
    if (page.status < 400) page.heard.push(JSON.parse(body));
    return { status: page.status, ok: page.status < 400 };
  },
  setInterval: (/** @type {() => void} */ act) => (page.tick = act),
  addEventListener: (/** @type {string} */ name, /** @type {() => void} */ act) => (page.on[name] = act),
});
const { watch } = await import('../../../web/static/js/review/watched.js');

const settled = () => new Promise((done) => setImmediate(done));
/** @type {ReturnType<typeof watch>} */
let watched;
beforeEach(() => {
  Object.assign(page, { ms: 0, playing: false, status: 204, heard: [], over: false, dark: false });
  watched = watch('r_1', () => page, () => (page.over = true), (yes) => (page.dark = !yes));
});

/** Play on to a moment, and let the clock tick there. @param {number[]} moments */
async function play(...moments) {
  page.playing = true;
  for (const ms of moments) {
    page.ms = ms;
    page.tick();
    await settled();
  }
}

test('what is played is told every few seconds', async () => {
  watched.begin();
  await play(5000, 10_000);
  assert.deepEqual(page.heard, [{ from_ms: 0, to_ms: 5000 }, { from_ms: 5000, to_ms: 10_000 }]);
});

test('what is played without a network is told when it is back', async () => {
  watched.begin();
  await play(5000);
  page.status = null;
  await play(10_000, 15_000, 20_000);
  assert.equal(page.heard.length, 1);
  page.status = 204;
  page.on.online();
  await settled();
  assert.deepEqual(page.heard, [
    { from_ms: 0, to_ms: 5000 },
    { from_ms: 5000, to_ms: 20_000 },
  ]);
  page.playing = false;
  page.tick();
  await settled();
  assert.deepEqual(page.heard.slice(2), [{}], 'and not again');
});

test('a server that fails hears it later', async () => {
  watched.begin();
  page.status = 503;
  await play(5000);
  page.status = 204;
  page.playing = false;
  page.tick();
  await settled();
  assert.deepEqual(page.heard[0], { from_ms: 0, to_ms: 5000 });
});

test('no report is longer than the server believes', async () => {
  watched.begin();
  page.status = null;
  await play(...Array.from({ length: 40 }, (_, at) => 10_000 * (at + 1)));
  page.status = 204;
  page.tick();
  await settled();
  const told = /** @type {{from_ms: number, to_ms: number}[]} */ (page.heard);
  assert.ok(told.every((one) => one.to_ms - one.from_ms <= 60_000));
  assert.equal(told.reduce((sum, one) => sum + one.to_ms - one.from_ms, 0), 400_000);
});

test('what lies in a jump is not told', async () => {
  watched.begin();
  page.playing = true;
  page.ms = 3000;
  page.status = null;
  watched.leave();
  page.ms = 53_000;
  watched.begin();
  await play(54_000);
  page.status = 204;
  page.tick();
  await settled();
  assert.deepEqual(page.heard, [{ from_ms: 0, to_ms: 3000 }, { from_ms: 53_000, to_ms: 54_000 }]);
});

test('a page that is left tells all that it has', async () => {
  watched.begin();
  page.status = null;
  await play(5000);
  page.status = 204;
  watched.leave();
  page.ms = 60_000;
  watched.begin();
  page.ms = 61_000;
  page.on.pagehide();
  await settled();
  assert.deepEqual(page.heard, [{ from_ms: 0, to_ms: 5000 }, { from_ms: 60_000, to_ms: 61_000 }]);
});

test('what begins while the page says that it is there is told too', async () => {
  page.tick();
  watched.begin();
  page.playing = true;
  page.ms = 5000;
  watched.flush();
  await settled();
  page.playing = false;
  page.tick();
  await settled();
  assert.deepEqual(page.heard.slice(0, 2), [{}, { from_ms: 0, to_ms: 5000 }]);
});

test('who may not go on is told so, and tells nothing more', async () => {
  watched.begin();
  page.status = 403;
  await play(5000);
  assert.ok(page.over);
  page.status = 204;
  page.playing = false;
  watched.leave();
  page.tick();
  await settled();
  assert.deepEqual(page.heard, [{}]);
});

for (const status of [null, 503]) {
  test(`who hears no yes for 20 s sees nothing until the next one: ${status}`, async () => {
    watched.begin();
    await play(5000);
    page.status = status;
    await play(10_000, 15_000, 20_000);
    assert.ok(!page.dark, 'three times');
    await play(25_000);
    assert.ok(page.dark);
    page.status = 204;
    await play(25_000);
    assert.ok(!page.dark);
    assert.ok(!page.over);
  });
}

test('a request that hangs is no yes', async () => {
  watched.begin();
  const { fetch } = globalThis;
  globalThis.fetch = () => new Promise(() => {});
  await play(5000, 10_000, 15_000, 20_000);
  globalThis.fetch = fetch;
  assert.ok(page.dark);
});
