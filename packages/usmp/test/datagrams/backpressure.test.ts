/** A receiver that stops reading: nothing is lost and nothing grows. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { USMPSession } from '#dist/index.js';
import { messageOf } from '../interop/traffic.js';
import { coded, eventually, stateOf } from '../server/live.js';
import { openBed, PATIENCE } from './lossy.js';

const QUEUE = 8_192;
const SIZES = [452];

/** More than the queues of both sides hold. */
const MANY = 200;

/** What both sides may hold beside their queues: what is under way, and the message that reached the limit. */
const SLACK = 8_192;

/** Messages on their way from a sender that waits whenever it is told to. */
interface Sending {
  /** Accepted by `send()` so far. */
  handed: number;
  readonly done: Promise<void>;
}

function sendMany(session: USMPSession): Sending {
  const sending = { handed: 0, done: Promise.resolve() };
  sending.done = (async () => {
    for (; sending.handed < MANY; sending.handed++) {
      await session.send(messageOf(sending.handed, SIZES), { timeout: PATIENCE });
    }
  })();
  sending.done.catch(() => {});
  return sending;
}

/** Waits until the receiver is full, and the sender has felt it. */
async function standstill(from: USMPSession, to: USMPSession): Promise<void> {
  await eventually(() => to.stats.receiveQueueBytes >= QUEUE, 'a full queue', PATIENCE);
  await eventually(() => from.stats.sendBacklogBytes >= QUEUE, 'a full backlog', PATIENCE);
  const { framesRetransmitted } = from.stats;
  await eventually(
    () => from.stats.framesRetransmitted > framesRetransmitted + 1,
    'repeats of what finds no room',
    PATIENCE,
  );
}

/** That neither side holds more than it may. */
function assertBounded(from: USMPSession, to: USMPSession): void {
  assert.ok(to.stats.receiveQueueBytes < QUEUE + SLACK, `${to.stats.receiveQueueBytes} bytes unread`);
  assert.ok(from.stats.sendBacklogBytes < QUEUE + SLACK, `${from.stats.sendBacklogBytes} bytes wait`);
}

describe('a receiver that stops reading', { concurrency: true }, () => {
  for (const sender of ['client', 'server'] as const) {
    test(`holds up the ${sender}, and loses nothing`, async (t) => {
      const limits = { receiveQueue: QUEUE, sendBacklog: QUEUE };
      const { here, there } = await openBed(t, {
        line: { loss: 0.05, duplication: 0.1, reordering: 0.1 },
        client: limits,
        server: limits,
      });
      const [from, to] = sender === 'client' ? [here, there] : [there, here];
      const sending = sendMany(from);
      await standstill(from, to);
      assertBounded(from, to);
      assert.equal(await stateOf(sending.done), 'pending');

      for (let number = 0; number < MANY; number++) {
        assert.deepEqual(await to.recv({ timeout: PATIENCE }), messageOf(number, SIZES));
      }
      await sending.done;
      assert.equal(to.stats.messagesLost, 0);
    });

    test(`for good ends the session of the ${sender} before anything grows`, async (t) => {
      const limits = { receiveQueue: QUEUE, sendBacklog: QUEUE };
      const { here, there } = await openBed(t, { client: limits, server: limits });
      const [from, to] = sender === 'client' ? [here, there] : [there, here];
      const sending = sendMany(from);
      await standstill(from, to);
      assertBounded(from, to);
      await assert.rejects(sending.done, coded('DeliveryError', 'not_acknowledged'));
      assert.ok(sending.handed < MANY);
      assert.equal(from.error?.code, 'not_acknowledged');
      assertBounded(from, to);
      // What was taken can still be read.
      const { messagesReceived } = to.stats;
      for (let number = 0; number < messagesReceived; number++) {
        assert.deepEqual(await to.recv({ timeout: PATIENCE }), messageOf(number, SIZES));
      }
    });
  }
});
