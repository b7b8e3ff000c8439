/**
 * Deletes old messages and events, a little at a time.
 *
 * @module
 */

import type { Storage } from '../storage/storage.js';
import { QUEUED, SENT } from './message-rows.js';
import { Totals } from './totals.js';

export interface RetentionLimits {
  readonly history: {
    /** False: what devices send is not stored, and what was sent to them is kept for an hour. */
    readonly enabled: boolean;
    /** Milliseconds. */
    readonly maxAge: number;
    readonly maxMessages: number;
    /** Of payloads. */
    readonly maxBytes: number;
  };
  readonly events: { readonly maxAge: number; readonly maxEvents: number };
}

export interface RetentionOptions {
  readonly storage: Storage;
  /** As they are now. */
  readonly limits: () => RetentionLimits;
  /** The clock that age goes by. */
  readonly now?: () => number;
  /** Told why a sweep failed; the next one comes all the same. */
  readonly failed?: (error: unknown) => void;
}

/** Rows in one transaction. */
const MOST_ROWS = 2_000;
const FEWEST_ROWS = 50;

/** How long a step may take; the next one takes as many rows as fit in it. Milliseconds. */
const STEP_TIME = 8;

/** Between two looks, and between two steps while there is something to delete. Milliseconds. */
const LOOK_EVERY = 5_000;
const STEP_EVERY = 25;

/** How often the search for what is to be deleted begins with the oldest again: that may have been queued before. */
const BEGIN_ANEW = 600_000;

/** With the history switched off, states of messages and idempotency keys are good for this long. Milliseconds. */
const SHORT_MEMORY = 3_600_000;

interface Row {
  id: number;
  at: number;
  bytes: number;
  kept: number;
}

/**
 * Rows are looked at in the order of ids: set forward, the clock makes rows old too early; rows from a time when it was
 * ahead keep those behind them until it has caught up, unless there are too many.
 */
export class Retention {
  readonly #storage: Storage;
  readonly #totals: Totals;
  readonly #limits: () => RetentionLimits;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #rows = 200;
  /** Messages up to here have been deleted, or are kept whatever their age. */
  #seen = 0;
  #begunAt = Number.NEGATIVE_INFINITY;

  constructor(options: RetentionOptions) {
    this.#storage = options.storage;
    this.#totals = Totals.of(options.storage);
    this.#limits = options.limits;
    this.#now = options.now ?? Date.now;
    this.#failed = options.failed ?? (() => {});
  }

  /** Sweeps from now on. */
  start(): void {
    this.#timer ??= setTimeout(() => this.#tick(), STEP_EVERY).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** One step. True when there may be more to delete. */
  step(): boolean {
    const begun = performance.now();
    const size = this.#rows;
    const worked = this.#sweepMessages(size) + this.#sweepEvents(size);
    const took = performance.now() - begun;
    if (worked === 0) return false;
    // Never more than twice as many as the last time: the first rows may all have been in memory.
    const fitting = Math.floor((worked * STEP_TIME) / Math.max(took, 0.1));
    this.#rows = Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, size * 2, fitting));
    return true;
  }

  #tick(): void {
    let more = false;
    try {
      more = this.step();
    } catch (error) {
      this.#failed(error);
    }
    this.#timer = setTimeout(() => this.#tick(), more ? STEP_EVERY : LOOK_EVERY).unref();
  }

  /** Returns how many rows it has looked at, 0 when none of them was to be deleted. */
  #sweepMessages(size: number): number {
    const { enabled, maxAge, maxMessages, maxBytes } = this.#limits().history;
    const oldest = this.#now() - (enabled ? maxAge : Math.min(maxAge, SHORT_MEMORY));
    let tooMany = this.#totals.messages - maxMessages;
    let tooMuch = this.#totals.bytes - maxBytes;
    if (performance.now() - this.#begunAt > BEGIN_ANEW) {
      this.#begunAt = performance.now();
      this.#seen = 0;
    }
    const rows = this.#oldest(size);
    let count = 0;
    let bytes = 0;
    let last = 0;
    for (const row of rows) {
      if (!(row.at < oldest || tooMany > 0 || tooMuch > 0)) break;
      last = row.id;
      if (row.kept === 1) continue;
      tooMany--;
      tooMuch -= row.bytes;
      count++;
      bytes += row.bytes;
    }
    if (last === 0) return 0;
    if (count > 0)
      this.#storage.transaction(() => {
        this.#deleteMessages(this.#seen, last);
        this.#totals.messagesDeleted(count, bytes, last);
      }, 'crash');
    this.#seen = last;
    return rows.length;
  }

  #oldest(limit: number): Row[] {
    return this.#storage
      .prepare<Row>(
        `SELECT id, at, length(payload) AS bytes, ${KEPT} AS kept FROM messages WHERE id > ? ORDER BY id LIMIT ?`,
      )
      .all(this.#seen, limit);
  }

  #deleteMessages(after: number, to: number): void {
    this.#storage.prepare(`DELETE FROM messages WHERE id > ? AND id <= ? AND NOT ${KEPT}`).run(after, to);
  }

  #sweepEvents(size: number): number {
    const { maxAge, maxEvents } = this.#limits().events;
    const oldest = this.#now() - maxAge;
    const tooMany = this.#totals.events - maxEvents;
    const rows = this.#storage
      .prepare<{ id: number; at: number }>('SELECT id, at FROM events ORDER BY id LIMIT ?')
      .all(size);
    let count = 0;
    while (count < rows.length && (count < tooMany || rows[count]!.at < oldest)) count++;
    if (count === 0) return 0;
    const last = rows[count - 1]!.id;
    this.#storage.transaction(() => {
      this.#storage.prepare('DELETE FROM events WHERE id <= ?').run(last);
      this.#totals.eventsDeleted(count, last);
    }, 'crash');
    return count;
  }
}

/** What still has to leave, or may have to once more. */
const KEPT = `(state = ${QUEUED} OR (state = ${SENT} AND redeliver = 1))`;
