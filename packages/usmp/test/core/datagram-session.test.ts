import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FrameType } from '#dist/core/frame.js';
import { GAP_TIMEOUT, MAX_PLAINTEXT, REPLAY_WINDOW } from '#dist/core/limits.js';
import { RecordLayer } from '#dist/core/record.js';
import { StrictOrder } from '#dist/core/replay.js';
import { isUtack } from '#dist/core/utack.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { pattern, toHex } from '../support/bytes.js';
import { type DatagramEnd, DatagramPair, typeOf } from '../support/datagram-pair.js';

const NEAR = { weather: { delay: [10, 10] } } as const;

/** Types of the frames that an end has sent, with repeats. */
function framesOf(pair: DatagramPair, end: DatagramEnd): number[] {
  return pair.sent.flatMap(({ from, bytes }) =>
    from === end.name && !isUtack(bytes) ? [typeOf(bytes)] : [],
  );
}

/** A client that seals whatever the test wants, in any order, towards a real server. */
class Rogue {
  readonly pair = new DatagramPair({
    server: { keyLog: ({ keys, sessionId }) => (this.#secrets = { keys: keys.slice(), sessionId }) },
  });
  readonly server: DatagramEnd;
  #secrets: { keys: Uint8Array; sessionId: Uint8Array } | undefined;
  readonly #records: RecordLayer;

  constructor() {
    this.pair.settle();
    this.server = this.pair.server;
    this.server.events.length = 0;
    this.pair.sent.length = 0;
    // Nothing of the server reaches the real client any more.
    this.pair.intercept = () => [];
    const { keys, sessionId } = this.#secrets!;
    this.#records = new RecordLayer(nodeCrypto, sessionId, keys, StrictOrder);
  }

  /** The next frame. */
  seal(type: FrameType, plaintext: Uint8Array = new Uint8Array(0)): Uint8Array {
    const frame = new Uint8Array(plaintext.length + 40);
    this.#records.seal(type, plaintext, frame, 0);
    return frame;
  }

  /** Hands frames over; returns the numbers that are acknowledged. */
  give(...frames: Uint8Array[]): number[] {
    const from = this.pair.sent.length;
    for (const frame of frames) {
      this.server.input(frame);
      this.server.drain();
    }
    return this.pair.sent.slice(from).flatMap(({ bytes }) => (isUtack(bytes) ? [bytes[3]!] : []));
  }

  get received(): string[] {
    return this.server.messages.map(toHex);
  }
}

describe('sending', () => {
  test('several messages of one frame are under way at once; parts of a message fly alone', () => {
    const pair = DatagramPair.open(NEAR);
    for (let i = 0; i < 10; i++) pair.client.send(pattern(i, 20));
    pair.settle();
    pair.sent.length = 0;
    for (let i = 0; i < 5; i++) pair.client.send(pattern(i, 20));
    pair.client.send(pattern(9, 3 * MAX_PLAINTEXT));
    pair.client.send(pattern(10, 20));
    pair.flush();
    assert.equal(framesOf(pair, pair.client).length, 5);
    const { DATA, DATA_FRAG } = FrameType;
    const expected = [...Array(5).fill(DATA), DATA_FRAG, DATA_FRAG, DATA, DATA];
    for (let frames = 6; frames <= expected.length; frames++) {
      pair.advance(20);
      assert.deepEqual(framesOf(pair, pair.client), expected.slice(0, frames), 'one each round trip');
    }
    pair.settle();
    assert.equal(pair.server.messages.length, 17);
  });

  test('a PING never stands between the parts of a message', () => {
    const pair = DatagramPair.open(NEAR);
    pair.client.send(pattern(1, 1808));
    pair.flush();
    pair.client.ping();
    pair.server.ping();
    pair.settle();
    const types = framesOf(pair, pair.client);
    assert.deepEqual(types.slice(0, 4), [
      FrameType.DATA_FRAG,
      FrameType.DATA_FRAG,
      FrameType.DATA_FRAG,
      FrameType.DATA,
    ]);
    assert.deepEqual([...types.slice(4)].sort(), [FrameType.PING, FrameType.PONG]);
    for (const end of pair.ends) assert.equal(end.of('pong').length, 1);
  });

  test('a message that is never acknowledged ends the session at exactly 12.5 s', () => {
    const pair = DatagramPair.open({ weather: { loss: 1 } });
    pair.client.send(pattern(1, 10));
    pair.advance(12_499);
    assert.ok(!pair.client.over);
    pair.advance(1);
    assert.equal(pair.client.closed?.code, 'not_acknowledged');
    assert.equal(pair.client.closed.name, 'DeliveryError');
    assert.equal(pair.client.connection.pollTimeout(), Number.POSITIVE_INFINITY);
  });

  test('a line that is dead for some seconds costs time, not the session', () => {
    for (const outage of [500, 2_000, 4_000, 6_000]) {
      const pair = DatagramPair.open(NEAR);
      for (let i = 0; i < 40; i++) pair.client.send(pattern(i, 10));
      pair.advance(3_000);
      for (let i = 40; i < 80; i++) pair.client.send(pattern(i, 10));
      pair.weather = { ...pair.weather, loss: 1 };
      pair.advance(outage);
      pair.weather = { ...pair.weather, loss: 0 };
      pair.advanceUntil(() => pair.server.messages.length === 80, 2 * outage + 1_000);
      assert.equal(pair.client.closed, undefined);
    }
  });

  test('a keepalive that cannot leave is asked for once, and the clock rests', () => {
    const pair = DatagramPair.open({ weather: { loss: 1 }, client: { keepaliveInterval: 1_000 } });
    pair.client.send(pattern(1, 10));
    pair.advance(10_000);
    pair.weather = { ...pair.weather, loss: 0 };
    pair.advanceUntil(() => pair.client.of('pong').length > 0, 5_000);
    assert.ok(framesOf(pair, pair.client).filter((type) => type === FrameType.PING).length <= 2);
  });

  test('keepalives are sent over an idle line, and silence ends a session', () => {
    const pair = DatagramPair.open({
      ...NEAR,
      client: { keepaliveInterval: 1_000 },
      server: { idleTimeout: 3_000 },
    });
    pair.advance(10_500);
    assert.equal(framesOf(pair, pair.client).filter((type) => type === FrameType.PING).length, 10);
    pair.weather = { ...pair.weather, loss: 1 };
    pair.advance(4_000);
    assert.equal(pair.server.closed?.code, 'idle_timeout');
  });
});

describe('receiving', () => {
  test('a damaged frame gets no UTACK; its repeat is accepted', () => {
    const rogue = new Rogue();
    const frame = rogue.seal(FrameType.DATA, pattern(1, 30));
    for (let at = 0; at < frame.length; at++) {
      assert.deepEqual(rogue.give(frame.with(at, frame[at]! ^ 0x20)), [], `byte ${at}`);
    }
    for (const length of [0, 1, 11, 12, 39, frame.length - 1])
      assert.deepEqual(rogue.give(frame.subarray(0, length)), []);
    assert.deepEqual(rogue.received, []);
    assert.ok(rogue.server.connection.stats.datagramsDropped >= frame.length);
    assert.deepEqual(rogue.give(frame), [0]);
    assert.equal(rogue.received.length, 1);
  });

  test('a frame that comes again is acknowledged again and delivered once', () => {
    const rogue = new Rogue();
    const frames = [1, 2, 3].map((i) => rogue.seal(FrameType.DATA, pattern(i, 30)));
    assert.deepEqual(rogue.give(...frames, frames[1]!, frames[0]!, frames[0]!), [0, 1, 2, 1, 0, 0]);
    assert.equal(rogue.received.length, 3);
    assert.equal(rogue.server.connection.stats.framesRepeated, 3);
    assert.equal(rogue.server.connection.stats.framesReceived, 3);
  });

  test('what comes out of order is acknowledged at once and delivered in order', () => {
    const rogue = new Rogue();
    const frames = [0, 1, 2, 3].map((i) => rogue.seal(FrameType.DATA, pattern(i, 30)));
    assert.deepEqual(rogue.give(frames[3]!, frames[1]!, frames[2]!), [3, 1, 2]);
    assert.deepEqual(rogue.received, []);
    assert.deepEqual(rogue.give(frames[0]!), [0]);
    assert.deepEqual(
      rogue.received,
      [0, 1, 2, 3].map((i) => toHex(pattern(i, 30))),
    );
  });

  test('a gap is given up after 13 s, the loss is counted, and what fills it then gets no UTACK', () => {
    const rogue = new Rogue();
    const frames = [0, 1, 2].map((i) => rogue.seal(FrameType.DATA, pattern(i, 30)));
    rogue.give(frames[0]!, frames[2]!);
    rogue.pair.advance(GAP_TIMEOUT - 1);
    assert.equal(rogue.received.length, 1);
    rogue.pair.advance(1);
    assert.equal(rogue.received.length, 2);
    assert.equal(rogue.server.connection.stats.messagesLost, 1);
    assert.deepEqual(rogue.give(frames[1]!), []);
    assert.equal(rogue.received.length, 2);
    assert.equal(rogue.server.connection.pollTimeout(), Number.POSITIVE_INFINITY);
  });

  test('a gap that the window has passed is given up at once', () => {
    const rogue = new Rogue();
    const frames = Array.from({ length: REPLAY_WINDOW + 1 }, (_, i) =>
      rogue.seal(FrameType.DATA, pattern(i, 30)),
    );
    rogue.give(...frames.slice(1, REPLAY_WINDOW));
    assert.equal(rogue.received.length, 0);
    rogue.give(frames[REPLAY_WINDOW]!);
    assert.equal(rogue.received.length, REPLAY_WINDOW);
    assert.deepEqual(rogue.give(frames[0]!), []);
  });

  test('a message with a part in a gap is dropped and counted, and the next one is whole', () => {
    const rogue = new Rogue();
    const [first, , last] = [FrameType.DATA_FRAG, FrameType.DATA_FRAG, FrameType.DATA].map((type, i) =>
      rogue.seal(type, pattern(i, 30)),
    );
    const next = [FrameType.DATA_FRAG, FrameType.DATA].map((type, i) => rogue.seal(type, pattern(i + 7, 30)));
    rogue.give(first!, ...next);
    rogue.pair.advance(GAP_TIMEOUT);
    assert.deepEqual(rogue.received, [toHex(pattern(7, 30)) + toHex(pattern(8, 30))]);
    assert.equal(rogue.server.connection.stats.messagesLost, 3, 'two frames of the gap and the message');
    assert.deepEqual(rogue.give(last!), []);
  });

  test('a message of five parts is dropped, and the session goes on', () => {
    const rogue = new Rogue();
    for (let i = 0; i < 5; i++) rogue.give(rogue.seal(FrameType.DATA_FRAG, pattern(i, 30)));
    rogue.give(rogue.seal(FrameType.DATA, pattern(5, 30)));
    assert.deepEqual(rogue.received, []);
    assert.equal(rogue.server.connection.stats.messagesLost, 1);
    rogue.give(rogue.seal(FrameType.DATA, pattern(6, 30)));
    assert.deepEqual(rogue.received, [toHex(pattern(6, 30))]);
    assert.equal(rogue.server.closed, undefined);
  });

  test('a PING between the parts of a message costs the parts and is answered', () => {
    const rogue = new Rogue();
    rogue.give(rogue.seal(FrameType.DATA_FRAG, pattern(1, 30)), rogue.seal(FrameType.PING));
    rogue.give(rogue.seal(FrameType.DATA, pattern(2, 30)));
    assert.deepEqual(rogue.received, [toHex(pattern(2, 30))]);
    assert.equal(rogue.server.connection.stats.messagesLost, 1);
    assert.ok(framesOf(rogue.pair, rogue.server).includes(FrameType.PONG));
  });

  test('control frames with a content, and REKEY without a salt, have no effect', () => {
    const rogue = new Rogue();
    for (const type of [FrameType.PING, FrameType.PONG, FrameType.BYE])
      rogue.give(rogue.seal(type, pattern(1, 1)));
    for (const length of [0, 31, 33]) rogue.give(rogue.seal(FrameType.REKEY, pattern(1, length)));
    assert.deepEqual(framesOf(rogue.pair, rogue.server), []);
    assert.equal(rogue.server.closed, undefined);
    rogue.give(rogue.seal(FrameType.DATA, pattern(6, 30)));
    assert.equal(rogue.received.length, 1);
  });

  test('more PINGs than a peer may have answers for get eight', () => {
    const rogue = new Rogue();
    const pings = Array.from({ length: 40 }, () => rogue.seal(FrameType.PING));
    for (const ping of pings) rogue.server.input(ping);
    rogue.server.drain();
    rogue.pair.advance(12_000);
    assert.ok(
      new Set(rogue.pair.sent.filter(({ bytes }) => !isUtack(bytes)).map(({ bytes }) => toHex(bytes))).size <=
        8,
    );
  });

  test('a gap in front of BYE does not hold it up: its sender fills it no more', () => {
    const rogue = new Rogue();
    rogue.seal(FrameType.DATA, pattern(1, 30));
    rogue.give(rogue.seal(FrameType.DATA, pattern(2, 30)));
    assert.deepEqual(rogue.received, []);
    rogue.give(rogue.seal(FrameType.BYE));
    assert.equal(rogue.received.length, 1);
    assert.equal(rogue.server.closed?.code, 'bye');
  });

  test('without room no DATA is acknowledged, PING is; with room again all of it arrives', () => {
    const pair = DatagramPair.open(NEAR);
    pair.server.connection.setReceiving(false);
    pair.client.ping();
    pair.settle();
    assert.equal(pair.client.of('pong').length, 1);
    pair.sent.length = 0;
    for (const size of [10, 1808]) pair.client.send(pattern(size, size));
    pair.advance(5_000);
    assert.ok(!pair.sent.some(({ from, bytes }) => from === 'server' && isUtack(bytes)));
    assert.equal(pair.server.messages.length, 0);
    pair.server.connection.setReceiving(true);
    pair.advanceUntil(() => pair.server.messages.length === 2, 7_000);
    assert.equal(pair.client.closed, undefined);
  });
});
