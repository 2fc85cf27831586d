// @ts-check
/** @file What picture is sent, where the session goes, and what a data budget leaves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Budget, CHAT_MOVES_MS, CHAT_OPENS_MS, STEPS, answerTo, chosen, limitsOf, meaning, withoutVoice } from '../../../web/static/js/room/ladder.js';

/** @typedef {import('../../../web/static/js/room/ladder.js').Picture} Picture */
/** @typedef {import('../../../web/static/js/room/ladder.js').Rung} Rung */

const FREE = { hand: /** @type {const} */ (''), line: /** @type {Picture} */ ('full'), data: /** @type {Picture} */ ('full'), theirs: /** @type {Picture} */ ('full') };

/** @type {[Partial<Parameters<typeof chosen>[0]>, ReturnType<typeof chosen>][]} */
const CHOICES = [
  [{}, { step: 'full', by: undefined }],
  [{ line: 'small' }, { step: 'small', by: 'line' }],
  [{ line: 'less', data: 'paused' }, { step: 'paused', by: 'data' }],
  [{ line: 'paused', data: 'less' }, { step: 'paused', by: 'line' }],
  [{ hand: 'full', line: 'paused', data: 'small' }, { step: 'full', by: 'user' }],
  [{ hand: 'paused' }, { step: 'paused', by: 'user' }],
  [{ hand: 'full', theirs: 'less' }, { step: 'less', by: 'data' }],
  [{ hand: 'small', theirs: 'less' }, { step: 'small', by: 'user' }],
  [{ line: 'less', theirs: 'paused' }, { step: 'paused', by: 'data' }],
];

test("a person's choice goes before the line and the data, and what the other takes before all", () => {
  for (const [wishes, expected] of CHOICES) assert.deepEqual(chosen({ ...FREE, ...wishes }), expected, JSON.stringify(wishes));
});

test('each step costs less than the one before, on its shorter side', () => {
  const wide = { width: 1280, height: 720 };
  assert.deepEqual(limitsOf('full', wide), { maxBitrate: 900_000, maxFramerate: 24, scaleResolutionDownBy: 1 });
  assert.deepEqual(limitsOf('less', wide), { maxBitrate: 300_000, maxFramerate: 15, scaleResolutionDownBy: 2 });
  assert.deepEqual(limitsOf('small', { width: 720, height: 1280 }), { maxBitrate: 100_000, maxFramerate: 10, scaleResolutionDownBy: 4 });
  assert.equal(limitsOf('less', { width: 320, height: 240 }).scaleResolutionDownBy, 1);
  assert.equal(limitsOf('small', {}).scaleResolutionDownBy, 1);
});

/** @type {[Parameters<typeof answerTo>[0], ReturnType<typeof answerTo>][]} */
const ADVICE = [
  [{ advice: undefined, mode: 'video', byHand: false }, {}],
  [{ advice: 'reduce_video', mode: 'video', byHand: false }, {}],
  [{ advice: 'voice', mode: 'video', byHand: false }, { ask: 'voice' }],
  [{ advice: 'voice', mode: 'video', byHand: true }, {}],
  [{ advice: 'video', mode: 'voice', byHand: false }, { ask: 'video' }],
  [{ advice: 'video', mode: 'voice', byHand: true }, {}],
  [{ advice: 'video', mode: 'chat', byHand: false }, {}],
  [{ advice: 'chat', mode: 'voice', byHand: false }, { ask: 'chat', open: true }],
  [{ advice: 'chat', mode: 'voice', byHand: true }, { open: true }],
  [{ advice: 'voice', mode: 'chat', byHand: false }, { offer: 'voice' }],
  [{ advice: 'dance', mode: 'video', byHand: false }, {}],
];

test('advice moves the session, but no voice begins by itself and no choice is undone', () => {
  for (const [facts, expected] of ADVICE) assert.deepEqual(answerTo(facts), expected, JSON.stringify(facts));
});

test('a lost voice opens the chat while the server hears us, and a cut does not', () => {
  assert.deepEqual(withoutVoice({ silentMs: CHAT_OPENS_MS - 1, socket: true, byHand: false }), {});
  assert.deepEqual(withoutVoice({ silentMs: CHAT_OPENS_MS, socket: true, byHand: false }), { open: true });
  assert.deepEqual(withoutVoice({ silentMs: CHAT_MOVES_MS, socket: true, byHand: false }), { ask: 'chat', open: true });
  assert.deepEqual(withoutVoice({ silentMs: CHAT_MOVES_MS, socket: true, byHand: true }), { open: true });
  assert.deepEqual(withoutVoice({ silentMs: 10 * CHAT_MOVES_MS, socket: false, byHand: false }), {});
});

/** Bytes a minute that the line really takes at each rung: less than the budget reckons with, as a talk has pauses. */
const TAKES = /** @type {Record<Rung, number>} */ ({ full: 12e6, less: 5e6, small: 2.2e6, paused: 0.8e6, voice: 0.24e6, chat: 0.005e6 });

/**
 * Lives a session second by second, obeying the budget.
 * @param {Budget} budget
 * @param {{minutes: number, endsInS?: number, at?: number, used?: number}} session
 */
function live(budget, { minutes, endsInS, at = 0, used = 0 }) {
  /** @type {{s: number, rung: Rung}[]} */
  const rungs = [];
  /** @type {{s: number, soon: Rung}[]} */
  const told = [];
  for (let s = at; s < at + 60 * minutes; s += 1) {
    const { rung, soon } = budget.look({ now: 1000 * s, used, present: budget.rung, endsInS: endsInS === undefined ? null : endsInS - s });
    if (rungs[rungs.length - 1]?.rung !== rung) rungs.push({ s, rung });
    if (soon) told.push({ s, soon });
    used += TAKES[rung] / 60;
  }
  return { used, rungs, told };
}

test('without a limit nothing is stepped down or told', () => {
  const { rungs, told } = live(new Budget(null), { minutes: 60 });
  assert.deepEqual([rungs.map(({ rung }) => rung), told], [['full'], []]);
});

for (const mb of [10, 16, 25, 50, 100, 250, 1000]) {
  test(`${mb} MB last for an hour whose end is known, and are not exceeded`, () => {
    const { used, rungs } = live(new Budget(mb * 1e6), { minutes: 60, endsInS: 3600 });
    assert.ok(used <= mb * 1e6, `${used}`);
    if (mb >= 16) assert.ok(rungs.every(({ rung }) => rung !== 'chat'), JSON.stringify(rungs));
  });
  test(`${mb} MB are not exceeded when nobody knows the end, and the talk goes on in words`, () => {
    const { used, rungs, told } = live(new Budget(mb * 1e6), { minutes: 240 });
    assert.ok(used <= mb * 1e6, `${used}`);
    const order = rungs.map(({ rung }) => rung);
    assert.deepEqual(order, [...order].sort((a, b) => [...STEPS, 'voice', 'chat'].indexOf(a) - [...STEPS, 'voice', 'chat'].indexOf(b)), 'down only');
    for (const { s, rung } of rungs) {
      const warned = told.find(({ soon }) => soon === rung);
      if (s > 60 && (rung === 'paused' || rung === 'voice' || rung === 'chat')) assert.ok(warned && warned.s < s && s - warned.s <= 120, `${rung} ${JSON.stringify(told)}`);
    }
  });
}

test('steps of a budget are eight seconds apart', () => {
  const { rungs } = live(new Budget(3e6), { minutes: 30 });
  for (let i = 2; i < rungs.length; i += 1) assert.ok((rungs[i]?.s ?? 0) - (rungs[i - 1]?.s ?? 0) >= 8);
});

test('a greater limit brings back what the smaller one took', () => {
  const budget = new Budget(5e6);
  const { used } = live(budget, { minutes: 5 });
  assert.notEqual(budget.rung, 'full');
  budget.set(500e6);
  const { rungs } = live(budget, { minutes: 1, at: 300, used });
  assert.equal(rungs[0]?.rung, 'full');
});

test('the pace is that of the last minute, and the minutes follow from it', () => {
  const budget = new Budget(100e6);
  let standing = budget.look({ now: 0, used: 0, present: 'small', endsInS: null });
  assert.equal(standing.minutes, null);
  for (let s = 0; s <= 120; s += 1) standing = budget.look({ now: 1000 * s, used: s < 60 ? 1e5 * s : 6e6 + 5e4 * (s - 60), present: 'small', endsInS: null });
  assert.ok(Math.abs(standing.pace - 3e6) < 2e5, `${standing.pace}`);
  assert.ok(Math.abs((standing.minutes ?? 0) - (100e6 - 9e6) / 3e6) < 2);
});

test('every rung means a picture and a mode', () => {
  assert.deepEqual(meaning('small'), { picture: 'small', mode: 'video' });
  assert.deepEqual(meaning('voice'), { picture: 'paused', mode: 'voice' });
  assert.deepEqual(meaning('chat'), { picture: 'paused', mode: 'chat' });
});
