// @ts-check
/**
 * @file The counselor's care for a client whose line breaks: the risk flag, what the client chose a drop to do, the
 * alarm that rings until somebody looks after it, and the telephone. A session that a program made has none of it.
 */

import { ring } from '../bell.js';
import { action, box, byId, set, write } from './dom.js';
import { t, timeOfDay } from './i18n.js';
import { toast } from './screen.js';

const ASK_MS = 2000;
const RING_MS = 4000;

/**
 * @typedef {object} Facts
 * @property {boolean} risk
 * @property {'call'|'write'|'nothing'} chose what the client asked for
 * @property {'call'|'write'|'nothing'} does what is done: nothing rings where the client was not alone
 * @property {string} write where to write to the client
 * @property {string} contact the page of the contact in danger
 * @property {{calling: boolean, broke_ms: number, kept_until_ms: number | null} | null} drop
 */

export class Care {
  /** @param {string} participant our own place */
  constructor(participant) {
    this.base = `/counselor/room/${encodeURIComponent(participant)}`;
    /** @type {Facts | null} */
    this.facts = null;
    this.number = '';
    this.askedAt = -Infinity;
    this.gone = false;
    /** There is no talk behind this session, or nobody is logged in. */
    this.none = false;
    /** @type {AudioContext | null} */
    this.audio = null;
    this.rangAt = -Infinity;
    this.title = document.title;
    action('risk').onclick = () => void this.#flag();
    action('care-call').onclick = () => void this.#call();
    action('care-seen').onclick = () => void this.#take('seen');
  }

  /**
   * @param {string} what
   * @param {object} [body]
   * @returns {Promise<any>} null when it failed
   */
  async #ask(what, body) {
    /** @type {RequestInit} */
    const asked = { cache: 'no-store' };
    if (body) Object.assign(asked, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
    try {
      const answer = await fetch(`${this.base}/${what}`, asked);
      if (what === 'care' && answer.status >= 400 && answer.status < 500) this.none = true;
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  /** @param {string} what @param {object} [body] */
  async #take(what, body = {}) {
    const facts = await this.#ask(what, body);
    if (facts) this.facts = facts;
    else toast(t('care.failed'));
    this.draw();
    return Boolean(facts);
  }

  async #flag() {
    const stands = !this.facts?.risk;
    if (await this.#take('risk', { stands })) toast(stands ? `${t('care.risk_on')} ${this.#does()}` : t('care.risk_off'));
  }

  /** What a drop does, in words. */
  #does() {
    const { chose = 'nothing', does = 'nothing' } = this.facts ?? {};
    return t(chose === 'call' && does !== 'call' ? 'care.not_alone' : `care.${does}`);
  }

  async #call() {
    const found = await this.#ask('call', {});
    if (!found) return toast(t('care.failed'));
    this.number = found.number;
    if (this.facts?.drop) this.facts.drop.calling = false;
    this.draw();
    byId('care-number', HTMLAnchorElement).focus();
    return undefined;
  }

  /** The first look, when the room is entered: from then on sound may begin, for something was pressed. */
  async begin() {
    this.audio ??= new AudioContext();
    this.facts = await this.#ask('care');
    this.draw();
  }

  /**
   * Looks how the client's line is; asks and rings while it is gone.
   * @param {boolean} gone
   * @param {boolean} quickly they left by the quick exit: nothing is done about it
   */
  look(gone, quickly) {
    if (this.none || !this.facts) return;
    const now = performance.now();
    const was = this.gone;
    this.gone = gone && !quickly;
    if (!this.gone) {
      if (was) {
        this.number = '';
        if (this.facts.drop) this.facts.drop = null;
        this.draw();
      }
      return;
    }
    if (now - this.askedAt >= ASK_MS) {
      this.askedAt = now;
      void this.#ask('care').then((facts) => {
        if (facts) this.facts = facts;
        this.draw();
      });
    }
    if (this.facts.drop?.calling && now - this.rangAt >= RING_MS) {
      this.rangAt = now;
      const rang = ring(this.audio);
      set(box('care'), 'data-rang', String(Number(box('care').dataset.rang ?? 0) + Number(rang)));
    }
    if (!was) this.draw();
  }

  draw() {
    const facts = this.facts;
    const flag = action('risk');
    flag.hidden = !facts;
    set(flag, 'aria-pressed', String(facts?.risk === true));
    const care = box('care');
    care.hidden = !facts || !this.gone;
    const alarmed = this.gone && facts?.drop?.calling === true;
    set(care, 'data-calling', String(alarmed));
    document.title = alarmed ? `\u25CF ${this.title}` : this.title;
    if (!facts || care.hidden) return;
    write(box('care-words'), this.#does());
    const until = facts.drop?.kept_until_ms;
    write(box('care-kept'), until && until > Date.now() ? t('care.gone', { time: timeOfDay(new Date(until).toISOString()) }) : '');
    action('care-call').hidden = facts.does !== 'call' || this.number !== '';
    const number = byId('care-number', HTMLAnchorElement);
    number.hidden = this.number === '';
    number.href = `tel:${this.number.replaceAll(' ', '')}`;
    write(number, t('care.dial', { number: this.number }));
    write(box('care-careful'), this.number ? t('care.careful') : '');
    const writes = byId('care-write', HTMLAnchorElement);
    writes.hidden = facts.does === 'nothing';
    writes.href = facts.write;
    byId('care-contact', HTMLAnchorElement).href = facts.contact;
    action('care-seen').hidden = !facts.drop?.calling;
  }

  /** The room was left: nothing rings any more. */
  close() {
    this.gone = false;
    document.title = this.title;
    this.draw();
    void this.audio?.close();
    this.audio = null;
  }
}
