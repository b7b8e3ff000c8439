import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type Frame, FrameDecoder, frameTypeName } from '#dist/core/frame.js';
import { MAX_SEQUENCE } from '#dist/core/limits.js';
import { hex, pattern, toHex } from '../support/bytes.js';
import { type End, Pair, type PairOptions } from '../support/pair.js';
import { patchedConnection } from '../support/patched-core.js';

/** Frames that each direction has left when the session opens. */
const LEFT = 21;

/** The last number that may be used is 2^32 - 2: nobody can wait for it, so here the counting starts near it. */
let core: typeof import('#dist/core/stream-connection.js');
before(async () => {
  const first = MAX_SEQUENCE - (LEFT - 1);
  core = await patchedConnection([
    { file: 'record.js', from: 'seq = 0;', to: `seq = ${first};` },
    { file: 'replay.js', from: '#next = 0;', to: `#next = ${first};` },
  ]);
});

function open(options: PairOptions = {}): Pair {
  return Pair.open({ ...options, StreamConnection: core.StreamConnection });
}

/** All frames that a side has written, in order. */
function tapped(end: End): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder();
  const write = end.line.write.bind(end.line);
  end.line.write = (bytes, now) => {
    decoder.push(new Uint8Array(bytes));
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
    write(bytes, now);
  };
  return frames;
}

describe('a direction whose numbers run out', () => {
  test('sends all but the last as frames, the last as BYE, and closes', () => {
    const pair = open();
    const frames = tapped(pair.client);
    const sent: Uint8Array[] = [];
    assert.throws(
      () => {
        for (let i = 0; ; i++) {
          const message = pattern(i, 10);
          pair.client.send(message);
          sent.push(message);
        }
      },
      { name: 'SequenceError', code: 'sequence_spent' },
    );
    assert.equal(sent.length, LEFT - 1);
    pair.settle();

    assert.deepEqual(pair.server.messages.map(toHex), sent.map(toHex));
    assert.equal(pair.client.closed?.code, 'sequence_spent');
    assert.equal(pair.server.closed?.code, 'bye');
    assert.deepEqual(pair.client.crypto.reused, []);
    assert.equal(frameTypeName(frames.at(-1)!.type), 'BYE');
    assert.equal(frames.at(-1)!.seq, MAX_SEQUENCE);
    assert.throws(() => pair.client.send(hex('01')), { code: 'not_connected' });
  });

  test('does not begin a message that it cannot end', () => {
    const pair = open();
    for (let i = 0; i < LEFT - 4; i++) pair.client.send(hex('01'));
    assert.throws(() => pair.client.send(new Uint8Array(1808)), { code: 'sequence_spent' });
    pair.settle();
    assert.equal(pair.server.messages.length, LEFT - 4);
    assert.equal(pair.server.closed?.code, 'bye');
  });

  test('by PONGs alone: closes, and the peer learns it by BYE', () => {
    const pair = open();
    const frames = tapped(pair.server);
    for (let i = 0; i < LEFT - 1 && pair.client.connection.state === 'open'; i++) {
      pair.client.ping();
      pair.settle();
    }
    assert.equal(pair.client.of('pong').length, LEFT - 1);
    pair.server.connection.pollTransmit(pair.now);
    assert.throws(() => pair.client.ping(), { code: 'sequence_spent' });
    assert.ok(frames.every(({ seq }) => seq <= MAX_SEQUENCE));

    const other = open();
    for (let i = 0; i < LEFT - 1; i++) other.server.send(hex('01'));
    other.client.ping();
    other.settle();
    assert.equal(other.server.closed?.code, 'sequence_spent');
    assert.equal(other.client.closed?.code, 'bye');
    assert.equal(other.client.messages.length, LEFT - 1);
  });

  test('at a keepalive: closes, and the driver that calls handleTimeout is not thrown at', () => {
    const pair = open({ client: { keepaliveInterval: 1_000 } });
    for (let i = 0; i < LEFT - 1; i++) pair.client.send(hex('01'));
    pair.settle();
    assert.doesNotThrow(() => pair.advance(1_000));
    assert.equal(pair.client.closed?.code, 'sequence_spent');
    assert.equal(pair.server.closed?.code, 'bye');
  });

  test('a change of keys in time gives both directions all numbers back', () => {
    const pair = open({ delay: [5, 5] });
    for (let generation = 0; generation < 5; generation++) {
      for (let i = 0; i < LEFT - 4; i++) for (const end of pair.ends) end.send(pattern(i, 20));
      pair.client.rekey();
      pair.settle();
    }
    assert.deepEqual(
      pair.ends.map((end) => end.connection.state),
      ['open', 'open'],
    );
    assert.deepEqual(
      pair.ends.map((end) => end.messages.length),
      [5 * (LEFT - 4), 5 * (LEFT - 4)],
    );
    for (const end of pair.ends) assert.deepEqual(end.crypto.reused, []);
  });

  test('a change of keys that comes too late is refused like a message', () => {
    const pair = open();
    for (let i = 0; i < LEFT - 2; i++) pair.server.send(hex('01'));
    assert.throws(() => pair.server.rekey(), { code: 'sequence_spent' });
    pair.settle();
    assert.equal(pair.client.closed?.code, 'bye');
  });

  test('closing with all numbers used sends nothing more', () => {
    const pair = open();
    const frames = tapped(pair.client);
    for (let i = 0; i < LEFT - 1; i++) pair.client.send(hex('01'));
    pair.client.close();
    pair.client.close();
    pair.settle();
    assert.equal(frames.length, LEFT);
    assert.equal(frames.at(-1)!.seq, MAX_SEQUENCE);
  });
});
