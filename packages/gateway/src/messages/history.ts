/**
 * The messages that are stored, from and to devices.
 *
 * @module
 */

import { MESSAGE_STATES, type Message, type MessageState } from '../model.js';
import type { Storage, Value } from '../storage/storage.js';
import { type Activity, activityOf } from './activity.js';
import {
  COLUMNS,
  ID_BLOCK_BITS,
  insertOutbound,
  insertReceived,
  type MessageRow,
  messageOf,
} from './message-rows.js';
import { Totals } from './totals.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** Rows that are looked at in one statement where no index finds those that match. */
const WINDOW = 1_000;

/** A search gives back what it has after this long, and goes on from there with the next page. Milliseconds. */
const PATIENCE = 20;

/** Messages per block of the index by device. */
const BLOCK = 2 ** ID_BLOCK_BITS;

export interface HistoryQuery {
  readonly deviceId?: string;
  readonly direction?: 'in' | 'out';
  readonly state?: MessageState;
  /** Only messages with a lower id. */
  readonly before?: number;
  /** Only messages with a higher id; these come in rising order, unless `before` is given as well. */
  readonly after?: number;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
  /** Bytes that the payload must contain, as UTF-8 and with case. */
  readonly search?: string;
}

export interface HistoryPage {
  /** Newest first, with `after` alone oldest first. May be fewer than asked for although `next` is given. */
  readonly messages: readonly Message[];
  /** The `before` (or `after`) of the next page; undefined at the end. */
  readonly next: number | undefined;
}

interface Filter {
  readonly sql: string;
  readonly values: readonly Value[];
}

/** A stretch of ids, both ends included, and how far it has been looked at. */
interface Stretch {
  readonly rising: boolean;
  low: number;
  high: number;
}

/** Stored messages, read page by page. */
export class History {
  readonly #storage: Storage;
  readonly #totals: Totals;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#totals = Totals.of(storage);
  }

  /** Stores a message; to be called in a transaction. `requestId` is the caller's own id of an outbound one. */
  insertIn(message: Message, requestId?: string): void {
    if (message.direction === 'in') insertReceived(this.#storage, message);
    else insertOutbound(this.#storage, message, requestId);
    this.#totals.messageAdded(message.payload.length);
  }

  get(id: number): Message | undefined {
    const row = this.#storage.prepare<MessageRow>(`SELECT ${COLUMNS} FROM messages WHERE id = ?`).get(id);
    return row && messageOf(row);
  }

  list(query: HistoryQuery = {}): HistoryPage {
    const limit = Math.max(1, Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT));
    const stretch = this.#stretchOf(query);
    const filter = filterOf(query);
    const messages: Message[] = [];
    const until = performance.now() + PATIENCE;
    while (messages.length < limit && stretch.low <= stretch.high) {
      const left = limit - messages.length;
      const rows =
        query.deviceId === undefined
          ? this.#readWindow(stretch, filter, left)
          : this.#readBlock(stretch, filter, query.deviceId, left);
      for (const row of rows) messages.push(messageOf(row));
      if (performance.now() > until) break;
    }
    return { messages, next: nextOf(stretch) };
  }

  /** How much a device and the gateway have said to one another since then, by minute. */
  activity(deviceId: string, since: number): Activity {
    return activityOf(this.#storage, deviceId, since);
  }

  /** Payload bytes and number of what is stored. */
  get totals(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#totals.messages, bytes: this.#totals.bytes };
  }

  #stretchOf({ before, after }: HistoryQuery): Stretch {
    const ends = this.#storage
      .prepare<{ low: number | null; high: number | null }>(
        'SELECT (SELECT min(id) FROM messages) AS low, (SELECT max(id) FROM messages) AS high',
      )
      .get()!;
    return {
      rising: after !== undefined && before === undefined,
      low: Math.max(ends.low ?? 1, (after ?? 0) + 1),
      high: Math.min(ends.high ?? 0, (before ?? Number.MAX_SAFE_INTEGER) - 1),
    };
  }

  /** The messages of a device in the next block of its index. Shortens the stretch by what was looked at. */
  #readBlock(stretch: Stretch, filter: Filter, deviceId: string, limit: number): MessageRow[] {
    const { rising, low, high } = stretch;
    const block = Math.floor((rising ? low : high) / BLOCK);
    const from = Math.max(low, block * BLOCK);
    const to = Math.min(high, block * BLOCK + BLOCK - 1);
    const rows = this.#storage
      .prepare<MessageRow>(
        `SELECT ${COLUMNS} FROM messages WHERE id >> ${ID_BLOCK_BITS} = ? AND device = ? AND id BETWEEN ? AND ?
         ${filter.sql} ORDER BY id ${rising ? 'ASC' : 'DESC'} LIMIT ?`,
      )
      .all(block, deviceId, from, to, ...filter.values, limit);
    shorten(stretch, rows.length === limit ? rows.at(-1)!.id : rising ? to : from);
    return rows;
  }

  /** The messages that match among the next rows. */
  #readWindow(stretch: Stretch, filter: Filter, limit: number): MessageRow[] {
    const { rising, low, high } = stretch;
    const order = rising ? 'ASC' : 'DESC';
    const size = filter.sql === '' ? limit : WINDOW;
    const far = this.#storage
      .prepare<{ id: number }>(
        `SELECT id FROM messages WHERE id BETWEEN ? AND ? ORDER BY id ${order} LIMIT 1 OFFSET ?`,
      )
      .get(low, high, size - 1)?.id;
    const end = far ?? (rising ? high : low);
    const rows = this.#storage
      .prepare<MessageRow>(
        `SELECT ${COLUMNS} FROM messages WHERE id BETWEEN ? AND ? ${filter.sql} ORDER BY id ${order} LIMIT ?`,
      )
      .all(rising ? low : end, rising ? end : high, ...filter.values, limit);
    shorten(stretch, rows.length === limit ? rows.at(-1)!.id : end);
    return rows;
  }
}

function filterOf({ direction, state, search }: HistoryQuery): Filter {
  let sql = '';
  const values: Value[] = [];
  if (direction !== undefined) {
    sql += ' AND direction = ?';
    values.push(direction === 'in' ? 0 : 1);
  }
  if (state !== undefined) {
    sql += ' AND state = ?';
    values.push(MESSAGE_STATES.indexOf(state));
  }
  if (search !== undefined && search !== '') {
    sql += ' AND instr(payload, ?) > 0';
    values.push(Buffer.from(search));
  }
  return { sql, values };
}

function shorten(stretch: Stretch, seen: number): void {
  if (stretch.rising) stretch.low = seen + 1;
  else stretch.high = seen - 1;
}

function nextOf({ rising, low, high }: Stretch): number | undefined {
  if (low > high) return undefined;
  return rising ? low - 1 : high + 1;
}
