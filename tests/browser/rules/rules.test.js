// @ts-check
/** @file The page's pure deciders, run by node: `node --test tests/browser/rules`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Devices } from '../../../web/static/js/room/devices.js';
import { isInactive, opusBitrate, withoutReturned } from '../../../web/static/js/room/peer.js';
import { IDLE_SILENT_MS, Line, SILENT_MS, count } from '../../../web/static/js/room/recovery.js';
import { FINAL, PATIENCE_MS, Signal, backoff } from '../../../web/static/js/room/signal.js';
import { TRANSITIONS, next, standing } from '../../../web/static/js/room/state.js';

const STATES = /** @type {import('../../../web/static/js/room/state.js').State[]} */ (Object.keys(TRANSITIONS));
const HAPPENINGS = /** @type {const} */ (['join', 'alone', 'met', 'broke', 'leave', 'end']);

test('every pair is either in the table or refused', () => {
  for (const state of STATES) {
    for (const happening of HAPPENINGS) {
      const to = TRANSITIONS[state][happening];
      if (to) assert.equal(next(state, happening), to);
      else assert.throws(() => next(state, happening), /invalid_state/);
    }
  }
});

test('an ended session has no way back', () => {
  assert.deepEqual(Object.keys(TRANSITIONS.ended), ['end']);
});

/** @type {[Parameters<typeof standing>[0], string][]} */
const STANDINGS = [
  [{ mode: 'video', peer: 'absent', own: 'ok', media: false, met: false }, 'alone'],
  [{ mode: 'video', peer: 'connecting', own: 'ok', media: true, met: false }, 'alone'],
  [{ mode: 'video', peer: 'connected', own: 'ok', media: true, met: false }, 'met'],
  [{ mode: 'video', peer: 'connected', own: 'ok', media: false, met: false }, 'alone'],
  [{ mode: 'video', peer: 'connected', own: 'silent', media: true, met: true }, 'broke'],
  [{ mode: 'voice', peer: 'interrupted', own: 'ok', media: true, met: true }, 'broke'],
  [{ mode: 'voice', peer: 'connecting', own: 'ok', media: true, met: true }, 'broke'],
  [{ mode: 'voice', peer: 'left', own: 'ok', media: true, met: true }, 'alone'],
  [{ mode: 'chat', peer: 'connected', own: 'ok', media: false, met: false }, 'met'],
  [{ mode: 'chat', peer: 'connected', own: 'silent', media: false, met: true }, 'broke'],
  [{ mode: 'chat', peer: 'waiting', own: 'ok', media: false, met: false }, 'alone'],
];

test('where we stand follows from both lines', () => {
  for (const [facts, expected] of STANDINGS) assert.equal(standing(facts), expected, JSON.stringify(facts));
});

/**
 * Looks at a line every 200 ms.
 * @param {Line} line
 * @param {number} from ms
 * @param {number} to ms
 * @param {(now: number) => Partial<import('../../../web/static/js/room/recovery.js').Look>} see
 */
function watch(line, from, to, see) {
  const verdicts = [];
  for (let now = from; now < to; now += 200) {
    verdicts.push({ now, ...line.look({ now, received: now, echoed: now, heard: now, paired: true, speaking: true, ...see(now) }) });
  }
  return verdicts;
}

test('a line that carries is never called silent', () => {
  const verdicts = watch(new Line(0), 0, 20000, () => ({}));
  assert.ok(verdicts.every((verdict) => verdict.own === 'ok' && verdict.other === 'ok' && !verdict.restart && !verdict.fresh));
});

test('a cut is noticed within 1.5 s and restarts after 2 s, 5 s, then every 10 s', () => {
  const line = new Line(0);
  watch(line, 0, 5000, () => ({}));
  const verdicts = watch(line, 5000, 42000, () => ({ received: 1, echoed: 1, heard: 1 }));
  const began = 5000;
  const noticed = verdicts.find((verdict) => verdict.own === 'silent');
  assert.ok(noticed && noticed.now - began <= SILENT_MS + 400 && noticed.now - began <= 1500);
  const restarts = verdicts.filter((verdict) => verdict.restart).map((verdict) => Math.round((verdict.now - began) / 1000));
  assert.deepEqual(restarts, [2, 5, 15, 25, 35]);
});

test('where the socket goes on answering only the path is dead: a fresh leg at once, and once', () => {
  const line = new Line(0);
  watch(line, 0, 5000, () => ({}));
  const verdicts = watch(line, 5000, 9000, (now) => ({ received: 1, echoed: 1, heard: 1, answeredAt: now < 6000 ? 4900 : now }));
  const fresh = verdicts.filter((verdict) => verdict.fresh).map((verdict) => verdict.now - 5000);
  assert.equal(fresh.length, 1);
  assert.ok((fresh[0] ?? Infinity) <= 1600);
  assert.ok(verdicts.every((verdict) => !verdict.restart), 'a restart would hold on to the dead pair');
});

test('one answer of the socket alone, as after a short cut, makes no fresh leg', () => {
  const line = new Line(0);
  watch(line, 0, 5000, () => ({}));
  const verdicts = watch(line, 5000, 9000, (now) => ({ received: 1, echoed: 1, heard: 1, answeredAt: now < 6000 ? 4900 : 6000 }));
  assert.ok(verdicts.every((verdict) => !verdict.fresh));
  assert.ok(verdicts.some((verdict) => verdict.ask), 'the socket is asked meanwhile');
  assert.deepEqual(verdicts.filter((verdict) => verdict.restart).length, 1);
});

test('who was put on TCP looks for UDP again, ever less often, and no more once it is there', () => {
  const line = new Line(0);
  watch(line, 0, 5000, () => ({ tcp: false }));
  const verdicts = watch(line, 5000, 125000, () => ({ tcp: true }));
  assert.deepEqual(verdicts.filter((one) => one.restart).map((one) => Math.round((one.now - 5000) / 1000)), [15, 45, 105]);
  assert.ok(watch(line, 125000, 300000, () => ({ tcp: false })).every((one) => !one.restart));
});

test('a call that never had UDP does not pay for looking for it, and a fresh leg forgets nothing', () => {
  const line = new Line(0);
  assert.ok(watch(line, 0, 60000, () => ({ tcp: true })).every((one) => !one.restart));
  watch(line, 60000, 61000, () => ({ tcp: false }));
  line.reset(61000);
  assert.equal(watch(line, 61000, 80000, () => ({ tcp: true })).filter((one) => one.restart).length, 1);
});

test('while something is missing the line is looked at more often', () => {
  const line = new Line(0);
  assert.ok(watch(line, 0, 5000, () => ({})).every((verdict) => !verdict.doubted));
  assert.ok(watch(line, 5000, 5800, () => ({ received: 1, heard: 1 })).slice(-1)[0]?.doubted);
  assert.ok(watch(line, 5800, 6600, () => ({ heard: 1 })).slice(-1)[0]?.doubted, 'the other person is not heard');
});

test('a changed network restarts at once', () => {
  const line = new Line(0);
  watch(line, 0, 2000, () => ({}));
  line.networkChanged();
  assert.equal(watch(line, 2000, 2200, () => ({}))[0]?.restart, true);
  assert.equal(watch(line, 2200, 2400, () => ({}))[0]?.restart, false);
});

test("the other person's silence is told from our own", () => {
  const line = new Line(0);
  watch(line, 0, 3000, () => ({}));
  const verdicts = watch(line, 3000, 6000, () => ({ heard: 7 }));
  assert.equal(verdicts.at(-1)?.own, 'ok');
  assert.equal(verdicts.at(-1)?.other, 'silent');
  assert.ok(verdicts.every((verdict) => !verdict.restart));
});

test('two lost packets of a pause in a row are not silence', () => {
  const line = new Line(0);
  const verdicts = watch(line, 0, 20000, (now) => ({ heard: Math.floor(now / 1200) }));
  assert.ok(verdicts.every((verdict) => verdict.other === 'ok'));
});

test('a camera that another took away comes back by itself for a minute only', async () => {
  Object.assign(globalThis, { document: { getElementById: () => null, documentElement: { lang: 'id' } } });
  const { CAMERA_BACK_MS, Sending } = await import('../../../web/static/js/room/sending.js');
  const afterwards = (/** @type {boolean} */ camera, /** @type {number} */ ms, mine = false) => {
    const wish = { mic: true, camera };
    const options = /** @type {import('../../../web/static/js/room/sending.js').SendingOptions} */ (/** @type {unknown} */ ({ wish, kept: { keep: () => undefined } }));
    const sending = new Sending(options);
    sending.moved('video', 'voice', false, 1000);
    sending.moved('voice', 'chat', false, 1500);
    return [sending.moved('chat', 'video', mine, 1000 + ms), wish.camera];
  };
  assert.deepEqual(afterwards(true, CAMERA_BACK_MS), [false, true]);
  assert.deepEqual(afterwards(true, CAMERA_BACK_MS + 1), [true, false]);
  assert.deepEqual(afterwards(false, 1000), [true, false], 'who had it off keeps it off');
  assert.deepEqual(afterwards(true, CAMERA_BACK_MS + 1, true), [false, true], 'who asks for video wants the camera');
});

test('who is muted is not silent', () => {
  const line = new Line(0);
  assert.ok(watch(line, 0, 9000, () => ({ heard: 7, speaking: false })).every((verdict) => verdict.other === 'ok'));
});

test('while nobody is there a line may be quiet for longer', () => {
  const line = new Line(0);
  const verdicts = watch(line, 0, IDLE_SILENT_MS - 400, () => ({ received: 5, echoed: 5, paired: false }));
  assert.ok(verdicts.every((verdict) => verdict.own === 'ok'));
});

test('a return that carries in one direction only asks for a new leg', () => {
  const line = new Line(0);
  watch(line, 0, 2000, () => ({}));
  watch(line, 2000, 6000, () => ({ received: 1, echoed: 1, heard: 1 }));
  const verdicts = watch(line, 6000, 20000, () => ({ echoed: 1, heard: 1 }));
  assert.ok(verdicts.some((verdict) => verdict.fresh));
  assert.ok(verdicts.filter((verdict) => verdict.fresh).length <= 2);
});

/**
 * A return of the line at 4 s; what is seen of our own sound afterwards is given.
 * @param {(now: number) => Partial<import('../../../web/static/js/room/recovery.js').Look>} see
 */
function returned(see) {
  const line = new Line(0);
  const own = (/** @type {number} */ now) => ({ sending: true, sent: now, reported: now });
  watch(line, 0, 2000, own);
  watch(line, 2000, 4000, () => ({ received: 1, echoed: 1, heard: 1, sending: true, sent: 2000, reported: 2000 }));
  return watch(line, 4000, 60000, (now) => ({ ...own(now), ...see(now) })).filter((verdict) => verdict.fresh);
}

test('after a return both directions are verified, to the other person and back', () => {
  assert.equal(returned(() => ({})).length, 0);
  assert.equal(returned(() => ({ sent: 2000 })).length, 2, 'our sound does not leave this device');
  assert.equal(returned(() => ({ reported: 2000 })).length, 2, 'our sound leaves and does not arrive');
  assert.equal(returned((now) => ({ reported: now < 16000 ? 2000 : 16000 })).length, 0, 'reports come seldom');
  assert.equal(returned(() => ({ sending: false, sent: 2000, reported: 2000 })).length, 0, 'without a microphone nothing is awaited');
});

test('a return that carries both ways is left alone', () => {
  const line = new Line(0);
  watch(line, 0, 2000, () => ({}));
  watch(line, 2000, 4000, () => ({ received: 1, echoed: 1, heard: 1 }));
  assert.ok(watch(line, 4000, 20000, () => ({})).every((verdict) => !verdict.fresh && !verdict.restart));
});

test('reconnecting begins at once and stays below 3.5 s', () => {
  assert.ok(backoff(0, 1) <= 100);
  for (let attempt = 1; attempt < 50; attempt += 1) {
    assert.ok(backoff(attempt, 0) >= 200);
    assert.ok(backoff(attempt, 1) <= 3500);
  }
});

test('only what is final keeps a page from coming back', () => {
  assert.deepEqual(Object.keys(FINAL).map(Number), [4403, 4404, 4409, 4410]);
});

const OFFER = ['v=0', 'a=group:BUNDLE 0 1', 'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;maxaveragebitrate=12000;usedtx=1', 'a=sendrecv', 'a=ssrc:1 cname:p', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=sendrecv', 'a=ssrc-group:FID 2 3', 'a=ssrc:2 cname:p', 'a=ssrc:3 cname:p', ''].join('\r\n');
const VOICE = OFFER.replace(/m=video[^]*/, ['m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=inactive', ''].join('\r\n'));

test('the offer says how much voice may cost', () => {
  assert.equal(opusBitrate(OFFER), 12000);
  assert.equal(opusBitrate('v=0\r\n'), undefined);
});

test('a picture that comes back is first heard without its SSRCs', () => {
  const first = withoutReturned(VOICE, OFFER);
  assert.ok(first?.includes('a=ssrc:1 ') && !first.includes('a=ssrc:2') && !first.includes('ssrc-group'));
  assert.ok(first?.endsWith('\r\n'));
});

test('a line is known by its mid to be inactive', () => {
  const offer = ['v=0', 'a=inactive', 'm=audio 9 x 111', 'a=mid:0', 'a=sendrecv', 'm=video 9 x 96', 'a=mid:1', 'a=inactive', ''].join('\r\n');
  assert.deepEqual(['0', '1', '10', null].map((mid) => isInactive(offer, mid)), [false, true, false, false]);
});

test('nothing is taken from an offer that brings nothing back', () => {
  assert.equal(withoutReturned(undefined, OFFER), null);
  assert.equal(withoutReturned(OFFER, OFFER), null);
  assert.equal(withoutReturned(OFFER, VOICE), null);
});

/** @param {Record<string, unknown>[]} entries */
const report = (...entries) => /** @type {RTCStatsReport} */ (/** @type {unknown} */ (new Map(entries.map((entry) => [entry.id, entry]))));

test('the selected path is found as each browser names it', () => {
  const dead = { id: 'a', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: 5 };
  const alive = { id: 'b', type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: 70, responsesReceived: 3 };
  const rtp = { id: 'r', type: 'inbound-rtp', packetsReceived: 12 };
  const chromium = count(report({ id: 't', type: 'transport', selectedCandidatePairId: 'b' }, alive, dead, rtp));
  assert.deepEqual([chromium.pair?.id, chromium.received, chromium.echoed, chromium.heard], ['b', 73, 3, 12]);
  assert.equal(count(report(dead, { ...alive, selected: true }, { ...dead, id: 'c' })).pair?.id, 'b');
  assert.equal(count(report({ ...alive, selected: true }, dead)).pair?.id, 'b');
  assert.equal(count(report(rtp)).received, null);
});

test('a camera that is given after it was let go is stopped at once', async () => {
  /** @type {string[]} */
  const stopped = [];
  const track = (/** @type {string} */ kind) => ({ kind, stop: () => stopped.push(kind) });
  /** @type {(stream: object) => void} */
  let give = () => undefined;
  const getUserMedia = () => new Promise((given) => (give = given));
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: { getUserMedia } }, configurable: true });
  const devices = new Devices(() => undefined);
  const answer = async (/** @type {() => void} */ meanwhile) => {
    const opened = devices.open({ audio: true, video: true });
    meanwhile();
    give({ getTracks: () => [track('audio'), track('video')] });
    await opened;
    return [devices.audio?.kind, devices.video?.kind, stopped.splice(0)];
  };
  assert.deepEqual(await answer(() => devices.close()), [undefined, undefined, ['audio', 'video']], 'who left');
  assert.deepEqual(await answer(() => devices.stop('video')), ['audio', undefined, ['video']], 'who went to voice');
  devices.close();
  stopped.length = 0;
  assert.deepEqual(await answer(() => undefined), ['audio', 'video', []]);
});

test('a socket that says nothing is given up, and tried again', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  /** @type {{closed: boolean, close: () => void}[]} */
  const sockets = [];
  class Silent {
    closed = false;
    constructor() {
      sockets.push(this);
    }
    close() {
      this.closed = true;
    }
  }
  const world = Object.assign(new EventTarget(), { setTimeout, clearTimeout, setInterval, clearInterval });
  Object.assign(globalThis, { window: world, document: new EventTarget(), WebSocket: Silent, location: { href: 'http://localhost/' } });
  const on = { message: () => undefined, open: () => undefined, closed: () => undefined };
  const signal = new Signal({ ticket: async () => 'x', kept: { read: () => ({}), keep: () => undefined }, codecs: [], on });
  await signal.connect();
  context.mock.timers.tick(PATIENCE_MS - 1);
  assert.deepEqual(sockets.map((socket) => socket.closed), [false]);
  context.mock.timers.tick(1);
  context.mock.timers.tick(200);
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(sockets.map((socket) => socket.closed), [true, false]);
  signal.close();
});

/**
 * A signal whose server is this test.
 * @param {import('node:test').TestContext} context
 */
async function connected(context) {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let now = 1000;
  context.mock.method(performance, 'now', () => now);
  /** @type {string[]} */
  const sent = [];
  /** @type {Talking[]} */
  const sockets = [];
  class Talking {
    static OPEN = 1;
    readyState = 1;
    closed = false;
    /** @type {(event: {data: string}) => void} */
    onmessage = () => undefined;
    constructor() {
      sockets.push(this);
    }
    /** @param {string} text */
    send(text) {
      sent.push(JSON.parse(text).type);
    }
    close() {
      this.closed = true;
    }
  }
  const world = Object.assign(new EventTarget(), { setTimeout, clearTimeout, setInterval, clearInterval });
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  Object.assign(globalThis, { window: world, document, WebSocket: Talking, location: { href: 'http://localhost/' } });
  const on = { message: () => undefined, open: () => undefined, closed: () => undefined };
  const signal = new Signal({ ticket: async () => 'x', kept: { read: () => ({}), keep: () => undefined }, codecs: [], on });
  await signal.connect();
  const [socket] = sockets;
  assert.ok(socket);
  /** @param {string} type @param {number} [beat] */
  const says = (type, beat = 2) => socket.onmessage({ data: JSON.stringify({ type, heartbeat_s: beat }) });
  /** @param {number} seconds @param {() => void} [each] */
  const pass = (seconds, each = () => undefined) => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1000;
      context.mock.timers.tick(1000);
      each();
    }
  };
  says('welcome');
  says('pong');
  sent.length = 0;
  return { signal, socket, document, sent, says, pass };
}

test('a page asks for a word only when none came for as many beats as it may miss', async (context) => {
  const { signal, sent, says, pass, socket } = await connected(context);
  pass(20, () => says('quality'));
  assert.deepEqual(sent, [], 'words came');
  pass(2);
  assert.deepEqual(sent, ['ping'], 'a beat without one');
  says('pong');
  signal.pingEvery = 6;
  pass(11);
  assert.deepEqual(sent, ['ping']);
  pass(1);
  assert.deepEqual(sent, ['ping', 'ping']);
  assert.equal(socket.closed, false);
  signal.close();
});

test('a socket is lost two beats after a ping that nothing answers', async (context) => {
  const { signal, socket, pass } = await connected(context);
  pass(6);
  assert.equal(socket.closed, false);
  pass(1);
  assert.equal(socket.closed, true);
  signal.close();
});

test('a socket that answers no ping while the media is silent is lost after one beat', async (context) => {
  const { signal, socket, pass } = await connected(context);
  signal.pingEvery = 6;
  pass(8);
  signal.suspect = true;
  signal.pingEvery = 1;
  signal.probe();
  pass(2);
  assert.equal(socket.closed, false);
  pass(1);
  assert.equal(socket.closed, true);
  signal.close();
});

test('a page that moves from chat to voice takes over the heartbeat of voice', async (context) => {
  const { signal, says, pass, sent } = await connected(context);
  says('mode', 15);
  pass(14);
  assert.deepEqual(sent, [], 'in chat each beat is paid for');
  says('mode', 2);
  pass(2);
  assert.deepEqual(sent, ['ping']);
  signal.close();
});

test('a line in chat is asked seldom, and soon again when nothing answers', async (context) => {
  const { signal, socket, says, pass, sent } = await connected(context);
  says('mode', 15);
  pass(15);
  assert.deepEqual(sent, ['ping']);
  pass(4);
  assert.deepEqual(sent, ['ping', 'ping', 'ping']);
  says('pong');
  pass(14);
  assert.equal(sent.length, 3, 'an answer that came late is one');
  pass(7);
  assert.equal(socket.closed, false);
  pass(1);
  assert.equal(socket.closed, true, '22 s after the last word');
  signal.close();
});

test('who writes into a line of chat that broke is told so soon', async (context) => {
  const { signal, socket, says, pass, sent } = await connected(context);
  says('mode', 15);
  pass(5);
  signal.request('chat', { text: 'one', ref: '1' }).catch(() => undefined);
  pass(1);
  says('chat', 15);
  pass(6);
  assert.deepEqual(sent, ['chat'], 'a line that is answered costs no ping');
  signal.request('chat', { text: 'two', ref: '2' }).catch(() => undefined);
  pass(6);
  assert.equal(socket.closed, false);
  pass(1);
  assert.equal(socket.closed, true);
  signal.close();
});

test('who writes while they talk changes nothing of when their line is lost', async (context) => {
  const { signal, socket, pass, sent } = await connected(context);
  signal.pingEvery = 6;
  signal.request('chat', { text: 'one', ref: '1' }).catch(() => undefined);
  pass(11);
  assert.deepEqual(sent, ['chat']);
  assert.equal(socket.closed, false);
  signal.close();
});

test('what a sleeping page did not hear is not held against its socket', async (context) => {
  const { signal, socket, document, pass, says } = await connected(context);
  pass(3);
  document.visibilityState = 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
  pass(60);
  document.visibilityState = 'visible';
  document.dispatchEvent(new Event('visibilitychange'));
  pass(1);
  assert.equal(socket.closed, false);
  says('pong');
  signal.close();
});
