import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FrameType } from '#dist/core/frame.js';
import { BYE_TIMEOUT, DELIVERY_TIMEOUT, LINGER_LIMIT } from '#dist/core/limits.js';
import { isUtack } from '#dist/core/utack.js';
import { pattern, toHex } from '../support/bytes.js';
import { type DatagramEnd, DatagramPair, type Sent, typeOf } from '../support/datagram-pair.js';

const NEAR = { weather: { delay: [10, 10] } } as const;

function isBye({ from, bytes }: Sent, end: DatagramEnd): boolean {
  return from === end.name && !isUtack(bytes) && typeOf(bytes) === FrameType.BYE;
}

/** What the closing client has sent has come, and BYE behind it. */
function assertClean(pair: DatagramPair, messages: readonly Uint8Array[]): void {
  assert.deepEqual(pair.server.messages.map(toHex), messages.map(toHex));
  assert.equal(pair.server.closed?.code, 'bye');
  assert.equal(pair.client.closed?.code, 'closed');
  assert.ok(pair.client.over);
}

describe('close', () => {
  test('brings out all that was sent before, and BYE behind it', () => {
    const pair = DatagramPair.open({ seed: 3, weather: { delay: [5, 40], loss: 0.2 } });
    const messages = [10, 1808, 0, 452, 453, 20, 20, 20].map((size, i) => pattern(i, size));
    for (const message of messages) pair.client.send(message);
    pair.client.close();
    pair.flush();
    assert.equal(pair.client.closed?.code, 'closed');
    assert.ok(pair.client.connection.lingers);
    assert.throws(() => pair.client.send(pattern(1, 1)), { code: 'not_connected' });
    pair.advanceUntil(() => pair.client.over, 20_000);
    assertClean(pair, messages);
  });

  test('takes longer than one time-out where the queue is long and the peer goes on', () => {
    const pair = DatagramPair.open({ weather: { delay: [75, 75] } });
    const messages = Array.from({ length: 36 }, (_, i) => pattern(i, 1808));
    for (const message of messages) pair.client.send(message);
    pair.client.close();
    pair.advance(DELIVERY_TIMEOUT + BYE_TIMEOUT + 5_000);
    assert.ok(pair.client.connection.lingers);
    pair.advance(10_000);
    assertClean(pair, messages);
  });

  test('is over after a minute however slowly the peer takes what was sent', () => {
    const pair = DatagramPair.open({ weather: { delay: [2_000, 2_000] } });
    for (let i = 0; i < 36; i++) pair.client.send(pattern(i, 1808));
    pair.client.close();
    pair.advance(LINGER_LIMIT - 1);
    assert.ok(pair.client.connection.lingers);
    pair.advance(1);
    assert.ok(pair.client.over);
    assert.equal(pair.client.connection.pollTimeout(), Number.POSITIVE_INFINITY);
  });

  test('towards a peer that is gone repeats BYE for 3 s', () => {
    const pair = DatagramPair.open({ weather: { loss: 1 } });
    pair.client.close();
    pair.flush();
    pair.advance(BYE_TIMEOUT - 1);
    assert.ok(pair.client.connection.lingers);
    pair.advance(1);
    assert.ok(pair.client.over);
    assert.ok(pair.sent.filter((sent) => isBye(sent, pair.client)).length >= 3);
  });

  test('with frames under way towards a peer that is gone is over when they are given up', () => {
    const pair = DatagramPair.open({ weather: { loss: 1 } });
    pair.client.send(pattern(1, 10));
    pair.client.close();
    pair.advance(DELIVERY_TIMEOUT);
    assert.ok(pair.client.over);
    assert.ok(!pair.sent.some((sent) => isBye(sent, pair.client)));
  });

  test('of a REKEY that waits for its turn: the messages go out under the old keys', () => {
    const pair = DatagramPair.open(NEAR);
    const messages = [1, 2, 3].map((i) => pattern(i, 10));
    for (const message of messages.slice(0, 2)) pair.client.send(message);
    pair.client.rekey();
    pair.client.send(messages[2]!);
    pair.client.close();
    pair.advance(1_000);
    assertClean(pair, messages);
  });

  test('with REKEY under way and frames of the peer in its way', () => {
    for (const crossing of [false, true]) {
      const pair = DatagramPair.open(NEAR);
      pair.server.send(pattern(7, 10));
      pair.client.rekey();
      if (crossing) pair.server.rekey();
      pair.client.send(pattern(1, 10));
      pair.flush();
      pair.client.close();
      pair.advance(10_000);
      assertClean(pair, [pattern(1, 10)]);
      assert.deepEqual(
        pair.client.events.filter(({ type }) => type !== 'closed'),
        [],
      );
    }
  });

  test('is not acknowledged to the application any more, and messages of the peer are not taken', () => {
    const pair = DatagramPair.open(NEAR);
    pair.client.send(pattern(1, 10), true);
    pair.client.close();
    pair.server.send(pattern(2, 10), true);
    pair.advance(5_000);
    assertClean(pair, [pattern(1, 10)]);
    assert.deepEqual(
      pair.client.events.map(({ type }) => type),
      ['closed'],
    );
    assert.deepEqual(pair.server.of('acknowledged'), []);
  });

  test('of both sides at once ends both', () => {
    for (const loss of [0, 0.3]) {
      const pair = DatagramPair.open({ ...NEAR, weather: { ...NEAR.weather, loss } });
      for (const end of pair.ends) {
        end.send(pattern(1, 10));
        end.close();
      }
      pair.advance(16_000);
      for (const end of pair.ends) {
        assert.equal(end.closed?.code, 'closed');
        assert.equal(end.of('closed').length, 1);
        assert.ok(end.over);
      }
    }
  });

  test('twice is close once', () => {
    const pair = DatagramPair.open(NEAR);
    pair.client.close();
    pair.client.close();
    pair.advance(1_000);
    assert.equal(new Set(pair.sent.filter((sent) => isBye(sent, pair.client))).size, 1);
    assertClean(pair, []);
  });

  test('of a link that has broken says so', () => {
    const pair = DatagramPair.open(NEAR);
    pair.client.connection.handleEnd();
    pair.flush();
    assert.equal(pair.client.closed?.code, 'connection_lost');
    assert.ok(pair.client.over);
  });
});

for (const endpoint of [false, true]) {
  describe(`when the UTACK of BYE is lost ${endpoint ? 'at a server behind its endpoint' : 'at an end alone'}`, () => {
    test('the session that is over answers every repeat with the same UTACK', () => {
      const pair = new DatagramPair({ ...NEAR, endpoint });
      pair.advanceUntil(() => pair.ends.every(({ connection }) => connection.state === 'open'), 1_000);
      const utacks: string[] = [];
      pair.intercept = ({ from, bytes }) => {
        if (from !== 'server' || !isUtack(bytes) || typeOf(bytes) !== FrameType.BYE) return undefined;
        utacks.push(toHex(bytes));
        return utacks.length < 4 ? [] : undefined;
      };
      pair.client.close();
      pair.advance(5_000);
      assertClean(pair, []);
      assert.equal(utacks.length, 4);
      assert.equal(new Set(utacks).size, 1);
      if (endpoint) assert.deepEqual([...pair.endpoint!.peers()], []);
    });
  });
}
