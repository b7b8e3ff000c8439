/** Promises about what is carried: order, boundaries, both directions at once, backpressure, volume. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { USMPSession } from '#dist/index.js';
import { pattern } from '../interop/traffic.js';
import { eventually, within } from '../server/live.js';
import { SeededRandom } from '../support/random.js';
import { bothWays, listen, meetAt, openEnds, profileOf, type TransportBed } from './bed.js';
import type { Promised } from './compliance.js';

/** Around the limits of a frame (452 bytes) and of a message (1,808 bytes). */
const EDGES = [0, 1, 2, 451, 452, 453, 904, 905, 1_807, 1_808];
const LARGEST = 1_808;

/** Messages of the edges, and of random sizes behind them. */
const MIXED = 150;

/** Small queues, so that they are full soon. */
const QUEUE = 8_192;

/** What one read of a line can bring beyond a full queue, with what its messages cost beside their bytes. */
const READ = 3 * 65_536;

/** Messages that no line and no queue holds: 22 MB. */
const MOST = 12_000;
const FLOOD_SIZE = 1_800;

/** A sender that has not moved for this long stands still. Milliseconds. */
const STANDSTILL = 250;

export const MESSAGES: Readonly<Record<string, Promised>> = {
  'messages of all sizes arrive whole, once and in order, both ways at once': {
    run: async (scope, bed) => {
      const ends = await openEnds(scope, bed);
      const random = new SeededRandom(MIXED);
      const sizes = [
        ...EDGES,
        ...Array.from({ length: MIXED - EDGES.length }, () => random.integer(0, LARGEST)),
      ];
      await Promise.all(bothWays(ends).map(({ from, to }) => carry(bed, from, to, sizes)));
    },
  },

  'a large volume arrives complete and in order, both ways at once': {
    run: async (scope, bed) => {
      const ends = await openEnds(scope, bed);
      const { volume } = profileOf(bed);
      await Promise.all(bothWays(ends).map(({ from, to }) => carryVolume(bed, from, to, volume)));
    },
  },

  'a receiver that does not read stops its sender, holds little, and gets everything in the end': {
    run: async (scope, bed) => {
      const limits = { receiveQueue: QUEUE, sendBacklog: QUEUE };
      const ends = await openEnds(scope, bed, { server: limits, client: limits });
      for (const { from, to, name } of bothWays(ends)) await assertBackpressure(bed, from, to, name);
    },
  },

  'sessions at the same time do not mix': {
    of: (bed) => !profileOf(bed).single,
    run: async (scope, bed) => {
      const { live, url } = await listen(scope, bed);
      const all = [];
      for (let i = 0; i < 3; i++) all.push(await meetAt(scope, bed, live, url));
      const traffic = all.map((ends, i) => {
        const sizes = EDGES.map((size) => Math.max(4, size - i));
        return bothWays(ends).map(({ from, to }, way) => carry(bed, from, to, sizes, 1_000 * (2 * i + way)));
      });
      await Promise.all(traffic.flat());
      const { patience } = profileOf(bed);
      for (const { here } of all) await here.ping({ timeout: patience });
    },
  },

  'PING is answered, and new keys from either side go on with the session': {
    run: async (scope, bed) => {
      const ends = await openEnds(scope, bed);
      const { patience } = profileOf(bed);
      for (const { from, to } of bothWays(ends)) {
        assert.ok((await from.ping({ timeout: patience })) >= 0);
        await from.rekey({ timeout: patience });
        for (const way of bothWays(ends)) await carry(bed, way.from, way.to, [453]);
        assert.equal(to.error, undefined);
      }
    },
  },
};

/** Messages from one end to the other, with content that tells which is which. */
async function carry(
  bed: TransportBed,
  from: USMPSession,
  to: USMPSession,
  sizes: readonly number[],
  first = 0,
): Promise<void> {
  const { patience } = profileOf(bed);
  const send = async () => {
    for (const [i, size] of sizes.entries()) await from.send(pattern(first + i, size), { timeout: patience });
  };
  const receive = async () => {
    for (const [i, size] of sizes.entries()) {
      const message = await to.recv({ timeout: patience });
      const expected = pattern(first + i, size);
      if (Buffer.compare(message, expected) !== 0)
        assert.deepEqual(message, expected, `message ${i} is another one`);
    }
  };
  await Promise.all([send(), receive()]);
}

/** The same with a checksum in place of comparisons. */
async function carryVolume(
  bed: TransportBed,
  from: USMPSession,
  to: USMPSession,
  volume: number,
): Promise<void> {
  const { patience } = profileOf(bed);
  const count = Math.ceil(volume / FLOOD_SIZE);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const send = async () => {
    for (let i = 0; i < count; i++) {
      const message = pattern(i, FLOOD_SIZE);
      sent.update(message);
      await from.send(message, { timeout: patience });
    }
  };
  const receive = async () => {
    for (let i = 0; i < count; i++) received.update(await to.recv({ timeout: patience }));
  };
  await Promise.all([send(), receive()]);
  assert.equal(received.digest('hex'), sent.digest('hex'), 'what arrived is not what was sent');
}

async function assertBackpressure(
  bed: TransportBed,
  from: USMPSession,
  to: USMPSession,
  name: string,
): Promise<void> {
  const { patience } = profileOf(bed);
  const flood = new Flood(from);
  await flood.standsStill(patience);
  assert.ok(flood.sent < MOST, `${flood.sent} messages of ${name} were taken without a wait`);
  assert.ok(to.stats.receiveQueueBytes < QUEUE + READ, `${to.stats.receiveQueueBytes} bytes are unread`);
  assert.ok(from.stats.sendBacklogBytes < QUEUE + READ, `${from.stats.sendBacklogBytes} bytes wait`);
  const count = flood.stop();
  for (let i = 0; i < count; i++) {
    assert.deepEqual(await to.recv({ timeout: patience }), pattern(i, FLOOD_SIZE));
  }
  await within(flood.done, 'the end of the last send()', patience);
}

/** One end that sends as fast as it may, until it is stopped. */
class Flood {
  readonly done: Promise<void>;
  sent = 0;
  #stopped = false;

  constructor(session: USMPSession) {
    this.done = this.#run(session);
    this.done.catch(() => {});
  }

  /** Waits until a `send` has waited for a while, or until there is no hope that one will. */
  async standsStill(patience: number): Promise<void> {
    let last = -1;
    let since = performance.now();
    await eventually(
      () => {
        if (this.sent !== last) {
          last = this.sent;
          since = performance.now();
        }
        return performance.now() - since > STANDSTILL || this.sent === MOST;
      },
      'a sender to be stopped',
      patience,
    );
  }

  /** How many messages will have been sent. */
  stop(): number {
    this.#stopped = true;
    return this.sent;
  }

  async #run(session: USMPSession): Promise<void> {
    while (!this.#stopped && this.sent < MOST) await session.send(pattern(this.sent++, FLOOD_SIZE));
  }
}
