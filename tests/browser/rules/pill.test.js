// @ts-check
/** @file The words of the pill, as the table of what is known: run by node, with texts that are their own names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

const texts = Object.fromEntries(['starting', 'ready', 'good', 'fair', 'goes_on', 'reconnecting', 'theirs_lost', 'mine_weak', 'theirs_weak'].map((name) => [`pill.${name}`, name]));
Object.assign(globalThis, {
  document: { documentElement: { lang: 'en' }, getElementById: () => ({ textContent: JSON.stringify(texts) }) },
});
const { pill } = await import('../../../web/static/js/room/quality.js');

const whole = /** @type {Parameters<typeof pill>[0]} */ ({ state: 'connected', socket: true, own: true, mine: 'good', theirs: 'good' });

for (const [what, facts, grade, words] of /** @type {[string, Partial<typeof whole>, string, string][]} */ ([
  ['all is well', {}, 'good', 'good'],
  ['only the socket is away: sound and picture go on', { socket: false }, 'weak', 'goes_on'],
  ['the socket and our own line are away', { socket: false, own: false, state: 'interrupted' }, 'lost', 'reconnecting'],
  ['in chat the socket is the line', { socket: false, own: false }, 'lost', 'reconnecting'],
  ['the other is away', { state: 'interrupted' }, 'weak', 'theirs_lost'],
  ['our line is weak', { mine: 'poor', theirs: 'poor' }, 'weak', 'mine_weak'],
  ['nobody is there yet', { state: 'waiting' }, 'none', 'ready'],
])) {
  test(what, () => assert.deepEqual(pill({ ...whole, ...facts }), { grade, words }));
}
