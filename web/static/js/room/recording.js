// @ts-check
/**
 * @file The sign of the recording, which nobody can put away; the question; off the record, and the end.
 * The server decides and says how it stands (signaling/PROTOCOL.md, consent and recording).
 */

import { action, box, byId, set, write } from './dom.js';
import { clock, language, t } from './i18n.js';
import { speak, toast } from './screen.js';

/**
 * @typedef {object} Standing what the server says, as this side sees it
 * @property {'off'|'asked'|'on'|'paused'} state
 * @property {string} [since]
 * @property {string} [reason] why it ended
 * @property {boolean} granted our own consent
 * @property {'yours'|'theirs'} [question] whose answer is awaited
 * @property {boolean} may_agree agreeing unasked would do something
 * @property {string[]} off_record who said so
 * @property {string} terms the version of the text
 */

/** What the buttons of the sign are there for, in each state. @param {Standing} now @param {string} me */
export function offers(now, me) {
  const off = now.off_record.includes(me);
  return {
    ask: now.state === 'off' && now.may_agree,
    pause: runs(now) && !off,
    resume: now.state === 'paused' && off,
    stop: runs(now) || (now.granted && now.question !== 'yours'),
  };
}

/** Whether something is recorded, or will be when a pause ends. @param {Standing | null} now */
const runs = (now) => now?.state === 'on' || now?.state === 'paused';

/** Which words stand on the sign. @param {Standing} now @param {string} me */
export function words(now, me) {
  if (now.state === 'paused') {
    if (!now.off_record.length) return 'rec.paused_line';
    return now.off_record.includes(me) ? 'rec.paused' : 'rec.paused_other';
  }
  if (now.state === 'asked') return now.question === 'theirs' ? 'rec.waiting' : now.question === 'yours' ? 'rec.asked' : 'rec.starting';
  return now.state === 'on' ? 'rec.on' : 'rec.off';
}

/** So long a withdrawal waits for the socket before it goes by HTTP. */
const WITHDRAW_WITHIN_MS = 2_000;

export class Recording {
  /**
   * @param {object} of
   * @param {(type: string, fields: Record<string, unknown>) => Promise<unknown>} of.request
   * @param {() => {me: string, name: string, role: string, skewMs: number, mode: string}} of.call
   */
  constructor({ request, call }) {
    this.request = request;
    this.call = call;
    /** @type {Standing | null} */
    this.now = null;
    /** The question is open because we want to ask, not because we are asked. */
    this.asking = false;
    /** Our yes is on its way. */
    this.agreeing = false;
    /** What stays when the session is over: that we agreed once, and that something was recorded. */
    this.agreed = false;
    this.recorded = false;
    /** Whether we have a page of our recordings, and a supervisor may open them. */
    this.login = true;
    this.dialog = byId('rec-dialog', HTMLDialogElement);
    action('rec-ask').onclick = () => this.#ask(true);
    action('rec-pause').onclick = () => void this.#send('recording', { off_record: true });
    action('rec-resume').onclick = () => void this.#send('recording', { off_record: false });
    action('rec-stop').onclick = () => this.#confirm();
    action('rec-no').onclick = () => {
      if (this.asking) this.#ask(false);
      else void this.#consent(false);
    };
    action('rec-yes').onclick = () => {
      this.asking = false;
      void this.#consent(true);
    };
    this.dialog.onclose = () => this.dialog.returnValue === 'yes' && void this.#consent(false);
  }

  /** What the server knows of before this page. @param {import('./place.js').Place} place */
  begin({ agreed, recorded, login }) {
    this.agreed = agreed;
    this.recorded = recorded;
    this.login = login;
    box('rec-who').hidden = !login;
    box('rec-who-guest').hidden = login;
  }

  /** @param {Standing} now */
  heard(now) {
    const before = this.now;
    this.now = now;
    this.agreed ||= now.granted;
    this.recorded ||= runs(now);
    if (now.state !== 'off' || !now.may_agree) this.asking = false;
    // Its words were of how it stood before.
    if (!offers(now, this.call().me).stop || runs(now) !== runs(before)) this.dialog.close();
    const fresh = words(now, this.call().me) !== (before && words(before, this.call().me));
    if (now.reason) toast(t(`rec.ended_${now.reason}`));
    else if (before && before.question === 'theirs' && now.state === 'off') toast(t('rec.not'));
    else if (fresh && (before || now.state !== 'off')) speak(t(words(now, this.call().me), { name: this.call().name }));
    this.show();
  }

  show() {
    const { now } = this;
    const { me, name, role, skewMs, mode } = this.call();
    box('rec').hidden = !now || mode === 'chat';
    if (!now) return;
    set(box('rec'), 'data-state', now.state);
    write(box('rec-words'), t(words(now, me), { name }));
    const since = now.state === 'on' && now.since ? (Date.now() + skewMs - Date.parse(now.since)) / 1000 : null;
    write(box('rec-time'), since === null ? '' : clock(since));
    const can = offers(now, me);
    action('rec-ask').hidden = !can.ask || this.asking;
    action('rec-pause').hidden = !can.pause;
    action('rec-resume').hidden = !can.resume;
    action('rec-stop').hidden = !can.stop;
    write(action('rec-stop'), t(runs(now) ? 'rec.stop' : 'rec.take_back'));
    const asked = now.question === 'yours';
    box('rec-question').hidden = !asked && !this.asking;
    write(box('rec-title'), t(asked ? `rec.title_${role}` : 'rec.title_ask', { name }));
    write(action('rec-yes'), t(asked ? 'rec.yes' : 'rec.yes_ask'));
    write(action('rec-no'), t(asked ? 'rec.no' : 'rec.no_ask'));
    const text = byId('rec-text', HTMLAnchorElement);
    text.href = `/texts/recording/${now.terms}`;
  }

  /** Where one goes on to at the end, if to anywhere. @param {string} participant */
  showKept(participant) {
    const { login } = this;
    const kept = login ? this.recorded : this.agreed;
    const link = byId('gone-kept-link', HTMLAnchorElement);
    box('gone-kept').hidden = !kept;
    link.href = login ? '/me/recordings' : `/api/v1/place/${encodeURIComponent(participant)}/receipts`;
    link.toggleAttribute('download', !login);
    write(link, t(login ? 'rec.kept_own' : 'rec.kept_receipt'));
    write(box('gone-kept-words'), t(login ? 'rec.kept_own_words' : 'rec.kept_receipt_words'));
  }

  /** The session is over, or another begins: nothing is known of it. */
  forget() {
    this.now = null;
    this.asking = false;
    this.dialog.close();
    this.show();
  }

  /** @param {boolean} open */
  #ask(open) {
    this.asking = open;
    this.show();
    if (open) box('rec-title').focus();
  }

  #confirm() {
    const running = runs(this.now);
    // A question that waits takes nothing with it. What was recorded goes, and is asked for first.
    if (!running && !this.recorded) return void this.#consent(false);
    const what = running ? 'end' : 'back';
    for (const part of ['title', 'no', 'yes']) write(box(`rec-end-${part}`), t(`rec.${what}_${part}`));
    write(box('rec-end-words'), t(`rec.${what}_${this.call().role}${this.login ? '' : '_guest'}`));
    this.dialog.returnValue = 'no';
    this.dialog.showModal();
    return undefined;
  }

  /** @param {boolean} granted */
  async #consent(granted) {
    const takesBack = !granted && (this.now?.granted || this.agreeing);
    const said = this.#send('consent', { subject: 'recording', granted, terms: this.now?.terms ?? '', locale: language });
    if (granted) {
      this.agreeing = true;
      return said.finally(() => (this.agreeing = false));
    }
    // It waits for a lost line. So may a no to a question, which takes nothing back; a withdrawal waits for nothing.
    if (!takesBack) return said;
    const slow = new Promise((done) => setTimeout(() => done('slow'), WITHDRAW_WITHIN_MS));
    if ((await Promise.race([said, slow])) === 'slow') await this.#withdrawByHttp();
    return undefined;
  }

  async #withdrawByHttp() {
    const body = JSON.stringify({ participant: this.call().me, subject: 'recording', granted: false });
    const headers = { 'Content-Type': 'application/json' };
    const done = await fetch('/api/v1/place/consent', { method: 'POST', headers, body }).then(
      (answer) => answer.ok,
      () => false,
    );
    toast(t(!done ? 'rec.not_now' : this.now?.granted ? 'rec.ended_withdrawn' : 'rec.not'));
  }

  /** @param {string} type @param {Record<string, unknown>} fields */
  async #send(type, fields) {
    try {
      await this.request(type, fields);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      toast(t(code === 'not_there' ? 'rec.not_there' : code === 'terms_outdated' ? 'rec.outdated' : 'rec.not_now'));
    }
    this.show();
  }
}
