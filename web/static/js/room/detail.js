// @ts-check
/** @file What is behind the pill: both lines in figures, as the server last told them, and what each has cost. */

import { byId, write } from './dom.js';
import { language, megabytes, t } from './i18n.js';

/** @typedef {Record<string, string | number | null>} Line */

/** Values with a digit behind the comma. */
const FINE = new Set(['loss_up_pct', 'loss_down_pct', 'mos']);

/**
 * One value in words; a dash where nothing is known.
 * @param {string} of
 * @param {Line | undefined} line
 */
export function figure(of, line) {
  const value = line?.[of] ?? null;
  if (value === null) return '–';
  if (of === 'grade') return t(`pill.grade_${value}`);
  if (of === 'bytes') return megabytes(Number(value));
  const digits = FINE.has(of) ? 1 : 0;
  const number = new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return t(`pill.in_${of.split('_').at(-1)}`, { value: number.format(Number(value)) });
}

/**
 * What a line has, in words; nothing while it is good.
 * @param {'mine' | 'theirs'} whose
 * @param {Line | undefined} line
 */
export function cause(whose, line) {
  if (!line?.kind) return '';
  const kind = t(`pill.kind_${line.kind}`);
  const way = line.direction ? t(`pill.way_${whose}_${line.direction}`) : '';
  return t(`pill.cause_${whose}`, { cause: way ? `${kind}, ${way}` : kind });
}

export function makeDetail() {
  const dialog = byId('line-dialog', HTMLDialogElement);
  const words = byId('line-words', HTMLElement);
  const causes = byId('line-cause', HTMLElement);
  const cells = /** @type {NodeListOf<HTMLElement>} */ (dialog.querySelectorAll('[data-of]'));
  return {
    /**
     * What holds now, while somebody looks.
     * @param {string} said the pill's words
     * @param {Line | undefined} mine
     * @param {Line | undefined} theirs
     */
    show(said, mine, theirs) {
      if (!dialog.open) return;
      write(words, said);
      write(causes, [cause('mine', mine), cause('theirs', theirs)].filter(Boolean).join(' '));
      causes.hidden = !causes.textContent;
      for (const cell of cells) write(cell, figure(cell.dataset.of ?? '', cell.dataset.side === 'mine' ? mine : theirs));
    },
    open() {
      if (!dialog.open) dialog.showModal();
    },
    close: () => dialog.close(),
  };
}
