// @ts-check
/**
 * @file The probe: a made-up picture and a tone go through the relay on one connection and come back on another, for
 * about five seconds. Nothing of the microphone or the camera is sent.
 */

/** @typedef {import('./advice.js').Line} Line */

const CONNECT_MS = 8_000;
const WARM_MS = 1_500;
const MEASURE_MS = 5_000;
const PROBE = '/talk/ready/probe';
export const LIMIT_BPS = 600_000;

/** The server does not try a line now: too many are being tried, or this one too often. Says nothing of the line. */
export class Refused extends Error {}

/**
 * @param {string} path
 * @param {object} [body]
 */
async function ask(path, body = {}) {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Refused(`probe ${answer.status}`);
  return answer.status === 204 ? {} : answer.json();
}

/** A moving picture that is hard to compress, and a tone that nobody hears. */
function madeUp() {
  const canvas = document.createElement('canvas');
  canvas.width = 480;
  canvas.height = 270;
  const paint = canvas.getContext('2d');
  const timer = setInterval(() => {
    if (!paint) return;
    for (let block = 0; block < 400; block += 1) {
      paint.fillStyle = `hsl(${Math.random() * 360} 70% ${Math.random() * 100}%)`;
      paint.fillRect(Math.random() * canvas.width, Math.random() * canvas.height, 24, 24);
    }
  }, 66);
  const context = new AudioContext();
  const tone = context.createOscillator();
  const sink = context.createMediaStreamDestination();
  tone.connect(sink);
  tone.start();
  const [video] = canvas.captureStream(15).getTracks();
  const [audio] = sink.stream.getTracks();
  const stop = () => {
    clearInterval(timer);
    video?.stop();
    audio?.stop();
    void context.close();
  };
  return { video: video ?? null, audio: audio ?? null, stop };
}

/**
 * @param {RTCPeerConnection} pc
 * @param {string} offer
 * @param {RTCRtpTransceiverDirection} direction
 * @param {(kind: string) => MediaStreamTrack | null} track
 */
async function answerTo(pc, offer, direction, track) {
  await pc.setRemoteDescription({ type: 'offer', sdp: offer });
  for (const transceiver of pc.getTransceivers()) {
    transceiver.direction = direction;
    await transceiver.sender.replaceTrack(track(transceiver.receiver.track.kind));
  }
  await pc.setLocalDescription(await pc.createAnswer());
  return pc.localDescription?.sdp ?? '';
}

/** @param {RTCPeerConnection} pc */
async function limit(pc) {
  for (const sender of pc.getSenders()) {
    if (sender.track?.kind !== 'video') continue;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings ?? []) encoding.maxBitrate = LIMIT_BPS;
    await sender.setParameters(parameters).catch(() => undefined);
  }
}

/** @param {RTCPeerConnection} pc */
function connected(pc) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (pc.connectionState === 'connected') resolve(undefined);
      if (pc.connectionState === 'failed') reject(new Error('failed'));
    };
    pc.addEventListener('connectionstatechange', look);
    setTimeout(() => reject(new Error('too late')), CONNECT_MS);
    look();
  });
}

/** What one side has counted so far. @param {RTCPeerConnection} pc */
async function counted(pc) {
  const sum = { sent: 0, received: 0, lost: 0, bytes: 0, rttMs: NaN, estimateBps: NaN, tcp: false };
  const stats = await pc.getStats();
  /** @type {any} */
  let chosen = null;
  stats.forEach((/** @type {any} */ one) => {
    if (one.type === 'outbound-rtp') sum.sent += one.packetsSent ?? 0;
    if (one.type === 'inbound-rtp') {
      sum.received += one.packetsReceived ?? 0;
      sum.lost += Math.max(0, one.packetsLost ?? 0);
      sum.bytes += (one.bytesReceived ?? 0) + (one.headerBytesReceived ?? 0);
    }
    if (one.type === 'candidate-pair' && (one.nominated || one.selected) && one.state === 'succeeded') chosen = one;
  });
  if (chosen) {
    sum.rttMs = 1000 * (chosen.currentRoundTripTime ?? NaN);
    sum.estimateBps = chosen.availableOutgoingBitrate ?? NaN;
    sum.tcp = stats.get(chosen.localCandidateId)?.protocol === 'tcp';
  }
  return sum;
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Runs one probe. Null: no media came through at all. Throws `Refused`.
 * @param {(state: 'connecting' | 'measuring') => void} tell
 * @returns {Promise<Line | null>}
 */
export async function probe(tell) {
  const source = madeUp();
  /** @type {RTCPeerConnection[]} */
  const connections = [];
  try {
    tell('connecting');
    const begun = await ask(PROBE);
    const servers = begun.ice_servers.map((/** @type {any} */ one) => ({ ...one, username: one.username ?? undefined, credential: one.credential ?? undefined }));
    const out = new RTCPeerConnection({ iceServers: servers, bundlePolicy: 'max-bundle' });
    const back = new RTCPeerConnection({ iceServers: servers, bundlePolicy: 'max-bundle' });
    connections.push(out, back);
    const sends = await answerTo(out, begun.offer, 'sendonly', (kind) => (kind === 'video' ? source.video : source.audio));
    await limit(out);
    const { offer } = await ask(`${PROBE}/${begun.probe}/out`, { sdp: sends });
    const receives = await answerTo(back, offer, 'recvonly', () => null);
    await ask(`${PROBE}/${begun.probe}/back`, { sdp: receives });
    await Promise.all([connected(out), connected(back)]);
    tell('measuring');
    await sleep(WARM_MS);
    const before = { out: await counted(out), back: await counted(back) };
    const began = performance.now();
    await sleep(MEASURE_MS);
    const after = { out: await counted(out), back: await counted(back) };
    const seconds = (performance.now() - began) / 1000;
    return lineOf(before, after, seconds);
  } catch (error) {
    if (error instanceof Refused) throw error;
    return null;
  } finally {
    for (const connection of connections) connection.close();
    source.stop();
    void ask(`${PROBE}/end`).catch(() => undefined);
  }
}

/**
 * What two counts a while apart say of the line: there and back, so each way alone is at least as good. Lost are
 * packets that did not come, not even when they were asked for again (RFC 3550, 6.4.1).
 * @typedef {Awaited<ReturnType<typeof counted>>} Counted
 * @param {{out: Counted, back: Counted}} before
 * @param {{out: Counted, back: Counted}} after
 * @param {number} seconds
 * @returns {Line | null}
 */
export function lineOf(before, after, seconds) {
  const received = after.back.received - before.back.received;
  const lost = after.back.lost - before.back.lost;
  if (received <= 0) return null;
  return {
    rttMs: Math.round(Number.isNaN(after.out.rttMs) ? 0 : after.out.rttMs),
    lossPct: Math.round((1000 * lost) / (received + lost)) / 10,
    kbps: Math.round((8 * (after.back.bytes - before.back.bytes)) / seconds / 1000),
    estimateKbps: Number.isNaN(after.out.estimateBps) ? null : Math.round(after.out.estimateBps / 1000),
    tcp: after.out.tcp || after.back.tcp,
  };
}
