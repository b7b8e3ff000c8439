/**
 * How much a device and the gateway have said to one another, minute by minute, counted in the stored messages.
 *
 * @module
 */

import type { Storage } from '../storage/storage.js';
import { ID_BLOCK_BITS } from './message-rows.js';

const MINUTE = 60_000;

/** Messages that are looked at; a device that says more is shown for less than was asked. */
const MOST_MESSAGES = 20_000;

export interface MinuteActivity {
  /** Its beginning. */
  readonly at: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
}

export interface Activity {
  /** Oldest first; a minute in which nothing was said is left out. */
  readonly minutes: readonly MinuteActivity[];
  /** From here on it is all there. */
  readonly from: number;
}

interface MinuteRow {
  minute: number;
  received: number;
  sent: number;
}

/** @param since milliseconds since 1970; the beginning of its minute counts */
export function activityOf(storage: Storage, deviceId: string, since: number): Activity {
  const from = Math.floor(since / MINUTE) * MINUTE;
  const first = firstIdSince(storage, from);
  if (first === undefined) return { minutes: [], from };
  // The newest first, through the index of one block after the other, so that the limit leaves out the oldest.
  const rows = storage
    .prepare<MinuteRow>(
      `WITH RECURSIVE
         ends (low, high) AS (SELECT ?, (SELECT max(id) FROM messages)),
         blocks (block) AS (
           SELECT high >> ${ID_BLOCK_BITS} FROM ends
           UNION ALL SELECT block - 1 FROM blocks, ends WHERE block > low >> ${ID_BLOCK_BITS}),
         found AS (
           SELECT m.at / ${MINUTE} AS minute, m.direction AS direction
           FROM blocks CROSS JOIN messages m ON m.id >> ${ID_BLOCK_BITS} = block AND m.device = ? AND m.id >= ?
           LIMIT ?)
       SELECT minute, sum(direction = 0) AS received, sum(direction = 1) AS sent FROM found
       GROUP BY minute ORDER BY minute`,
    )
    .all(first, deviceId, first, MOST_MESSAGES);
  const minutes = rows.map(({ minute, received, sent }) => {
    return { at: minute * MINUTE, messagesIn: received, messagesOut: sent };
  });
  const looked = minutes.reduce((sum, { messagesIn, messagesOut }) => sum + messagesIn + messagesOut, 0);
  if (looked < MOST_MESSAGES) return { minutes: minutes.filter(({ at }) => at >= from), from };
  // The first has only a part of its messages.
  return { minutes: minutes.slice(1), from: minutes[1]?.at ?? minutes[0]!.at };
}

/** Ids rise with time, so that halving finds the first of a time without an index on times. */
function firstIdSince(storage: Storage, at: number): number | undefined {
  const ends = storage
    .prepare<{ low: number | null; high: number | null }>(
      'SELECT (SELECT min(id) FROM messages) AS low, (SELECT max(id) FROM messages) AS high',
    )
    .get()!;
  if (ends.low === null || ends.high === null) return undefined;
  const next = storage.prepare<{ id: number; at: number }>(
    'SELECT id, at FROM messages WHERE id >= ? ORDER BY id LIMIT 1',
  );
  let low = ends.low;
  let high = ends.high + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = next.get(middle);
    if (row !== undefined && row.at < at) low = row.id + 1;
    else high = middle;
  }
  return low > ends.high ? undefined : low;
}
