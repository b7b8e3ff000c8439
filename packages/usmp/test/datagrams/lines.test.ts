/**
 * Messages over lines that lose, repeat, reorder, damage and delay datagrams: every message once and in order, or the
 * session ends, and says so.
 */

import { describe, test } from 'node:test';
import { assertDelivered, carry, type Line, openBed } from './lossy.js';

const LONG = process.env.USMP_LONG !== undefined;

/** Mostly of one frame, as several can be under way; the parts of a message fly alone. */
const SIZES = [64, 0, 452, 453, 64, 1, 200, 1808, 64, 64];

/** Everything that is not loss. */
const UNKIND: Line = { duplication: 0.1, reordering: 0.1, corruption: 0.03 };

interface Case {
  readonly name: string;
  readonly line: Line;
  /** Messages in each direction. */
  readonly count: number;
  /** The line is bad enough to lose all transmissions of a frame. */
  readonly orEnded?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'nothing', line: {}, count: 300 },
  { name: 'duplication and reordering', line: { duplication: 0.2, reordering: 0.3 }, count: 300 },
  { name: 'corruption', line: { corruption: 0.1 }, count: 150 },
  { name: 'delays of 0 to 300 ms', line: { delay: [0, 300] }, count: 20 },
  { name: 'delays of 300 ms', line: { delay: [300, 300] }, count: 10 },
  { name: '5 % loss', line: { ...UNKIND, loss: 0.05 }, count: 120 },
  {
    name: '5 % loss and delays to 50 ms',
    line: { ...UNKIND, loss: 0.05, delay: [0, 50] },
    count: 50,
    orEnded: true,
  },
  {
    name: '5 % loss and delays to 300 ms',
    line: { ...UNKIND, loss: 0.05, delay: [0, 300] },
    count: 12,
    orEnded: true,
  },
  { name: '20 % loss', line: { ...UNKIND, loss: 0.2 }, count: 24, orEnded: true },
  {
    name: '20 % loss and delays to 300 ms',
    line: { ...UNKIND, loss: 0.2, delay: [0, 300] },
    count: 6,
    orEnded: true,
  },
  { name: '40 % loss', line: { ...UNKIND, loss: 0.4 }, count: 10, orEnded: true },
  {
    name: '40 % loss and delays to 300 ms',
    line: { ...UNKIND, loss: 0.4, delay: [0, 300] },
    count: 4,
    orEnded: true,
  },
];

describe('every message once and in order, both ways, or a typed end, where the line does', {
  concurrency: true,
}, () => {
  for (const { name, line, count, orEnded } of CASES) {
    test(name, async (t) => {
      const bed = await openBed(t, { line });
      const many = LONG ? 5 * count : count;
      const started = performance.now();
      const directions = await Promise.all([
        carry(bed.here, bed.there, many, SIZES),
        carry(bed.there, bed.here, many, SIZES),
      ]);
      assertDelivered(bed, directions, { orEnded });
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      const received = directions.map((direction) => direction.received).join(' + ');
      t.diagnostic(`${name}: ${received} of 2 × ${many} messages in ${seconds} s`);
    });
  }
});
