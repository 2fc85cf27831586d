// @ts-check
/**
 * @file The call as this page lives it: what the server says and what the lines show goes in, the page's state comes
 * out, and sound and picture are let go only while both people are there.
 */

import { t } from './i18n.js';
import { Peer, receivable } from './peer.js';
import { Sending } from './sending.js';
import { Signal } from './signal.js';
import { standing } from './state.js';
import { Steps } from './steps.js';
import { toast } from './screen.js';
import { renewPlace } from './place.js';
import { Watch } from './watch.js';

/** @typedef {import('./signal.js').Message} Message */
/** @typedef {import('./state.js').Mode} Mode */

/**
 * @typedef {object} CallOptions
 * @property {import('./place.js').Place} place
 * @property {ReturnType<typeof import('./place.js').keeper>} kept
 * @property {ReturnType<typeof import('./state.js').makeState>} state
 * @property {import('./devices.js').Devices} devices
 * @property {{mic: boolean, camera: boolean}} wish what the person wants to send
 * @property {Mode | null} wanted the way of talking chosen before entering
 * @property {() => void} changed show everything anew
 * @property {(stream: MediaStream) => void} remote
 * @property {(why: string, by: string, told: boolean) => void} over the call is over for this page; `told`: the server knows
 * @property {(question: {id: string, device: string, place?: string}, answer: (admit: boolean) => void) => void} takeover
 * @property {import('./chat.js').Chat} chat
 * @property {() => void} openChat
 * @property {() => void} openSaving
 * @property {(message: Message) => void} recording how the recording stands now
 */

export class Call {
  /** @param {CallOptions} options */
  constructor(options) {
    this.options = options;
    const { place, kept } = options;
    this.me = place.participant;
    /** @type {{id: string, role: string, name: string, state: string, media: {audio: boolean, video: boolean, picture?: string, by?: string, receive?: string} | null, quickly: boolean}} */
    this.other = { id: '', role: '', name: '', state: 'absent', media: null, quickly: false };
    this.held = false;
    this.met = false;
    this.socket = false;
    this.startedAt = /** @type {number | null} */ (null);
    this.endsAt = /** @type {number | null} */ (null);
    this.brokenAt = /** @type {number | null} */ (null);
    this.bytes = 0;
    /** @type {Record<string, any>} */
    this.grades = {};
    this.endedBy = { reason: '', by: '' };
    /** How long the server keeps our place, in s. */
    this.graceS = 600;
    /** When the session's socket last came or went, ms, monotonic. */
    this.openedAt = 0;
    /** The two go on by telephone. */
    this.phone = false;
    this.over = false;
    let ticket = place.ticket;
    this.signal = new Signal({
      ticket: async () => {
        const now = ticket || (await renewPlace(place.participant)).ticket;
        ticket = '';
        return now;
      },
      kept,
      codecs: receivable(),
      on: {
        message: (message) => this.#receive(message),
        open: (open) => this.#opened(open),
        closed: (why) => this.#finish(why),
      },
    });
    this.peer = this.#makePeer([]);
    this.steps = new Steps({
      peer: this.peer,
      kept,
      mode: () => options.state.mode,
      ask: (mode, reason) => {
        if (reason === 'user') this.setMode(mode);
        // What the line or the budget wants is asked again later; kept meanwhile, it would all go out at once.
        else if (this.socket) void this.signal.request('mode', { mode, reason }).catch(() => undefined);
      },
      say: () => this.sending?.say(),
      budget: (mb) => this.sending.say({ budget_mb: mb }),
      openChat: options.openChat,
      openSaving: options.openSaving,
    });
    this.sending = new Sending({
      ...options,
      mode: () => options.state.mode,
      peer: this.peer,
      tell: (media) => this.#say(media),
    });
    this.chat = options.chat;
    this.chat.use({
      request: (type, fields) => this.signal.request(type, fields),
      typing: () => this.signal.tell('typing'),
      me: () => this.me,
      nameOf: () => this.other.name || t(place.role === 'client' ? 'say.counselor' : 'say.client'),
      storage: `teduh.unsent.${place.participant}`,
    });
    this.watch = new Watch(this);
  }

  /** @param {RTCIceServer[]} servers */
  #makePeer(servers) {
    return new Peer(servers, {
      answer: (leg, negotiation, sdp) => void this.signal.request('answer', { leg, negotiation, sdp }).catch(() => undefined),
      remote: (stream) => this.options.remote(stream),
      connection: () => this.update(),
      failed: () => this.watch.restart(true),
    });
  }

  enter() {
    void this.signal.connect();
  }

  /** A paused picture is none. @param {{audio: boolean, video: boolean}} media */
  #say(media) {
    const { said } = this.steps;
    const video = media.video && said.picture !== 'paused';
    if (this.signal.welcomed) void this.signal.request('media', { ...media, video, ...said }).catch(() => undefined);
  }

  // --- from the server

  /** @type {Record<string, (message: Message) => void>} */
  #handlers = {
    welcome: (message) => this.#welcome(message),
    offer: (message) => {
      const { leg, negotiation, sdp } = /** @type {any} */ (message);
      if (leg !== this.peer.leg) this.watch.newLeg();
      void this.peer.offer({ leg, negotiation, sdp });
    },
    peer: (message) => {
      if (message.name === null || message.name === undefined) {
        this.held = true;
        return;
      }
      const before = this.other.state;
      this.other = { ...this.other, ...message, name: message.name, media: message.media ?? null, quickly: message.quickly === true };
      this.steps.peerSays(this.other.media);
      if (message.state === 'left' && before !== 'left' && this.met) toast(t('say.left', { name: message.name }));
    },
    session: (message) => {
      this.phone = message.phone === true;
      if (message.started_at) this.startedAt = Date.parse(message.started_at);
      if (message.ends_at) this.endsAt = Date.parse(message.ends_at);
    },
    mode: (message) => this.#moved(message.mode, message.by, message.reason),
    chat: (message) => this.chat.receive(message),
    typing: () => this.chat.theyType(),
    recording: (message) => this.options.recording(message),
    quality: (message) => {
      const before = this.grade;
      this.grades = message.participants ?? {};
      if (before.mine !== this.grade.mine || before.theirs !== this.grade.theirs) this.watch.reportSoon();
      this.bytes = Math.max(this.bytes, this.grades[this.me]?.bytes ?? 0);
      this.steps.heard(message);
    },
    takeover: (message) =>
      this.options.takeover({ id: message.id, device: message.device, place: message.place }, (admit) => {
        void this.signal.request('takeover', { id: message.id, admit }).catch(() => undefined);
      }),
    error: (message) => {
      if (message.code === 'no_common_codec') toast(t('say.no_common_codec'));
    },
    ended: (message) => {
      this.endedBy = { reason: message.reason ?? '', by: message.by ?? '' };
    },
  };

  /** @param {Message} message */
  #receive(message) {
    this.#handlers[message.type]?.(message);
    this.update();
  }

  /** @param {Message} message */
  #welcome(message) {
    const { session, you, peers, ice_servers: servers } = message;
    this.held = false;
    this.graceS = message.grace_s ?? this.graceS;
    this.phone = session.phone === true;
    this.me = you.id;
    this.startedAt = session.started_at ? Date.parse(session.started_at) : null;
    this.endsAt = session.ends_at ? Date.parse(session.ends_at) : null;
    const [other] = peers;
    if (other) this.other = { ...other, media: other.media ?? null, quickly: other.quickly === true };
    this.peer.iceServers = servers ?? [];
    this.steps.peerSays(this.other.media);
    this.steps.moved(session.mode, session.mode_reason, false);
    this.sending.moved(this.options.state.mode, session.mode, false, performance.now());
    this.options.state.mode = session.mode;
    const { wanted } = this.options;
    this.options.wanted = null;
    if (wanted && wanted !== session.mode && session.mode !== 'chat') void this.setMode(wanted);
    this.chat.resume();
    void this.sending.refresh();
  }

  /** @param {boolean} open */
  #opened(open) {
    this.socket = open;
    this.openedAt = performance.now();
    this.chat.allow(true);
    if (open) this.watch.opened();
    this.update();
  }

  /** @param {string} why @param {boolean} told whether the server knows */
  #finish(why, told = true) {
    if (this.over) return;
    const { reason, by } = this.endedBy;
    this.close();
    this.options.over(why, reason === 'time_over' ? 'time' : reason === 'not_come' ? 'missed' : by && by !== this.me ? 'other' : by ? 'me' : '', told);
  }

  // --- the lines

  /** What the server says of both lines; its grades are steady. */
  get grade() {
    return { mine: this.grades[this.me]?.grade, theirs: this.grades[this.other.id]?.grade };
  }

  /** The person asks for another try. */
  tryAgain() {
    this.signal.reconnect();
    this.watch.tryAgain();
  }

  /** Works out where we stand and lets sound and picture go accordingly. */
  update() {
    if (this.over) return;
    const { state } = this.options;
    const now = performance.now();
    if (!this.held && this.me && this.other.id) {
      const connection = this.peer.pc?.connectionState ?? 'new';
      const media = connection === 'connected' || connection === 'disconnected' || connection === 'failed';
      let where = standing({ mode: state.mode, peer: this.other.state, own: this.watch.own, media, met: this.met });
      if (where === 'met' && this.watch.their === 'silent') where = 'broke';
      if (where === 'broke') this.brokenAt ??= now;
      else this.brokenAt = null;
      state.apply(where);
      if (where === 'met') this.met = true;
    }
    this.peer.allow(state.mode !== 'chat' && this.other.state === 'connected' && this.watch.own === 'ok');
    this.options.changed();
  }

  /** @param {Mode} mode */
  async setMode(mode) {
    const moves = this.sending.choose(mode);
    const refreshed = this.sending.refresh(); // A camera that is not wanted goes at once, whatever the server hears.
    if (!moves) return refreshed;
    await this.signal.request('mode', { mode, reason: 'user' }).catch(() => undefined);
  }

  /**
   * The session moved to another way of talking.
   * @param {Mode} mode
   * @param {string | null} by
   * @param {string} reason
   */
  #moved(mode, by, reason) {
    const asked = by === this.me && reason === 'user'; // What the line took comes back like what another took.
    const off = this.sending.moved(this.options.state.mode, mode, asked, performance.now());
    this.options.state.mode = mode;
    this.steps.moved(mode, reason, by === this.me);
    const who = reason === 'network' ? 'line' : reason === 'data' ? 'data' : by === this.me ? 'me' : 'other';
    toast(`${t(`mode.${mode}_by_${who}`, { name: this.other.name })}${off ? ` ${t('say.camera_stays_off')}` : ''}`);
    void this.sending.refresh();
  }

  /** Leaves; the place is kept and the page offers to come back. */
  async leave() {
    const heard = this.signal.request('leave').then(
      () => true,
      () => false,
    );
    const late = new Promise((done) => window.setTimeout(() => done(false), 700));
    this.#finish('left', (await Promise.race([heard, late])) === true);
  }

  end() {
    void this.signal.request('end', {}).catch(() => toast(t('say.end_failed')));
  }

  /** Idempotent. */
  close() {
    if (this.over) return;
    this.over = true;
    this.watch.close();
    this.signal.close();
    this.peer.close();
    this.chat.allow(false);
    this.sending.close();
  }
}
