/**
 * Which sequence number a receiver may still open (spec/protocol.md §4.3). This is where a replayed, reordered or
 * skipped frame is refused.
 *
 * @module
 */

import { MAX_SEQUENCE } from './limits.js';

/** The rule of a reliable stream: the next number and no other. */
export class StrictOrder {
  #next = 0;

  /** Whether a frame with this number may be opened. The last number of all, 2^32 − 1, never may (§4.2). */
  accepts(seq: number): boolean {
    return seq === this.#next && seq <= MAX_SEQUENCE;
  }

  /** Uses up the number of a frame that has authenticated. */
  confirm(seq: number): void {
    this.#next = seq + 1;
  }

  /** The number expected next. */
  get expected(): number {
    return this.#next;
  }
}
