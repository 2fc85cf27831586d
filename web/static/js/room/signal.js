// @ts-check
/** @file The WebSocket: hello, refs sent again until answered, resume, heartbeat, reconnecting. See signaling/PROTOCOL.md. */

/** @typedef {{type: string, seq?: number, ref?: string} & Record<string, any>} Message */

/** Close codes after which the page must not come back by itself. */
export const FINAL = Object.freeze({ 4403: 'refused', 4404: 'unknown', 4409: 'elsewhere', 4410: 'ended' });

/** How long a socket may take to say its first word, in ms; a browser alone waits for minutes after a cut. */
export const PATIENCE_MS = 8000;

/**
 * Where beats are rare, as in chat: how soon to ask again, and how long an answer is waited for, in ms. A radio that rested takes seconds
 * to wake; and over TCP no ping is lost, but the next one does not wait for the retry of the one before.
 */
const AGAIN_MS = 2000;
const RESTED_MS = 6000;

/** Messages that mean nothing to a session that started afresh. */
const OF_A_LEG = new Set(['answer', 'restart']);
const NO_REF = new Set(['hello', 'ping', 'typing', 'quality']);

/** A name no other message of this session has. */
export function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
}

/**
 * How long to wait before the `attempt`-th try (from 0), in ms, with jitter so that a restarted server is not met by all at once.
 * @param {number} attempt
 * @param {number} random 0 to 1
 */
export const backoff = (attempt, random) => (attempt === 0 ? 100 * random : Math.min(2500, 300 * 2 ** (attempt - 1)) * (0.7 + 0.6 * random));

/**
 * @typedef {object} SignalEvents
 * @property {(message: Message) => void} message each message but `ok`, `error` with a ref and `pong`
 * @property {(open: boolean) => void} open whether the session hears us
 * @property {(why: string) => void} closed not to be reconnected: a value of FINAL or `token`
 */

export class Signal {
  /**
   * @param {object} options
   * @param {() => Promise<string>} options.ticket a ticket that is valid now; throws a PlaceError
   * @param {{read: () => {key?: string, seq?: number}, keep: (part: {key?: string, seq?: number}) => void}} options.kept
   * @param {string[]} options.codecs mime types this browser can receive
   * @param {SignalEvents} options.on
   */
  constructor({ ticket, kept, codecs, on }) {
    this.ticket = ticket;
    this.kept = kept;
    this.codecs = codecs;
    this.on = on;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Map<string, {message: Message, done: (message: Message) => void, failed: (error: Error) => void}>} */
    this.unanswered = new Map();
    this.welcomed = false;
    this.closed = false;
    this.attempt = 0;
    this.seq = 0;
    this.heartbeatMs = 2000;
    /** How many heartbeats may pass without a word before a ping: more in voice on a good line, each costs data. */
    this.pingEvery = 1;
    /** Nothing comes over the media's line either: one beat without an answer is enough then. */
    this.suspect = false;
    this.heardAt = 0;
    this.pingedAt = 0;
    /** When the first ping went out that nothing has answered yet, in ms. */
    this.askedAt = /** @type {number | null} */ (null);
    this.skewMs = 0;
    this.rttMs = /** @type {number | null} */ (null);
    /** @type {number | undefined} */
    this.retry = undefined;
    /** @type {number | undefined} */
    this.patience = undefined;
    this.beat = window.setInterval(() => this.#heartbeat(), 1000);
    this.#listen(window, 'online', () => this.reconnect());
    this.#listen(window, 'offline', () => this.probe());
    this.#listen(document, 'visibilitychange', () => {
      this.askedAt = null; // What a sleeping page did not hear says nothing about the line.
      if (document.visibilityState === 'visible') this.probe();
    });
  }

  /** @type {(() => void)[]} */
  #unlisten = [];

  /** @param {EventTarget} target @param {string} name @param {() => void} act */
  #listen(target, name, act) {
    target.addEventListener(name, act);
    this.#unlisten.push(() => target.removeEventListener(name, act));
  }

  /** Connects now; what is under way is given up. */
  async connect() {
    if (this.closed) return;
    window.clearTimeout(this.retry);
    this.#drop();
    let ticket;
    try {
      ticket = await this.ticket();
    } catch (error) {
      const kind = error instanceof Error && 'kind' in error ? error.kind : 'offline';
      if (kind === 'closed' || kind === 'none') this.#finish('token');
      else this.#again();
      return;
    }
    if (this.closed || this.socket) return;
    const url = new URL('/api/v1/signal', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, ['teduh.v1', `teduh.ticket.${ticket}`]);
    this.socket = socket;
    this.heardAt = performance.now();
    this.askedAt = null;
    window.clearTimeout(this.patience);
    this.patience = window.setTimeout(() => this.#lost(socket, 4408), PATIENCE_MS);
    socket.onopen = () => this.#hello();
    socket.onmessage = (event) => this.#receive(socket, JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(socket, event.code);
  }

  #hello() {
    const { key } = this.kept.read();
    /** @type {Message} */
    const hello = { type: 'hello', codecs: this.codecs };
    if (key) hello.resume = { key, seq: this.seq };
    this.#put(hello);
  }

  /** @param {WebSocket} socket @param {Message} message */
  #receive(socket, message) {
    if (socket !== this.socket) return;
    window.clearTimeout(this.patience);
    this.heardAt = performance.now();
    this.askedAt = null;
    if (typeof message.seq === 'number' && message.seq > this.seq) {
      this.seq = message.seq;
      this.kept.keep({ seq: this.seq });
    }
    const waiting = message.ref && (message.type === 'ok' || message.type === 'error') ? this.unanswered.get(message.ref) : undefined;
    if (message.ref && waiting) {
      this.unanswered.delete(message.ref);
      if (message.type === 'ok') waiting.done(message);
      else waiting.failed(Object.assign(new Error(message.code), { code: message.code }));
    }
    if (message.type === 'ok') return;
    if (message.type === 'pong') {
      this.rttMs = performance.now() - this.pingedAt;
      if (message.server_time) this.skewMs = Date.parse(message.server_time) - Date.now();
      return;
    }
    if (typeof message.heartbeat_s === 'number') this.heartbeatMs = 1000 * message.heartbeat_s;
    if (message.type === 'welcome') this.#welcome(message);
    this.on.message(message);
  }

  /** @param {Message} message */
  #welcome(message) {
    this.welcomed = true;
    this.attempt = 0;
    if (!message.resumed) this.seq = message.seq ?? 0;
    this.kept.keep({ key: message.resume_key, seq: this.seq });
    for (const [ref, entry] of [...this.unanswered]) {
      if (!message.resumed && OF_A_LEG.has(entry.message.type)) {
        this.unanswered.delete(ref);
        entry.failed(new Error('superseded'));
      } else this.#put(entry.message);
    }
    this.probe(); // The clocks are compared once at least.
    this.on.open(true);
  }

  /**
   * Sends now or as soon as the session hears us again. Resolves when the server handled it, rejects with its code.
   * @param {string} type
   * @param {Record<string, unknown>} [fields] may name its own `ref`, to send again what an earlier page sent
   * @returns {Promise<Message>}
   */
  request(type, fields = {}) {
    const ref = typeof fields.ref === 'string' ? fields.ref : newRef();
    /** @type {Message} */
    const message = { type, ...fields, ref };
    return new Promise((done, failed) => {
      this.unanswered.set(ref, { message, done, failed });
      if (!this.welcomed) return;
      this.#put(message);
      // Who writes into a line that broke is told so soon, and no ping is spent on it.
      if (type === 'chat' && this.#isRare) this.askedAt ??= performance.now();
    });
  }

  /**
   * Sends what may be lost: typing, quality, ping.
   * @param {string} type
   * @param {Record<string, unknown>} [fields]
   */
  tell(type, fields = {}) {
    if (!NO_REF.has(type)) throw new Error(`${type} needs a ref`);
    if (this.welcomed) this.#put({ type, ...fields });
  }

  /** @param {Message} message */
  #put(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Asks the server for a sign of life at once. */
  probe() {
    if (!this.socket || this.closed) return;
    this.pingedAt = performance.now();
    this.askedAt ??= this.pingedAt;
    this.tell('ping', { t: Math.round(this.pingedAt) });
  }

  /** Whether beats are rare, because nothing else goes over the line and each is paid for. */
  get #isRare() {
    return this.heartbeatMs > AGAIN_MS;
  }

  #heartbeat() {
    if (!this.welcomed || document.visibilityState === 'hidden') return;
    const now = performance.now();
    const asked = this.#isRare ? this.askedAt : null;
    const everyMs = asked === null ? this.heartbeatMs * this.pingEvery : AGAIN_MS;
    if (now - Math.max(this.pingedAt, this.heardAt, asked ?? 0) >= everyMs - 100) this.probe();
    const patienceMs = this.#isRare ? RESTED_MS : this.heartbeatMs * (this.suspect ? 1 : 2);
    if (this.askedAt !== null && now - this.askedAt > patienceMs) this.#lost(this.socket, 4408);
  }

  /** Tries at once: the network came back, or the person asked. */
  reconnect() {
    if (this.closed) return;
    if (this.welcomed) this.probe();
    else {
      this.attempt = 0;
      void this.connect();
    }
  }

  #drop() {
    const socket = this.socket;
    this.socket = null;
    if (this.welcomed) {
      this.welcomed = false;
      this.on.open(false);
    }
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {WebSocket | null} socket @param {number} code */
  #lost(socket, code) {
    if (socket !== this.socket) return;
    this.#drop();
    const why = /** @type {Record<number, string>} */ (FINAL)[code];
    if (why) this.#finish(why);
    else if (code === 4401 && this.attempt >= 2) this.#finish('token');
    else {
      if (code === 4400) this.kept.keep({ key: '', seq: 0 });
      this.#again(code === 4429 ? 10000 : 0);
    }
  }

  #again(leastMs = 0) {
    window.clearTimeout(this.retry);
    const wait = Math.max(leastMs, backoff(this.attempt++, Math.random()));
    this.retry = window.setTimeout(() => void this.connect(), wait);
  }

  /** @param {string} why */
  #finish(why) {
    this.close();
    this.on.closed(why);
  }

  /** Ends for good; what was not answered is given up. */
  close() {
    if (this.closed) return;
    this.closed = true;
    window.clearInterval(this.beat);
    window.clearTimeout(this.retry);
    window.clearTimeout(this.patience);
    for (const undo of this.#unlisten) undo();
    this.#drop();
    for (const entry of this.unanswered.values()) entry.failed(new Error('closed'));
    this.unanswered.clear();
  }
}
