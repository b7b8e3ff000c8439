/**
 * How many requests an address has made, for the rate limits.
 *
 * @module
 */

interface Count {
  current: number;
  readonly begun: number;
}

type Answer = (error: null, count: { readonly current: number; readonly ttl: number }) => void;

/** Addresses that are counted at a time; those that came first are forgotten first. */
const MOST_ADDRESSES = 5_000;

/** By a monotonic clock: after the wall clock was set back, a minute would last until that has caught up. */
export class RequestCounts {
  readonly #counts = new Map<string, Count>();

  incr(address: string, answer: Answer, timeWindow: number): void {
    const now = performance.now();
    let count = this.#counts.get(address);
    if (count === undefined || count.begun + timeWindow <= now) {
      count = { current: 0, begun: now };
      this.#counts.delete(address);
      this.#counts.set(address, count);
      if (this.#counts.size > MOST_ADDRESSES) this.#counts.delete(this.#counts.keys().next().value!);
    }
    count.current++;
    answer(null, { current: count.current, ttl: timeWindow - (now - count.begun) });
  }

  child(): RequestCounts {
    return new RequestCounts();
  }
}
