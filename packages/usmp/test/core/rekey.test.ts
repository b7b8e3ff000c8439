import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pattern, toHex } from '../support/bytes.js';
import { type End, Pair, type PairOptions } from '../support/pair.js';
import { SeededRandom } from '../support/random.js';
import { rekeyNamed, ScriptedEnd, sessionNamed, walk } from '../support/vectors.js';

/** A pair that remembers what was sent, and can say whether all of it has arrived, once and in order. */
class Stream {
  readonly pair: Pair;
  readonly #sent = new Map<End, Uint8Array[]>();
  #number = 0;

  constructor(options: PairOptions = {}) {
    this.pair = Pair.open(options);
    for (const end of this.pair.ends) this.#sent.set(end, []);
  }

  send(end: End, size: number): void {
    const message = pattern(++this.#number, size);
    this.#sent.get(end)!.push(message);
    end.send(message);
  }

  assertComplete(): void {
    for (const end of this.pair.ends) {
      const sent = this.#sent.get(this.pair.other(end))!;
      assert.equal(end.closed?.code, undefined, `${end.name} is open`);
      assert.deepEqual(end.messages.map(toHex), sent.map(toHex), `what ${end.name} has received`);
      assert.deepEqual(end.crypto.reused, [], `${end.name} never seals twice under one number`);
    }
  }
}

function rekeyed(end: End): boolean[] {
  return end.of('rekeyed').map(({ initiator }) => initiator);
}

for (const initiator of ['client', 'server'] as const) {
  describe(`REKEY from the ${initiator}`, () => {
    test('completes on an idle line, and both sides are told who asked', () => {
      const stream = new Stream({ delay: [10, 10] });
      const { pair } = stream;
      const other = pair.other(pair[initiator]);
      pair[initiator].rekey();
      pair.settle();
      assert.deepEqual(rekeyed(pair[initiator]), [true]);
      assert.deepEqual(rekeyed(other), [false]);
      for (const end of pair.ends) stream.send(end, 1808);
      pair.settle();
      stream.assertComplete();
    });

    test('loses nothing of what either side has under way', () => {
      for (let seed = 1; seed <= 20; seed++) {
        const stream = new Stream({ seed, delay: [0, 40], largestPiece: 300 });
        const { pair } = stream;
        const random = new SeededRandom(seed);
        for (let i = 0; i < 60; i++) {
          for (const end of pair.ends) stream.send(end, random.pick([0, 1, 452, 453, 905, 1808]));
          if (i % 20 === 10) pair[initiator].rekey();
          pair.advance(random.integer(5, 15));
        }
        pair.settle();
        stream.assertComplete();
        assert.equal(rekeyed(pair[initiator]).length, 3);
      }
    });

    test('many in a row, with a message each way in every generation', () => {
      const stream = new Stream({ delay: [3, 3] });
      const { pair } = stream;
      for (let generation = 0; generation < 200; generation++) {
        pair[initiator].rekey();
        for (const end of pair.ends) stream.send(end, 500);
        pair.settle();
      }
      stream.assertComplete();
      assert.equal(rekeyed(pair.client).length, 200);
      assert.equal(rekeyed(pair.server).length, 200);
    });

    test('asked for again before it is complete, the one under way serves both calls', () => {
      const { pair } = new Stream({ delay: [50, 50] });
      const { line } = pair[initiator];
      const before = line.written;
      for (let i = 0; i < 5; i++) pair[initiator].rekey();
      pair.settle();
      assert.deepEqual(rekeyed(pair[initiator]), [true]);
      assert.equal(line.written - before, 72 + 40, 'one REKEY and one PING');
    });

    test('a message of the released peer may straddle it', () => {
      const script = rekeyNamed(`a message of the released peer straddles the REKEY of the ${initiator}`);
      const salts = script.rekeys.map(({ salt }) => salt);
      const end = ScriptedEnd.open(sessionNamed(script.session), initiator, salts);
      const steps = script.views[initiator]!.length;
      walk(
        end,
        script,
        steps,
        (frame) => end.input(frame),
        () => {},
      );
      assert.deepEqual(end.received.map(toHex), script.received[initiator]);
      assert.ok(
        end.received.some((message) => new TextDecoder().decode(message).includes('under the new one')),
      );
      assert.equal(end.closed, undefined);
    });
  });
}

describe('REKEY from both sides', () => {
  test('at the same moment: both complete as initiators, and the keys agree', () => {
    const stream = new Stream({ delay: [20, 20] });
    const { pair } = stream;
    for (const end of pair.ends) end.rekey();
    for (const end of pair.ends) stream.send(end, 1000);
    pair.settle();
    assert.deepEqual(rekeyed(pair.client), [true]);
    assert.deepEqual(rekeyed(pair.server), [true]);
    for (const end of pair.ends) stream.send(end, 1000);
    pair.settle();
    stream.assertComplete();
  });

  test('crossing again and again while both stream loses nothing and doubles nothing', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const stream = new Stream({ seed, delay: [0, 60], largestPiece: 1000 });
      const { pair } = stream;
      const random = new SeededRandom(seed);
      for (let i = 0; i < 80; i++) {
        for (const end of pair.ends) {
          stream.send(end, random.pick([0, 10, 452, 453, 1808]));
          if (random.next() < 0.2) end.rekey();
          if (random.next() < 0.2) end.ping();
        }
        pair.advance(random.integer(0, 20));
      }
      pair.settle();
      stream.assertComplete();
      assert.equal(rekeyed(pair.client).length, rekeyed(pair.server).length);
    }
  });

  test('one that is asked for while that of the peer is under way follows it', () => {
    const stream = new Stream({ delay: [50, 50] });
    const { pair } = stream;
    pair.client.rekey();
    pair.client.drain();
    // The server has read REKEY and not yet the PING behind it, so the change is not complete for it.
    pair.server.input(pair.client.line.take(72));
    pair.server.rekey();
    assert.deepEqual(rekeyed(pair.server), []);
    pair.settle();
    assert.deepEqual(rekeyed(pair.client), [true, false]);
    assert.deepEqual(rekeyed(pair.server), [false, true]);
    for (const end of pair.ends) stream.send(end, 453);
    pair.settle();
    stream.assertComplete();
  });
});
