/**
 * The fleet in numbers, every ten seconds of the last hour, for charts. In memory: 360 samples, whatever the fleet's size.
 *
 * @module
 */

import type { USMPServerStats } from 'usmp';

/** Milliseconds. */
export const SAMPLE_INTERVAL = 10_000;
const SAMPLES = 360;

export interface Sample {
  readonly at: number;
  readonly online: number;
  /** Since the sample before. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Handshakes. */
  readonly refused: number;
  /** Mean of the devices that are online, milliseconds; undefined: nothing was measured. */
  readonly roundTrip: number | undefined;
}

export interface SampleSources {
  readonly server: () => USMPServerStats;
  /** Mean of the devices that are online. Milliseconds. */
  readonly roundTrip: () => number | undefined;
}

interface Totals {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly refused: number;
}

export class Samples {
  readonly #sources: SampleSources;
  readonly #now: () => number;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;
  #before: Totals;

  constructor(sources: SampleSources, now: () => number = Date.now) {
    this.#sources = sources;
    this.#now = now;
    this.#before = totalsOf(sources.server());
    this.#timer = setInterval(() => this.take(), SAMPLE_INTERVAL).unref();
  }

  /** Oldest first, those after `after`. */
  since(after = 0): readonly Sample[] {
    return this.#samples.filter(({ at }) => at > after);
  }

  /** Takes one now; it is called every ten seconds. */
  take(): void {
    const stats = this.#sources.server();
    const totals = totalsOf(stats);
    this.#samples.push({
      at: this.#now(),
      online: stats.sessions,
      messagesIn: totals.messagesIn - this.#before.messagesIn,
      messagesOut: totals.messagesOut - this.#before.messagesOut,
      refused: totals.refused - this.#before.refused,
      roundTrip: this.#sources.roundTrip(),
    });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#before = totals;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function totalsOf(stats: USMPServerStats): Totals {
  let refused = 0;
  for (const count of Object.values(stats.refused)) refused += count;
  return { messagesIn: stats.messagesReceived, messagesOut: stats.messagesSent, refused };
}
