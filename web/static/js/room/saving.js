// @ts-check
/** @file The small menu of picture and data: which picture is sent, what the session may cost, and how far that reaches. */

import { box, byId, write } from './dom.js';
import { megabytes, t } from './i18n.js';

const MOST_MB = 100000;

/**
 * @param {object} does
 * @param {(picture: string) => void} does.choose
 * @param {(mb: number | null) => void} does.limit
 */
export function makeSaving({ choose, limit }) {
  const dialog = byId('saving-dialog', HTMLDialogElement);
  const pick = byId('pick-picture', HTMLSelectElement);
  const field = byId('budget', HTMLInputElement);
  pick.addEventListener('change', () => choose(pick.value));
  field.addEventListener('change', () => {
    const mb = Math.min(MOST_MB, Math.round(field.valueAsNumber));
    limit(mb >= 1 ? mb : null);
  });
  return {
    /** @param {import('./steps.js').Steps} steps */
    open({ hand, budget }) {
      pick.value = hand;
      field.value = budget.bytes === null ? '' : String(budget.bytes / 1e6);
      if (!dialog.open) dialog.showModal();
    },
    /**
     * What holds now; the bar's amount always, the rest while the menu is open.
     * @param {import('./steps.js').Steps} steps
     * @param {number} used bytes
     * @param {boolean} video
     */
    show({ sent, budget, standing }, used, video) {
      write(box('used-amount'), budget.bytes === null ? megabytes(used) : `${megabytes(used)} / ${megabytes(budget.bytes)}`);
      if (!dialog.open) return;
      const step = pick.querySelector(`[value="${sent.step}"]`)?.textContent ?? '';
      const why = sent.by === 'line' || sent.by === 'data' ? ` ${t(`data.why_${sent.by}`)}` : '';
      write(box('picture-now'), video ? `${t('data.now', { step })}${why}` : '');
      const spent = t('data.spent', { used: megabytes(used), pace: megabytes(standing?.pace ?? 0) });
      const { left = 0, minutes = null } = standing ?? {};
      const lasts = budget.bytes !== null && minutes !== null ? ` ${t('data.lasts', { left: megabytes(left), minutes: Math.floor(minutes) })}` : '';
      write(box('budget-now'), spent + lasts);
    },
  };
}
