/**
 * How long to wait before the next attempt: exponential back-off with full jitter, so that the clients of a server that
 * was away do not come back in step.
 *
 * @module
 */

import type { USMPError } from '../core/errors.js';
import { LONGEST_DELAY } from '../options.js';
import type { ReconnectOptions } from './options.js';

/** Doubling beyond this leads over every cap. */
const MAX_DOUBLINGS = 32;

/** The waits of one client. */
export class RetryDelays {
  readonly #base: number;
  readonly #cap: number;
  readonly #stableAfter: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param random from 0 to below 1 */
  constructor({ base, cap, stableAfter }: Required<ReconnectOptions>, random: () => number = Math.random) {
    this.#base = base;
    this.#cap = Math.min(cap, LONGEST_DELAY);
    this.#stableAfter = stableAfter;
    this.#random = random;
  }

  /** A session that lasted for `duration` milliseconds is over. */
  ended(duration: number): void {
    if (duration >= this.#stableAfter) this.#failures = 0;
  }

  /** Milliseconds to wait, after a session that ended or an attempt that failed with this error. */
  next(error: USMPError): number {
    const doublings = Math.min(this.#failures++, MAX_DOUBLINGS);
    const bound = needsHelp(error) ? this.#cap : Math.min(this.#cap, this.#base * 2 ** doublings);
    return this.#random() * bound;
  }
}

/**
 * Whether somebody has to put a key right before another attempt can succeed. A server that dies in mid-handshake looks
 * the same, so trying goes on.
 */
function needsHelp({ code }: USMPError): boolean {
  return code === 'refused' || code === 'rogue_server';
}
