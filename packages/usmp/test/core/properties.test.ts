import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERROR_CODES, USMPError } from '#dist/core/errors.js';
import { pattern, toHex } from '../support/bytes.js';
import { type EndName, Pair } from '../support/pair.js';

/** `npm run test:long` tries more. */
const EFFORT = process.env.USMP_LONG ? 10 : 1;

type Command =
  | { readonly do: 'send'; readonly end: EndName; readonly size: number }
  | { readonly do: 'ping' | 'rekey' | 'close'; readonly end: EndName }
  | { readonly do: 'deliver'; readonly end: EndName; readonly bytes: number }
  | { readonly do: 'advance'; readonly milliseconds: number };

const end = fc.constantFrom<EndName>('client', 'server');
const size = fc.oneof(fc.constantFrom(0, 1, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808), fc.nat(1808));

const anything: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('send'), end, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rekey'), end }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ping'), end }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('deliver'), end, bytes: fc.integer({ min: 1, max: 2500 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance'), milliseconds: fc.nat(60) }) },
);
const close: fc.Arbitrary<Command> = fc.record({ do: fc.constant('close'), end });

const line = fc.record({
  seed: fc.nat(),
  delay: fc.constantFrom<readonly [number, number]>([0, 0], [5, 5], [0, 40]),
  largestPiece: fc.constantFrom(20, 700, Number.POSITIVE_INFINITY),
  client: fc.record({ keepaliveInterval: fc.constantFrom(0, 30), idleTimeout: fc.constant(100_000) }),
});

/** The model: what each end has sent, and nothing else. */
class Model {
  readonly sent: Record<EndName, string[]> = { client: [], server: [] };
  readonly askedForRekey = new Set<EndName>();
  readonly closed = new Set<EndName>();
  #number = 0;

  run(pair: Pair, commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.do === 'deliver') pair.deliver(pair[command.end], command.bytes);
      else if (command.do === 'advance') pair.advance(command.milliseconds);
      else if (pair[command.end].connection.state === 'open') this.#command(pair, command);
    }
    pair.settle();
  }

  #command(pair: Pair, command: Extract<Command, { end: EndName }>): void {
    const target = pair[command.end];
    switch (command.do) {
      case 'send': {
        const message = pattern(++this.#number, command.size);
        this.sent[command.end].push(toHex(message));
        return target.send(message);
      }
      case 'ping':
        target.ping();
        return;
      case 'rekey':
        this.askedForRekey.add(command.end);
        return target.rekey();
      case 'close':
        this.closed.add(command.end);
        return target.close();
    }
  }
}

test('whatever both sides do and however the line cuts it: every message arrives once, in order', () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 60 }), line, (commands, options) => {
      const pair = Pair.open(options);
      const model = new Model();
      model.run(pair, commands);
      for (const side of pair.ends) {
        assert.equal(side.closed?.code, undefined, `${side.name} is open`);
        assert.deepEqual(side.messages.map(toHex), model.sent[pair.other(side).name]);
        assert.deepEqual(side.crypto.reused, []);
        if (model.askedForRekey.has(side.name))
          assert.ok(side.of('rekeyed').some(({ initiator }) => initiator));
      }
      assert.equal(pair.client.of('rekeyed').length, pair.server.of('rekeyed').length);
    }),
    { numRuns: 250 * EFFORT },
  );
});

test('an orderly close loses nothing of the side that closes, wherever it comes', () => {
  fc.assert(
    fc.property(
      fc.array(anything, { maxLength: 30 }),
      close,
      fc.array(fc.oneof({ weight: 9, arbitrary: anything }, { weight: 1, arbitrary: close }), {
        maxLength: 20,
      }),
      line,
      (before, bye, after, options) => {
        const pair = Pair.open(options);
        const model = new Model();
        model.run(pair, [...before, bye, ...after]);
        for (const side of pair.ends) {
          const other = pair.other(side);
          const sent = model.sent[other.name];
          const received = side.messages.map(toHex);
          assert.deepEqual(received, sent.slice(0, received.length), 'a beginning of what was sent');
          assert.equal(side.closed?.code, model.closed.has(side.name) ? 'closed' : 'bye');
          if (!model.closed.has(side.name)) assert.equal(received.length, sent.length);
          assert.deepEqual(side.crypto.reused, []);
        }
      },
    ),
    { numRuns: 150 * EFFORT },
  );
});

test('whatever the line corrupts: a beginning of what was sent arrives, and the end has a code', () => {
  const corruption = fc.record({ end, ahead: fc.nat(3000), mask: fc.integer({ min: 1, max: 0xff }) });
  fc.assert(
    fc.property(
      fc.array(anything, { maxLength: 30 }),
      line,
      fc.array(corruption, { minLength: 1, maxLength: 3 }),
      (commands, options, corruptions) => {
        const pair = Pair.open(options);
        for (const { end: from, ahead, mask } of corruptions) pair[from].line.corrupt(ahead, mask);
        const model = new Model();
        model.run(pair, commands);
        for (const side of pair.ends) {
          const received = side.messages.map(toHex);
          assert.deepEqual(received, model.sent[pair.other(side).name].slice(0, received.length));
          if (side.closed !== undefined) {
            assert.ok(side.closed instanceof USMPError);
            assert.ok(side.closed.code in ERROR_CODES);
            assert.equal(side.closed.fault, 'peer');
          }
        }
      },
    ),
    { numRuns: 150 * EFFORT },
  );
});
