// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';

Object.assign(globalThis, {
  MediaStream: class {
    getTracks = () => [];
  },
  document: { documentElement: { lang: 'en' }, getElementById: () => null },
});
const { Peer } = await import('../../../web/static/js/room/peer.js');

/** A sender as W3C WebRTC 5.2.2 has it: one replaceTrack after the other, and `track` changes a moment later. */
class Sender {
  /** @type {object | null} */
  track = null;
  /** @type {Promise<void>} */
  chain = Promise.resolve();

  /** @param {object | null} track */
  replaceTrack(track) {
    this.chain = this.chain.then(() => new Promise((done) => setTimeout(() => done((this.track = track, undefined)), 2)));
    return this.chain;
  }

  getParameters = () => ({ encodings: [{}] });
  setParameters = async () => undefined;
}

const turn = () => new Promise((done) => setImmediate(done));

/** Wait until every track that was asked for is in its place, and nothing more is asked. @param {Sender} sender */
async function settled(sender) {
  for (let asked; asked !== sender.chain; await turn()) {
    asked = sender.chain;
    await asked;
    await turn();
  }
}

/** A peer whose microphone is on, not allowed to send yet. */
async function talking() {
  const sender = new Sender();
  const mic = /** @type {any} */ ({ kind: 'audio', getSettings: () => ({}) });
  const nothing = () => undefined;
  const peer = new Peer([], { answer: nothing, remote: nothing, connection: nothing, failed: nothing });
  const transceiver = { receiver: { track: { kind: 'audio' } }, currentDirection: 'sendrecv', sender };
  peer.pc = /** @type {any} */ ({ getTransceivers: () => [transceiver] });
  await peer.use({ audio: mic, video: null });
  return { peer, sender, mic };
}

test('no sound leaves the device when leave was given and taken back in one breath', async () => {
  const { peer, sender } = await talking();
  peer.allow(true);
  peer.allow(false);
  await settled(sender);
  assert.equal(sender.track, null);
});

test('the microphone is not lost when leave was taken and given back in one breath', async () => {
  const { peer, sender, mic } = await talking();
  peer.allow(true);
  await settled(sender);
  peer.allow(false);
  peer.allow(true);
  await settled(sender);
  assert.equal(sender.track, mic);
});
