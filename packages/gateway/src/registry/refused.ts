/**
 * Who was turned away: a bounded list, written in batches, so that a flood of refusals costs little.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { RefusedEntry } from '../model.js';
import type { Storage } from '../storage/storage.js';
import { decodeCursor, encodeCursor, pageSize } from './paging.js';

/** Time between two writes. Milliseconds. */
const WRITE_EVERY = 1_000;
/** Refusals that are news, between two writes; what a flood brings beyond is counted and no news. */
const MAX_NEWS = 50;
const MAX_TEXT = 300;

export interface NewRefusal {
  /** As claimed; undefined when nobody said HELLO. */
  readonly deviceId: string | undefined;
  readonly address: string;
  readonly transport: string;
  readonly reason: string;
  readonly message: string;
}

interface Pending {
  readonly refusal: NewRefusal;
  readonly firstAt: number;
  lastAt: number;
  count: number;
}

interface RefusedRow {
  id: number;
  device: string;
  address: string;
  transport: string;
  reason: string;
  message: string;
  first_at: number;
  last_at: number;
  count: number;
}

export class RefusedList {
  readonly #storage: Storage;
  readonly #now: () => number;
  #keep: number;
  /** Not written yet; the one that was noted last stands last. */
  readonly #pending = new Map<string, Pending>();
  #news = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param keep entries that are kept, those that were refused last; of what waits to be written as many */
  constructor(storage: Storage, keep: number, now: () => number = Date.now) {
    this.#storage = storage;
    this.#keep = keep;
    this.#now = now;
  }

  /**
   * Counts a refusal; it is written within a second.
   *
   * @returns whether it is news: the first of this device, address, transport and reason, and not one of a flood
   */
  note(refusal: NewRefusal): boolean {
    const at = this.#now();
    const key = JSON.stringify([refusal.deviceId ?? '', refusal.address, refusal.transport, refusal.reason]);
    const pending = this.#pending.get(key);
    this.#timer ??= setTimeout(() => this.#flushLater(), WRITE_EVERY).unref();
    if (pending !== undefined) {
      pending.lastAt = at;
      pending.count++;
      this.#pending.delete(key);
      this.#pending.set(key, pending);
      return false;
    }
    if (this.#pending.size >= this.#keep) this.#pending.delete(this.#pending.keys().next().value!);
    this.#pending.set(key, { refusal, firstAt: at, lastAt: at, count: 1 });
    if (this.#news >= MAX_NEWS || this.#isStored(refusal)) return false;
    this.#news++;
    return true;
  }

  /** Writes what was noted. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#news = 0;
    if (this.#pending.size === 0) return;
    this.#storage.transaction(() => {
      for (const pending of this.#pending.values()) this.#write(pending);
      this.#trim();
    }, 'crash');
    this.#pending.clear();
  }

  /** Those that were refused last come first. */
  list(query: { readonly limit?: number; readonly after?: string } = {}): {
    entries: readonly RefusedEntry[];
    next: string | undefined;
    total: number;
  } {
    this.#flushToRead();
    const limit = pageSize(query.limit);
    const [lastAt, id] = query.after === undefined ? [] : decodeCursor(query.after, 'refused');
    const from = lastAt === undefined ? [Number.MAX_SAFE_INTEGER, 0] : [lastAt as number, id as number];
    const rows = this.#storage
      .prepare<RefusedRow>(
        'SELECT * FROM refused WHERE (last_at, id) < (?, ?) ORDER BY last_at DESC, id DESC LIMIT ?',
      )
      .all(from[0]!, from[1]!, limit + 1);
    const page = rows.slice(0, limit);
    const last = page.at(-1)!;
    return {
      entries: page.map(entryOf),
      next: rows.length > limit ? encodeCursor('refused', [last.last_at, last.id]) : undefined,
      total: this.#storage.prepare<{ n: number }>('SELECT count(*) AS n FROM refused').get()!.n,
    };
  }

  /** Ids of all devices in the list. */
  deviceIds(): readonly string[] {
    this.#flushToRead();
    return this.#storage
      .prepare<{ device: string }>("SELECT DISTINCT device FROM refused WHERE device <> ''")
      .all()
      .map(({ device }) => device);
  }

  get(id: number): RefusedEntry | undefined {
    this.#flushToRead();
    const row = this.#storage.prepare<RefusedRow>('SELECT * FROM refused WHERE id = ?').get(id);
    return row && entryOf(row);
  }

  /** False: there is none of that id. */
  remove(id: number): boolean {
    this.#flushToRead();
    return this.#delete('DELETE FROM refused WHERE id = ?', id) > 0;
  }

  /** Removes all entries of a device: it has been let in. */
  forget(deviceId: string): number {
    this.#flushToRead();
    return this.#delete('DELETE FROM refused WHERE device = ?', deviceId);
  }

  /** Removes all. */
  clear(): number {
    this.#flushToRead();
    return this.#delete('DELETE FROM refused');
  }

  /** What is too much goes at once. */
  setKeep(keep: number): void {
    this.#keep = keep;
    this.#storage.transaction(() => this.#trim(), 'crash');
  }

  /** Writes what was noted, and nothing afterwards. */
  close(): void {
    try {
      this.flush();
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** Nobody waits for it: what cannot be written is kept, as much of it as is kept anyway. */
  #flushLater(): void {
    this.#flushToRead();
    if (this.#pending.size > 0) this.#timer ??= setTimeout(() => this.#flushLater(), WRITE_EVERY).unref();
  }

  /** With a full disk the list shows what it has. */
  #flushToRead(): void {
    try {
      this.flush();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  #delete(sql: string, ...values: (string | number)[]): number {
    return this.#storage.transaction(() => this.#storage.prepare(sql).run(...values).changes);
  }

  /** Whether it is in the list; what cannot be looked up is no news, as a refusal must not fail for it. */
  #isStored({ deviceId, address, transport, reason }: NewRefusal): boolean {
    const find = this.#storage.prepare(
      'SELECT 1 FROM refused WHERE device = ? AND address = ? AND transport = ? AND reason = ?',
    );
    try {
      return find.get(deviceId ?? '', address, transport, reason) !== undefined;
    } catch (error) {
      if (error instanceof GatewayError) return true;
      throw error;
    }
  }

  #write({ refusal, firstAt, lastAt, count }: Pending): void {
    this.#storage
      .prepare(
        `INSERT INTO refused (device, address, transport, reason, message, first_at, last_at, count)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (device, address, transport, reason)
         DO UPDATE SET message = excluded.message, last_at = excluded.last_at, count = count + excluded.count`,
      )
      .run(
        refusal.deviceId ?? '',
        refusal.address,
        refusal.transport,
        refusal.reason,
        refusal.message.slice(0, MAX_TEXT),
        firstAt,
        lastAt,
        count,
      );
  }

  #trim(): void {
    this.#storage
      .prepare(
        `DELETE FROM refused WHERE id IN
           (SELECT id FROM refused ORDER BY last_at DESC, id DESC LIMIT -1 OFFSET ?)`,
      )
      .run(this.#keep);
  }
}

function entryOf(row: RefusedRow): RefusedEntry {
  return {
    id: row.id,
    deviceId: row.device === '' ? undefined : row.device,
    address: row.address,
    transport: row.transport,
    reason: row.reason,
    message: row.message,
    firstAt: row.first_at,
    lastAt: row.last_at,
    count: row.count,
  };
}
