// @ts-check
/**
 * @file The card of a broken line: that nobody did wrong, until when the place is kept, what a drop does, and numbers to
 * call without data. What it needs is asked for while there is a network, and stays in this tab.
 */

import { box, byId, write } from './dom.js';
import { t, timeOfDay } from './i18n.js';

/** A break that mends at once needs no card with numbers, in seconds. */
const SHOWN_AFTER_S = 3;
const ASK_AGAIN_MS = 15000;
/** Lines open and close, and what a drop does may be chosen anew. */
const OLD_AFTER_MS = 600000;

/** @typedef {{name: string, dial: string, spoken: string}} Telephone */
/** @typedef {{service: Telephone | null, lines: Telephone[], does: 'call'|'write'|'nothing' | null}} Facts */

/**
 * What the card says about the kept place.
 * @param {number} untilMs when it ends, ms since 1970
 * @param {number} nowMs
 */
export const keptWords = (untilMs, nowMs) =>
  nowMs < untilMs ? t('card.kept', { time: timeOfDay(new Date(untilMs).toISOString()) }) : t('card.kept_over');

export class Card {
  /**
   * @param {string} participant
   * @param {{keep: (part: {until?: number, does?: string}) => void}} kept
   */
  constructor(participant, kept) {
    this.participant = participant;
    this.kept = kept;
    /** @type {Facts | null} */
    this.facts = null;
    this.askedAt = -Infinity;
    this.knownAt = -Infinity;
    /** Until when the place is kept, ms since 1970; null while nothing is broken. */
    this.until = /** @type {number | null} */ (null);
  }

  /** Asks for what the card shows, again when it is old; a failure is asked again sooner. */
  async ask() {
    const now = performance.now();
    if (now - this.knownAt < OLD_AFTER_MS || now - this.askedAt < ASK_AGAIN_MS) return;
    this.askedAt = now;
    try {
      const answer = await fetch(`/api/v1/place/${encodeURIComponent(this.participant)}/card`, { cache: 'no-store' });
      if (!answer.ok) return;
      this.facts = await answer.json();
      this.knownAt = now;
      this.kept.keep({ does: this.facts?.does ?? '' });
      this.#fill();
    } catch {
      // Without a network the card says what it knows.
    }
  }

  #fill() {
    const { service = null, lines = [] } = this.facts ?? {};
    const call = byId('card-service', HTMLAnchorElement);
    call.hidden = !service;
    if (service) {
      call.href = service.dial;
      write(call, t('card.service', { number: service.spoken }));
    }
    box('card-lines').hidden = lines.length === 0;
    box('card-numbers').replaceChildren(
      ...lines.map(({ name, dial, spoken }) => {
        const link = document.createElement('a');
        link.className = 'button small';
        link.href = dial;
        link.textContent = `${name}: ${spoken}`;
        return link;
      }),
    );
  }

  /**
   * @param {object} scene
   * @param {boolean} scene.broken our own line is the broken one
   * @param {boolean} scene.client
   * @param {number | null} scene.seconds since it broke
   * @param {number} scene.graceS how long a place is kept
   */
  show({ broken, client, seconds, graceS }) {
    if (broken && seconds !== null && this.until === null) {
      // A little less than the server keeps it: that one notices later.
      this.until = Date.now() + 1000 * (graceS - seconds);
      this.kept.keep({ until: this.until });
    } else if (!broken && this.until !== null) {
      this.until = null;
      this.kept.keep({ until: 0 });
    }
    const shown = client && broken && this.until !== null && (seconds ?? 0) >= SHOWN_AFTER_S;
    box('card').hidden = !shown;
    if (!shown || this.until === null) return;
    write(box('card-kept'), keptWords(this.until, Date.now()));
    const does = this.facts?.does;
    write(box('card-does'), does ? t(`card.does_${does}`) : '');
    box('card-does').hidden = !does;
  }
}
