/**
 * How much a device and the gateway have said to one another, minute by minute, counted in the stored messages.
 *
 * @module
 */

import type { Storage } from '../storage/storage.js';
import { ID_BLOCK_BITS } from './message-rows.js';

const MINUTE = 60_000;

/** Messages per block of the index by device. */
const BLOCK = 2 ** ID_BLOCK_BITS;

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
  const counts = new Map<number, MinuteActivity>();
  let left = MOST_MESSAGES;
  const last = storage.prepare<{ id: number }>('SELECT max(id) AS id FROM messages').get()!.id;
  // The newest first, so that the limit leaves out the oldest.
  for (let block = Math.floor(last / BLOCK); block >= Math.floor(first / BLOCK) && left > 0; block--)
    for (const { minute, received, sent } of readBlock(storage, block, deviceId, first, left)) {
      const at = minute * MINUTE;
      const { messagesIn = 0, messagesOut = 0 } = counts.get(at) ?? {};
      counts.set(at, { at, messagesIn: messagesIn + received, messagesOut: messagesOut + sent });
      left -= received + sent;
    }
  const minutes = [...counts.values()].sort((a, b) => a.at - b.at);
  if (left > 0) return { minutes: minutes.filter(({ at }) => at >= from), from };
  // The first has only a part of its messages.
  return { minutes: minutes.slice(1), from: minutes[1]?.at ?? minutes[0]!.at };
}

/** The newest of a device among those of a block of the index. */
function readBlock(
  storage: Storage,
  block: number,
  deviceId: string,
  first: number,
  limit: number,
): MinuteRow[] {
  return storage
    .prepare<MinuteRow>(
      `SELECT minute, sum(direction = 0) AS received, sum(direction = 1) AS sent FROM
         (SELECT at / ${MINUTE} AS minute, direction FROM messages
          WHERE id >> ${ID_BLOCK_BITS} = ? AND device = ? AND id >= ? ORDER BY id DESC LIMIT ?)
       GROUP BY minute`,
    )
    .all(block, deviceId, first, limit);
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
