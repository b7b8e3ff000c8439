/**
 * Which sequence numbers a receiver may still open (spec/protocol.md §4.3, §9.4). This is where a replayed, reordered
 * or skipped frame is refused.
 *
 * @module
 */

import { MAX_SEQUENCE, REPLAY_WINDOW } from './limits.js';

/** What a frame with some number would be. `repeat`: opened before; `refused`: too old, given up, or out of order. */
export type Standing = 'new' | 'repeat' | 'refused';

/** Judges the numbers of one direction under one key. */
export interface ReplayFilter {
  judge(seq: number): Standing;
  /** Uses up the number of a frame that has authenticated. */
  confirm(seq: number): void;
  /** The number after the highest one opened so far. */
  readonly expected: number;
}

/** The rule of a reliable stream: the next number and no other. The last of all, 2^32 − 1, never (§4.2). */
export class StrictOrder implements ReplayFilter {
  #next = 0;

  judge(seq: number): Standing {
    return seq === this.#next && seq <= MAX_SEQUENCE ? 'new' : 'refused';
  }

  confirm(seq: number): void {
    this.#next = seq + 1;
  }

  get expected(): number {
    return this.#next;
  }
}

/** The rule of datagrams: any order within a window below the highest number opened, each number once. */
export class SlidingWindow implements ReplayFilter {
  #expected = 0;
  /** Bit i stands for `expected − 1 − i`: 32 bits each. */
  #recent = 0;
  #older = 0;

  judge(seq: number): Standing {
    if (seq > MAX_SEQUENCE) return 'refused';
    const age = this.#expected - 1 - seq;
    if (age < 0) return 'new';
    if (age >= REPLAY_WINDOW) return 'refused';
    const opened = ((age < 32 ? this.#recent >>> age : this.#older >>> (age - 32)) & 1) === 1;
    return opened ? 'repeat' : 'new';
  }

  confirm(seq: number): void {
    const ahead = seq + 1 - this.#expected;
    if (ahead > 0) {
      this.#shift(ahead);
      this.#expected = seq + 1;
      this.#recent |= 1;
    } else if (ahead > -32) {
      this.#recent |= 1 << -ahead;
    } else {
      this.#older |= 1 << (-ahead - 32);
    }
  }

  get expected(): number {
    return this.#expected;
  }

  /** The lowest number that may still be opened for the first time, as far as the window alone says. */
  get start(): number {
    return Math.max(0, this.#expected - REPLAY_WINDOW);
  }

  #shift(by: number): void {
    if (by >= 64) this.#recent = this.#older = 0;
    else if (by >= 32) {
      this.#older = by === 32 ? this.#recent : this.#recent << (by - 32);
      this.#recent = 0;
    } else {
      this.#older = (this.#older << by) | (this.#recent >>> (32 - by));
      this.#recent <<= by;
    }
  }
}
