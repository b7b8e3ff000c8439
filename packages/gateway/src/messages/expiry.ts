/**
 * When messages that wait expire: one timer for all of them.
 *
 * @module
 */

import type { CommitQueue } from '../storage/commit-queue.js';
import type { OutboxRows, Place } from './outbox-rows.js';

/** Messages that expire in one transaction. */
const BATCH = 500;

/**
 * Longest time between two looks at the clock, which can jump while timers cannot: set forward, messages expire so much
 * later than it says. Milliseconds.
 */
const LONGEST_WAIT = 10_000;

/** Messages whose time comes within this are looked for together. Milliseconds. */
const SHORTEST_WAIT = 100;

export interface ExpiryOptions {
  readonly queue: CommitQueue;
  readonly rows: OutboxRows;
  readonly now: () => number;
  /** The clock that messages expire by. */
  readonly ageNow: () => number;
  /** These have expired, and that is stored. */
  readonly expired: (places: readonly Place[]) => void;
}

export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: NodeJS.Timeout | undefined;
  /** By the clock of ages; Infinity when none waits that expires. */
  #next: number;
  #running = false;
  #closed = false;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    this.#next = options.rows.nextExpiry() ?? Number.POSITIVE_INFINITY;
    this.#arm();
  }

  /** A message waits that expires then. */
  mayBeEarlier(expiresAt: number | undefined): void {
    if (expiresAt === undefined || expiresAt >= this.#next) return;
    this.#next = expiresAt;
    if (!this.#running) this.#arm();
  }

  /** Looks for messages whose time has come. */
  run(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    const { queue, rows, now, ageNow, expired } = this.#options;
    let due: Place[] = [];
    queue.push(
      () => {
        due = rows.due(ageNow(), BATCH);
        if (due.length > 0)
          rows.expired(
            due.map(({ id }) => id),
            now(),
          );
      },
      () => {
        this.#running = false;
        expired(due);
        if (due.length === BATCH) return this.run();
        this.#next = rows.nextExpiry() ?? Number.POSITIVE_INFINITY;
        this.#arm();
      },
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#next === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, this.#next - this.#options.ageNow()));
    this.#timer = setTimeout(() => this.#look(), wait).unref();
  }

  #look(): void {
    if (this.#next <= this.#options.ageNow()) this.run();
    else this.#arm();
  }
}
