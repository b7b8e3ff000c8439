import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FrameType } from '#dist/core/frame.js';
import { SAFE_REKEY_FRAMES } from '#dist/core/limits.js';
import { isUtack } from '#dist/core/utack.js';
import { pattern, toHex } from '../support/bytes.js';
import { isWiped } from '../support/crypto.js';
import { DatagramPair, type Sent, typeOf } from '../support/datagram-pair.js';
import type { EndName } from '../support/pair.js';

const NEAR = { weather: { delay: [10, 10] } } as const;

function isRekey({ from, bytes }: Sent, end: EndName): boolean {
  return from === end && !isUtack(bytes) && typeOf(bytes) === FrameType.REKEY;
}

function isRekeyUtack({ from, bytes }: Sent, end: EndName): boolean {
  return from === end && isUtack(bytes) && typeOf(bytes) === FrameType.REKEY;
}

/** Loses what the test picks, so many times. */
function lose(pair: DatagramPair, picks: (sent: Sent) => boolean, times: number): void {
  let left = times;
  pair.intercept = (sent) => (picks(sent) && left-- > 0 ? [] : undefined);
}

function assertWorks(pair: DatagramPair): void {
  const before = pair.ends.map((end) => end.messages.length);
  for (const end of pair.ends) for (const size of [0, 10, 1808]) end.send(pattern(size + 5, size));
  pair.advance(10_000);
  for (const [i, end] of pair.ends.entries()) {
    assert.equal(end.closed, undefined);
    const received = end.messages.slice(before[i]).map(toHex);
    assert.deepEqual(
      received,
      [0, 10, 1808].map((size) => toHex(pattern(size + 5, size))),
    );
    assert.deepEqual(end.crypto.reused, []);
    assert.equal(end.connection.pendingTransmit, 0);
  }
}

for (const initiator of ['client', 'server'] as const) {
  const responder = initiator === 'client' ? 'server' : 'client';

  describe(`REKEY from the ${initiator}`, () => {
    test('waits until everything before it is acknowledged, and nothing leaves until it is itself', () => {
      const pair = DatagramPair.open(NEAR);
      lose(pair, ({ from, bytes }) => from === initiator && !isUtack(bytes), 1);
      pair[initiator].send(pattern(1, 10));
      pair[initiator].rekey();
      pair[initiator].send(pattern(2, 10));
      pair[initiator].ping();
      pair.advance(99);
      assert.ok(!pair.sent.some((sent) => isRekey(sent, initiator)));
      pair.advanceUntil(() => pair.sent.some((sent) => isRekey(sent, initiator)), 1_000);
      assert.equal(pair[responder].messages.length, 1);
      const at = pair.sent.length;
      pair.advance(19);
      assert.ok(!pair.sent.slice(at).some(({ from, bytes }) => from === initiator && !isUtack(bytes)));
      pair.advance(1_000);
      assert.equal(pair[responder].messages.length, 2);
      assert.deepEqual(pair[initiator].of('rekeyed'), [{ type: 'rekeyed', initiator: true }]);
      assert.deepEqual(pair[responder].of('rekeyed'), [{ type: 'rekeyed', initiator: false }]);
      assertWorks(pair);
    });

    test('is answered again under the old key when its UTACK was lost, as long as that is asked', () => {
      const pair = DatagramPair.open(NEAR);
      lose(pair, (sent) => isRekeyUtack(sent, responder), 3);
      pair[initiator].rekey();
      pair.advance(5_000);
      const utacks = pair.sent
        .filter((sent) => isRekeyUtack(sent, responder))
        .map(({ bytes }) => toHex(bytes));
      assert.equal(utacks.length, 4);
      assert.equal(new Set(utacks).size, 1, 'always the same');
      assertWorks(pair);
    });

    test('needs no UTACK where a frame under the new key comes', () => {
      const pair = DatagramPair.open(NEAR);
      lose(pair, (sent) => isRekeyUtack(sent, responder), Number.POSITIVE_INFINITY);
      pair[initiator].rekey();
      pair.advance(15);
      pair[responder].send(pattern(1, 10));
      pair.advance(1_000);
      assert.equal(pair[initiator].messages.length, 1);
      assertWorks(pair);
    });

    test('is not taken while frames of the responder are under way, which sends nothing new then', () => {
      const pair = DatagramPair.open(NEAR);
      let blocked = true;
      pair.intercept = ({ from, bytes }) =>
        blocked && from === responder && !isUtack(bytes) && typeOf(bytes) === FrameType.DATA ? [] : undefined;
      pair[responder].send(pattern(1, 10));
      pair[initiator].rekey();
      pair.advance(2_000);
      pair[responder].send(pattern(2, 10));
      pair.advance(1_000);
      assert.ok(!pair.sent.some((sent) => isRekeyUtack(sent, responder)));
      const frames = pair.sent.filter(({ from, bytes }) => from === responder && !isUtack(bytes));
      assert.equal(new Set(frames.map(({ bytes }) => toHex(bytes))).size, 1, 'the second message waits');
      blocked = false;
      pair.advance(6_000);
      assert.equal(pair[initiator].messages.length, 2);
      assert.equal(pair[responder].of('rekeyed').length, 1);
      assertWorks(pair);
    });

    test('waits for the end of a message of the responder', () => {
      const pair = DatagramPair.open(NEAR);
      pair[responder].send(pattern(1, 1808));
      pair[initiator].rekey();
      pair.advance(5_000);
      assert.deepEqual(pair[initiator].messages.map(toHex), [toHex(pattern(1, 1808))]);
      assertWorks(pair);
    });

    test('that is not repeated holds the responder back for 13 s, and then nobody has to wake it', () => {
      const pair = DatagramPair.open(NEAR);
      let rekeys = 0;
      pair.intercept = (sent) => {
        // It reaches the responder once, and the initiator's UTACK for what is under way comes after it.
        if (isRekey(sent, initiator)) return rekeys++ === 0 ? [[1, sent.bytes]] : [];
        return sent.from === initiator ? [[30, sent.bytes]] : undefined;
      };
      pair[initiator].rekey();
      pair[responder].send(pattern(1, 10));
      pair.flush();
      pair.advance(60);
      pair[responder].send(pattern(2, 10));
      pair.flush();
      pair.advance(12_000);
      assert.equal(pair[initiator].messages.length, 1);
      assert.ok(pair[responder].pollTimeout() < pair.now + 1_500);
      pair.advance(1_100);
      const frames = pair.sent.filter(({ from, bytes }) => from === responder && !isUtack(bytes));
      assert.equal(new Set(frames.map(({ bytes }) => toHex(bytes))).size, 2);
    });

    test('leaves nothing of the old keys when it is over', () => {
      const pair = DatagramPair.open(NEAR);
      pair[initiator].rekey();
      pair.advance(1_000);
      for (const { crypto } of pair.ends) {
        const alive = crypto.cipherKeys.filter((key) => !isWiped(key));
        assert.ok(alive.length <= 2, `${alive.length} keys`);
      }
    });
  });
}

describe('crossing REKEYs', () => {
  for (const loser of ['client', 'server'] as const) {
    for (const [what, picks] of Object.entries({ REKEY: isRekey, UTACK: isRekeyUtack })) {
      for (const times of [1, 2, 5]) {
        test(`complete when the ${what} of the ${loser} is lost ${times} times`, () => {
          const pair = DatagramPair.open(NEAR);
          lose(pair, (sent) => picks(sent, loser), times);
          for (const end of pair.ends) end.rekey();
          pair.advance(12_000);
          for (const end of pair.ends) {
            assert.deepEqual(end.of('rekeyed'), [{ type: 'rekeyed', initiator: true }]);
          }
          assertWorks(pair);
          for (const end of pair.ends) end.rekey();
          pair.advance(2_000);
          assertWorks(pair);
        });
      }
    }
  }
});

describe('towards released peers', () => {
  /** A client that has sent so many frames. */
  function after(frames: number): DatagramPair {
    const pair = DatagramPair.open(NEAR);
    for (let i = 0; i < frames; i++) pair.client.send(pattern(i, 5));
    pair.advance(5_000);
    assert.equal(pair.client.connection.stats.framesSent, frames);
    return pair;
  }

  test('after 63 frames REKEY is safe', () => {
    const pair = after(SAFE_REKEY_FRAMES - 1);
    pair.client.rekey();
    pair.advance(1_000);
    assert.equal(pair.client.of('rekeyed').length, 1);
  });

  test('after 64 frames it is refused, unless it is forced; the session goes on', () => {
    const pair = after(SAFE_REKEY_FRAMES);
    assert.throws(() => pair.client.rekey(), { name: 'SequenceError', code: 'rekey_unsafe' });
    assertWorks(pair);
    pair.client.rekey(true);
    pair.advance(1_000);
    assert.equal(pair.client.of('rekeyed').length, 1);
    assert.throws(() => pair.client.rekey(), { code: 'rekey_unsafe' }, 'also under new keys');
    assertWorks(pair);
  });

  test('one that becomes unsafe before its turn is refused by an event', () => {
    const pair = after(SAFE_REKEY_FRAMES - 2);
    pair.client.send(pattern(1, 800));
    pair.flush();
    pair.client.rekey();
    pair.advance(1_000);
    const [refused, more] = pair.client.of('rekey-refused');
    assert.equal(refused?.error.code, 'rekey_unsafe');
    assert.equal(more, undefined);
    assert.equal(pair.client.of('rekeyed').length, 0);
    assertWorks(pair);
  });

  test('force is for one change of keys', () => {
    const pair = after(40);
    pair.client.rekey(true);
    pair.flush();
    pair.client.rekey(true);
    pair.advance(1_000);
    assert.equal(pair.client.of('rekeyed').length, 1);
    // PING was 0 under the new key; then 59 messages, and one in four parts that goes to 63.
    for (let i = 0; i < 59; i++) pair.client.send(pattern(i, 5));
    pair.advance(3_000);
    pair.client.send(pattern(1, 1808));
    pair.flush();
    pair.client.rekey();
    pair.advance(3_000);
    assert.equal(pair.client.of('rekeyed').length, 1);
    assert.equal(pair.client.of('rekey-refused').length, 1);
  });
});
