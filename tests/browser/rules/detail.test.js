// @ts-check
/** @file What stands behind the pill, in words: run by node, with a page that has nothing but texts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

const texts = { 'pill.kind_loss': 'hilang', 'pill.way_mine_up': 'saat mengirim', 'pill.cause_mine': 'Di sini: {cause}.', 'pill.grade_poor': 'lemah', 'pill.in_ms': '{value} md', 'pill.in_pct': '{value} %', 'pill.in_mos': '{value} dari 5', 'pill.in_up': '{value} kbit/dtk' };
Object.assign(globalThis, {
  document: { getElementById: () => ({ textContent: JSON.stringify(texts) }), documentElement: { lang: 'id' } },
});
const { cause, figure } = await import('../../../web/static/js/room/detail.js');

/** @type {[string, string | number | null, string][]} */
const SAID = [
  ['grade', 'poor', 'lemah'],
  ['rtt_ms', 84.6, '85 md'],
  ['loss_up_pct', 2.25, '2,3 %'],
  ['mos', 4, '4,0 dari 5'],
  ['kbps_up', 1234.4, '1.234 kbit/dtk'],
  ['bytes', 12_300_000, '12 MB'],
  ['rtt_ms', 0, '0 md'],
  ['rtt_ms', null, '–'],
];

test('every value is said in the language of who reads, an unknown one with a dash', () => {
  for (const [of, value, words] of SAID) assert.equal(figure(of, { [of]: value }), words, of);
});

test('a line of which nothing was told yet is unknown', () => {
  assert.equal(figure('mos', undefined), '–');
  assert.equal(figure('mos', {}), '–');
});

test('what a line has is said with its way, and nothing of a line that is good', () => {
  assert.equal(cause('mine', { grade: 'poor', kind: 'loss', direction: 'up' }), 'Di sini: hilang, saat mengirim.');
  assert.equal(cause('mine', { grade: 'poor', kind: 'loss' }), 'Di sini: hilang.');
  assert.equal(cause('mine', { grade: 'good' }), '');
});
