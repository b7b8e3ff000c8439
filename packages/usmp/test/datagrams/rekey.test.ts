/** New keys over bad lines: no message is lost, repeated or late for it, whoever asks, also both at once. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { USMPSession } from '#dist/index.js';
import { coded, eventually } from '../server/live.js';
import type { Passing } from '../support/udp-proxy.js';
import {
  assertDelivered,
  type Bed,
  type BedOptions,
  carry,
  type Line,
  MIXED,
  openBed,
  PATIENCE,
} from './lossy.js';

const REKEY = 0x0b;

/** Frames to the peer from which on released peers lose some (spec/protocol.md §9.5). */
const UNSAFE_FRAMES = 64;

const LINES: Readonly<Record<string, { line: Line; count: number; rekeys: number; orEnded?: boolean }>> = {
  'a perfect line': { line: {}, count: 400, rekeys: 20 },
  'a line that repeats, reorders and damages': {
    line: { duplication: 0.2, reordering: 0.2, corruption: 0.05 },
    count: 150,
    rekeys: 12,
  },
  'a line that delays': { line: { delay: [0, 100] }, count: 30, rekeys: 6 },
  'a line that loses 5 %': {
    line: { loss: 0.05, duplication: 0.1, reordering: 0.1, corruption: 0.03 },
    count: 80,
    rekeys: 8,
  },
  'a line that loses 20 % and delays': {
    line: { loss: 0.2, duplication: 0.1, reordering: 0.1, delay: [0, 50] },
    count: 12,
    rekeys: 3,
    orEnded: true,
  },
};

/** Keys as both sides have logged them, without who and where. */
interface KeyLogs {
  readonly here: string[];
  readonly there: string[];
}

async function openLoggedBed(
  t: Parameters<typeof openBed>[0],
  options: BedOptions,
): Promise<Bed & { logs: KeyLogs }> {
  const logs: KeyLogs = { here: [], there: [] };
  const bed = await openBed(t, {
    ...options,
    client: { dangerKeyLog: (line) => logs.here.push(line) },
    server: { dangerKeyLog: (line) => logs.there.push(line) },
  });
  return { ...bed, logs };
}

/** The epochs that a side has logged for this session. */
function epochs(lines: readonly string[], session: USMPSession): string[] {
  return lines.filter((line) => line.includes(session.id));
}

/**
 * That both sides end with the same keys, after as many changes. When two changes cross, each side passes through a
 * pair of its own.
 */
function assertSameKeys(
  { here, logs }: Bed & { logs: KeyLogs },
  changes: number,
  { crossed = false } = {},
): void {
  const ours = epochs(logs.here, here);
  const theirs = epochs(logs.there, here);
  assert.equal(ours.length, 1 + changes);
  assert.equal(theirs.length, 1 + changes);
  if (!crossed) assert.deepEqual(ours, theirs);
  assert.equal(ours.at(-1), theirs.at(-1));
  assert.equal(new Set(ours).size, ours.length);
}

describe('REKEY under traffic both ways', { concurrency: true }, () => {
  for (const [name, { line, count, rekeys, orEnded }] of Object.entries(LINES)) {
    for (const mode of ['in turn', 'both at once'] as const) {
      test(`${name}, ${mode}`, async (t) => {
        const bed = await openLoggedBed(t, { line });
        const { here, there } = bed;
        const traffic = Promise.all([carry(here, there, count, MIXED), carry(there, here, count, MIXED)]);
        const changes = (async () => {
          for (let i = 0; i < rekeys; i++) {
            const askers = mode === 'in turn' ? [i % 2 === 0 ? here : there] : [here, there];
            await Promise.all(askers.map((session) => session.rekey({ force: true, timeout: PATIENCE })));
          }
          return true;
        })().catch((error) => {
          assert.ok(here.closed || there.closed, `a change of keys failed in a live session: ${error}`);
          return false;
        });
        const [directions, changed] = await Promise.all([traffic, changes]);
        assertDelivered(bed, directions, { orEnded });
        if (!changed) return assert.ok(orEnded, 'the session ended');
        const done = mode === 'in turn' ? rekeys : 2 * rekeys;
        await eventually(() => epochs(bed.logs.there, here).length > done, 'the last key at the server');
        assertSameKeys(bed, done, { crossed: mode === 'both at once' });
      });
    }
  }
});

describe('REKEY that goes wrong on the way', { concurrency: true }, () => {
  const scripts: Readonly<Record<string, (passing: Passing) => boolean>> = {
    'its first two transmissions are lost': ({ kind, type, transmission }) =>
      kind === 'frame' && type === REKEY && transmission <= 2,
    'its first two UTACKs are lost': ({ kind, type, transmission }) =>
      kind === 'utack' && type === REKEY && transmission <= 2,
  };
  for (const [name, drops] of Object.entries(scripts)) {
    for (const asker of ['client', 'server'] as const) {
      test(`${name}: the ${asker} has it changed all the same`, async (t) => {
        const bed = await openLoggedBed(t, {
          line: { decide: (passing) => (drops(passing) ? 'drop' : undefined) },
        });
        const { here, there } = bed;
        const traffic = Promise.all([carry(here, there, 60, MIXED), carry(there, here, 60, MIXED)]);
        await (asker === 'client' ? here : there).rekey({ timeout: PATIENCE, force: true });
        assertDelivered(bed, await traffic);
        assertSameKeys(bed, 1);
      });
    }
  }

  test('all its UTACKs are lost: the session ends as for any message', async (t) => {
    const { here } = await openBed(t, {
      line: { decide: ({ kind, type }) => (kind === 'utack' && type === REKEY ? 'drop' : undefined) },
    });
    await assert.rejects(here.rekey({ timeout: PATIENCE }), coded('DeliveryError', 'not_acknowledged'));
    assert.equal(here.error?.code, 'not_acknowledged');
  });
});

test('REKEY is refused once 64 frames have gone to the peer, and the session goes on', async (t) => {
  const { here, there } = await openBed(t);
  assert.equal((await carry(here, there, UNSAFE_FRAMES, [64])).received, UNSAFE_FRAMES);
  await assert.rejects(here.rekey({ timeout: PATIENCE }), coded('SequenceError', 'rekey_unsafe'));
  assert.equal((await carry(here, there, 10, [64])).received, 10);
  await there.rekey({ timeout: PATIENCE });
  assert.equal((await carry(there, here, 10, [64])).received, 10);
  await here.rekey({ timeout: PATIENCE, force: true });
  assert.equal((await carry(here, there, 10, [64])).received, 10);
});
