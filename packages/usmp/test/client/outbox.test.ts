import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { Outbox } from '#dist/client/outbox.js';
import type { QueuePolicy, SendOptions, USMPSession } from '#dist/index.js';
import { coded, text } from '../server/live.js';
import { utf8 } from '../support/bytes.js';

/** Room for three messages of one byte. */
const THREE = 3 * 257;

/** As much of a session as gets messages. */
class FakeSession {
  readonly sent: string[] = [];
  readonly options: (SendOptions | undefined)[] = [];

  send(message: Uint8Array, options?: SendOptions): Promise<void> {
    this.sent.push(text(message));
    this.options.push(options);
    return message[0] === 'x'.charCodeAt(0) ? Promise.reject(new Error('broken')) : Promise.resolve();
  }
}

function flush(outbox: Outbox): FakeSession {
  const session = new FakeSession();
  outbox.flush(session as unknown as USMPSession);
  return session;
}

function add(outbox: Outbox, message: string, options?: SendOptions): Promise<void> {
  return outbox.add(utf8(message), options);
}

test('messages go to the next session in their order, and each send() ends as that of the session', async () => {
  const outbox = new Outbox(THREE, 'reject');
  const sends = ['a', 'x', 'c'].map((message) => add(outbox, message));
  assert.deepEqual([outbox.size, outbox.bytes], [3, THREE]);
  assert.deepEqual(flush(outbox).sent, ['a', 'x', 'c']);
  await sends[0];
  await assert.rejects(sends[1]!, /broken/);
  await sends[2];
  assert.deepEqual([outbox.size, outbox.bytes], [0, 0]);
  assert.deepEqual(flush(outbox).sent, [], 'no message is handed over twice');
});

test('a full queue rejects the new message, which was never sent', async () => {
  const outbox = new Outbox(THREE, 'reject');
  for (const message of 'abc') add(outbox, message);
  await assert.rejects(add(outbox, 'd'), coded('NotConnectedError', 'queue_full'));
  assert.equal(outbox.dropped, 0);
  assert.deepEqual(flush(outbox).sent, ['a', 'b', 'c']);
});

test('with dropOldest the oldest makes room, and its sender is told', async () => {
  const outbox = new Outbox(THREE, 'dropOldest');
  const sends = [...'abcd'].map((message) => add(outbox, message));
  await assert.rejects(sends[0]!, coded('NotConnectedError', 'dropped'));
  const long = add(outbox, 'e'.repeat(100));
  await assert.rejects(sends[1]!, coded('NotConnectedError', 'dropped'));
  await assert.rejects(sends[2]!, coded('NotConnectedError', 'dropped'));
  assert.equal(outbox.dropped, 3);
  assert.deepEqual(flush(outbox).sent, ['d', 'e'.repeat(100)]);
  await Promise.all([sends[3], long]);
});

test('a message that is larger than the queue displaces none', async () => {
  const outbox = new Outbox(THREE, 'dropOldest');
  add(outbox, 'a');
  await assert.rejects(add(outbox, 'b'.repeat(600)), coded('NotConnectedError', 'queue_full'));
  assert.deepEqual(flush(outbox).sent, ['a']);
});

test('a message that no session could carry is refused at once', () => {
  const outbox = new Outbox(1_000_000, 'reject');
  assert.throws(
    () => outbox.add(new Uint8Array(1_809), undefined),
    coded('PayloadError', 'message_too_large'),
  );
});

test('the bytes may be reused after send()', () => {
  const outbox = new Outbox(THREE, 'reject');
  const bytes = utf8('a');
  outbox.add(bytes, undefined);
  bytes.fill(0);
  assert.deepEqual(flush(outbox).sent, ['a']);
});

test('a sender can give a message up, by time and by signal, and then it is never sent', async () => {
  const outbox = new Outbox(THREE, 'reject');
  const stop = new AbortController();
  const late = add(outbox, 'a', { timeout: 10 });
  const aborted = add(outbox, 'b', { signal: stop.signal });
  add(outbox, 'c');
  await assert.rejects(late, coded('USMPTimeoutError', 'send_timeout'));
  stop.abort(new Error('no longer needed'));
  await assert.rejects(aborted, /no longer needed/);
  await assert.rejects(add(outbox, 'd', { signal: stop.signal }), /no longer needed/);
  assert.deepEqual(flush(outbox).sent, ['c']);
});

test('the time that a message has waited counts, and its other options go with it', () => {
  const outbox = new Outbox(THREE, 'reject');
  const { signal } = new AbortController();
  add(outbox, 'a', { timeout: 60_000, acknowledged: true, signal });
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  const [options] = flush(outbox).options;
  assert.equal(options?.acknowledged, true);
  assert.equal(options?.signal, signal);
  assert.ok(options!.timeout! <= 60_000 && options!.timeout! > 0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('giving all up tells every sender why', async () => {
  const outbox = new Outbox(THREE, 'reject');
  const sends = ['a', 'b'].map((message) => add(outbox, message));
  outbox.rejectAll(new Error('over'));
  for (const send of sends) await assert.rejects(send, /over/);
  assert.deepEqual(flush(outbox).sent, []);
});

test('whatever happens, a message has one end, and the limit holds', async () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('add' as const), length: fc.integer({ min: 0, max: 700 }) }),
    fc.record({ type: fc.constant('abort' as const), which: fc.nat(30) }),
    fc.record({ type: fc.constant('flush' as const) }),
  );
  const policies = fc.constantFrom<QueuePolicy>('reject', 'dropOldest');
  await fc.assert(
    fc.asyncProperty(policies, fc.array(step, { maxLength: 40 }), async (policy, steps) => {
      const limit = 1_500;
      const outbox = new Outbox(limit, policy);
      const sent: number[] = [];
      const sends: Promise<void>[] = [];
      const stops: AbortController[] = [];
      const session = {
        send(message: Uint8Array) {
          sent.push(stops.findIndex((_, i) => idOf(message) === i));
          return Promise.resolve();
        },
      };
      for (const { type, ...rest } of steps) {
        if (type === 'add') {
          const stop = new AbortController();
          const id = stops.push(stop) - 1;
          const { length } = rest as { length: number };
          sends.push(outbox.add(message(id, length), { signal: stop.signal }));
        } else if (type === 'abort') {
          stops[(rest as { which: number }).which]?.abort(new Error('given up'));
        } else outbox.flush(session as unknown as USMPSession);
        assert.ok(outbox.bytes <= limit && outbox.bytes >= 0);
      }
      outbox.rejectAll(new Error('over'));
      assert.deepEqual(
        sent,
        [...new Set(sent)].sort((a, b) => a - b),
        'in order, each once',
      );
      const outcomes = await Promise.allSettled(sends);
      assert.deepEqual(
        outcomes.map(({ status }) => status === 'fulfilled'),
        sends.map((_, id) => sent.includes(id)),
      );
    }),
  );
});

function message(id: number, length: number): Uint8Array {
  const bytes = new Uint8Array(1 + length);
  bytes[0] = id;
  return bytes;
}

function idOf(bytes: Uint8Array): number {
  return bytes[0]!;
}
