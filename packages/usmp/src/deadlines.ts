/**
 * One timer for any number of deadlines: a binary heap by due time, which each entry knows its place in, so that it
 * can be moved and removed.
 *
 * @module
 */

import { LONGEST_DELAY } from './options.js';
import { nextTurn } from './turns.js';

/** Something that wants to be woken. The two fields belong to {@link Deadlines}. */
export interface Timed {
  dueAt: number;
  heapIndex: number;
  handleTimeout(now: number): void;
}

/** Wake-ups closer together than this share one timer. Milliseconds. */
const RESOLUTION = 10;

/**
 * A timer that is later than this was held up: the process was stopped, the machine asleep, or busy without end. What
 * peers have sent meanwhile waits to be read, and must be before anybody is found silent.
 */
const HELD_UP = 1_000;

/** The deadlines of a server or a client. Milliseconds of a monotonic clock. */
export class Deadlines {
  readonly #heap: Timed[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #firingAt = Number.NEGATIVE_INFINITY;

  /** The present. */
  now(): number {
    return performance.now();
  }

  /** Wakes `entry` at `dueAt`, instead of any earlier setting; Infinity for not at all. */
  set(entry: Timed, dueAt: number): void {
    this.#remove(entry);
    // While entries are woken, one that asks for the present again waits for the next round.
    entry.dueAt = dueAt > this.#firingAt ? dueAt : this.#firingAt + RESOLUTION;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    entry.heapIndex = this.#heap.length;
    this.#heap.push(entry);
    this.#rise(entry);
    this.#arm();
  }

  /** Forgets `entry`. */
  clear(entry: Timed): void {
    this.set(entry, Number.POSITIVE_INFINITY);
    if (this.#heap.length === 0) this.#disarm();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.dueAt >= this.#timerAt) return;
    this.#disarm();
    this.#timerAt = first.dueAt;
    const delay = Math.max(RESOLUTION, Math.ceil(first.dueAt - this.now()));
    this.#timer = setTimeout(() => this.#fire(), Math.min(delay, LONGEST_DELAY));
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    const late = this.now() - this.#timerAt;
    this.#timerAt = Number.POSITIVE_INFINITY;
    // Timers come before sockets in a turn of the event loop. Not by another timer: browsers make those of hidden pages late.
    if (late > HELD_UP) return nextTurn(() => this.#wake());
    this.#wake();
  }

  #wake(): void {
    const now = this.now();
    this.#firingAt = now;
    while (this.#heap.length > 0 && this.#heap[0].dueAt <= now) {
      const entry = this.#heap[0];
      this.#remove(entry);
      entry.handleTimeout(now);
    }
    this.#firingAt = Number.NEGATIVE_INFINITY;
    this.#arm();
  }

  #remove(entry: Timed): void {
    const index = entry.heapIndex;
    if (index < 0) return;
    entry.heapIndex = -1;
    entry.dueAt = Number.POSITIVE_INFINITY;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#heap[index] = last;
    last.heapIndex = index;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Timed): void {
    while (entry.heapIndex > 0) {
      const parent = this.#heap[(entry.heapIndex - 1) >> 1];
      if (parent.dueAt <= entry.dueAt) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: Timed): void {
    for (;;) {
      const left = this.#heap[2 * entry.heapIndex + 1];
      const right = this.#heap[2 * entry.heapIndex + 2];
      const child = right !== undefined && right.dueAt < left.dueAt ? right : left;
      if (child === undefined || child.dueAt >= entry.dueAt) return;
      this.#swap(entry, child);
    }
  }

  #swap(a: Timed, b: Timed): void {
    const index = a.heapIndex;
    a.heapIndex = b.heapIndex;
    b.heapIndex = index;
    this.#heap[a.heapIndex] = a;
    this.#heap[b.heapIndex] = b;
  }
}
