// @ts-check
/**
 * @file The RTCPeerConnection. The server offers and we answer; sound and picture leave this device only while
 * `allow(true)` holds, that is while the other person is `connected` and our own line carries.
 */

import { limitsOf } from './ladder.js';

/**
 * What the offer's Opus line asks of us: bits a second, or undefined when it says nothing.
 * @param {string} sdp
 */
export function opusBitrate(sdp) {
  const type = /a=rtpmap:(\d+) opus\/48000/i.exec(sdp)?.[1];
  const line = type && new RegExp(`a=fmtp:${type} (.*)`).exec(sdp)?.[1];
  const rate = line && /(?:^|;)\s*maxaveragebitrate=(\d+)/.exec(line)?.[1];
  return rate ? Number(rate) : undefined;
}

/** Mime types this browser can receive, for `hello.codecs`. */
export function receivable() {
  /** @type {Set<string>} */
  const types = new Set();
  for (const kind of ['audio', 'video']) {
    for (const codec of globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? []) types.add(codec.mimeType);
  }
  return [...types].filter((type) => !/rtx|ulpfec|flexfec|CN$|telephone-event/i.test(type));
}

/** The session part and the m-lines of a description. @param {string} sdp */
const sections = (sdp) => sdp.split(/\r\n(?=m=)/);

/**
 * The offer as it is to be heard first when it brings back lines that were inactive in this connection: without their
 * SSRCs. Null when it brings back none. Chromium 156 does not connect a receiver whose line was inactive to the frames
 * of the SSRC it had before: it decodes them and shows none. Hearing once of no SSRC makes it forget the old one.
 * @param {string | undefined} before the description in force
 * @param {string} sdp
 */
export function withoutReturned(before, sdp) {
  if (!before) return null;
  const former = sections(before);
  const parts = sections(sdp).map((part, place) => {
    const back = place > 0 && /^a=inactive/m.test(former[place] ?? '') && !/^a=inactive/m.test(part);
    return back ? part.replace(/\r\na=ssrc(?:-group)?:.*/g, '') : part;
  });
  const forgetful = parts.join('\r\n');
  return forgetful === sdp ? null : forgetful;
}

/**
 * Whether this line of an offer is inactive.
 * @param {string} sdp
 * @param {string | null} mid
 */
export const isInactive = (sdp, mid) =>
  sections(sdp).some((part) => part.includes(`\r\na=mid:${mid}\r\n`) && /^a=inactive/m.test(part));

/**
 * A line that was never active is not made ready for sending: Chromium 156 would report for it each second (RTCP with
 * nothing in it), which in voice is half a MB an hour. One that was keeps its SSRCs.
 * @param {RTCPeerConnection} pc
 * @param {string} sdp
 */
async function answerTo(pc, sdp) {
  await pc.setRemoteDescription({ type: 'offer', sdp });
  for (const transceiver of pc.getTransceivers()) {
    if (transceiver.direction !== 'stopped' && !isInactive(sdp, transceiver.mid)) transceiver.direction = 'sendrecv';
  }
  await pc.setLocalDescription(await pc.createAnswer());
}

/**
 * @typedef {object} PeerEvents
 * @property {(leg: string, negotiation: number, sdp: string) => void} answer
 * @property {(stream: MediaStream) => void} remote the tracks of the other side changed
 * @property {(state: RTCPeerConnectionState) => void} connection
 * @property {() => void} failed a description did not fit: a fresh leg is needed
 */

export class Peer {
  /**
   * @param {RTCIceServer[]} iceServers
   * @param {PeerEvents} on
   */
  constructor(iceServers, on) {
    this.iceServers = iceServers;
    this.on = on;
    this.leg = '';
    /** @type {RTCPeerConnection | null} */
    this.pc = null;
    /** @type {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} */
    this.tracks = { audio: null, video: null };
    this.allowed = false;
    /** @type {import('./ladder.js').Picture} */
    this.picture = 'full';
    this.opusBps = /** @type {number | undefined} */ (undefined);
    this.stream = new MediaStream();
    this.queue = Promise.resolve();
  }

  /**
   * Applies an offer after all earlier ones and answers it.
   * @param {{leg: string, negotiation: number, sdp: string}} offer
   */
  offer(offer) {
    this.queue = this.queue.then(() => this.#negotiate(offer)).catch(() => this.on.failed());
    return this.queue;
  }

  /** @param {{leg: string, negotiation: number, sdp: string}} offer */
  async #negotiate({ leg, negotiation, sdp }) {
    if (leg !== this.leg) {
      if (negotiation !== 1) return; // A leg of the page before this one; a fresh leg has been asked for.
      this.#renew(leg);
    }
    const pc = this.pc;
    if (!pc) return;
    this.opusBps = opusBitrate(sdp);
    const first = withoutReturned(pc.remoteDescription?.sdp, sdp);
    if (first) await answerTo(pc, first);
    await answerTo(pc, sdp);
    if (pc !== this.pc) return;
    this.on.answer(leg, negotiation, pc.localDescription?.sdp ?? '');
    await this.#attach();
    this.#collect();
  }

  /** @param {string} leg */
  #renew(leg) {
    this.#shut();
    this.leg = leg;
    const pc = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: 'max-bundle' });
    this.pc = pc;
    pc.onconnectionstatechange = () => pc === this.pc && this.on.connection(pc.connectionState);
    pc.ontrack = () => pc === this.pc && this.#collect();
  }

  /** Puts the receiving tracks into one stream, which the page's picture plays. */
  #collect() {
    const wanted = (this.pc?.getTransceivers() ?? [])
      .filter((transceiver) => /recv/.test(transceiver.currentDirection ?? transceiver.direction))
      .map((transceiver) => transceiver.receiver.track);
    let changed = false;
    for (const track of this.stream.getTracks()) {
      if (!wanted.includes(track)) {
        this.stream.removeTrack(track);
        changed = true;
      }
    }
    for (const track of wanted) {
      if (!this.stream.getTracks().includes(track)) {
        this.stream.addTrack(track);
        changed = true;
      }
    }
    if (changed) this.on.remote(this.stream);
  }

  /**
   * What this device would send. Null for a kind that is off.
   * @param {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} tracks
   */
  use(tracks) {
    this.tracks = tracks;
    return this.#attach();
  }

  /** Whether our sound leaves this device now. */
  get sends() {
    return this.allowed && Boolean(this.tracks.audio);
  }

  /**
   * Whether sound and picture may leave this device now.
   * @param {boolean} allowed
   */
  allow(allowed) {
    if (allowed === this.allowed) return;
    this.allowed = allowed;
    void this.#attach();
  }

  /**
   * What each sender was last asked to send: `sender.track` says it only when the browser has done so, and a wish that is
   * taken back before that must be asked for too.
   * @type {WeakMap<RTCRtpSender, MediaStreamTrack | null>}
   */
  #asked = new WeakMap();

  /** @param {RTCRtpSender} sender @param {MediaStreamTrack | null} track */
  async #send(sender, track) {
    const asked = this.#asked.has(sender) ? this.#asked.get(sender) : sender.track;
    if (asked === track) return;
    this.#asked.set(sender, track);
    await sender.replaceTrack(track).catch(() => {
      if (this.#asked.get(sender) === track) this.#asked.delete(sender);
    });
  }

  async #attach() {
    const pc = this.pc;
    for (const transceiver of pc?.getTransceivers() ?? []) {
      const kind = transceiver.receiver.track.kind === 'audio' ? 'audio' : 'video';
      const active = /send/.test(transceiver.currentDirection ?? '');
      const paused = kind === 'video' && this.picture === 'paused';
      const track = this.allowed && active && !paused ? this.tracks[kind] : null;
      await this.#send(transceiver.sender, track);
      if (track) await this.#limit(transceiver.sender, kind);
    }
  }

  /**
   * @param {RTCRtpSender} sender
   * @param {'audio' | 'video'} kind
   */
  async #limit(sender, kind) {
    const parameters = sender.getParameters();
    const [encoding] = parameters.encodings ?? [];
    if (!encoding) return;
    if (kind === 'video' && this.picture !== 'paused') {
      Object.assign(encoding, limitsOf(this.picture, sender.track?.getSettings() ?? {}));
      Object.assign(parameters, { degradationPreference: 'balanced' });
    } else if (kind === 'audio') encoding.maxBitrate = this.opusBps;
    await sender.setParameters(parameters).catch(() => undefined); // Limits are a wish; media flows without them.
  }

  /**
   * Sends a smaller picture, none, or the full one again.
   * @param {import('./ladder.js').Picture} picture
   */
  setPicture(picture) {
    if (picture === this.picture) return;
    this.picture = picture;
    void this.#attach();
  }

  /** @returns {Promise<RTCStatsReport | null>} */
  async stats() {
    return (await this.pc?.getStats().catch(() => null)) ?? null;
  }

  #shut() {
    const pc = this.pc;
    this.pc = null;
    this.leg = '';
    if (!pc) return;
    pc.onconnectionstatechange = pc.ontrack = null;
    pc.close();
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
  }

  /** Idempotent. */
  close() {
    this.#shut();
    this.on.remote(this.stream);
  }
}
