/**
 * How often something may happen that costs its sender little.
 *
 * @module
 */

/** So many at once, and so many a second from then on. */
export class TokenBucket {
  readonly #burst: number;
  readonly #rate: number;
  #tokens: number;
  #filledAt: number;

  constructor(burst: number, rate: number, now: number) {
    this.#burst = burst;
    this.#rate = rate;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** Whether one more may happen now; then it counts. */
  take(now: number): boolean {
    const filled = this.#tokens + ((now - this.#filledAt) * this.#rate) / 1_000;
    this.#tokens = Math.min(this.#burst, filled);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** So many in each second. */
export class ReportLimit {
  readonly #perSecond: number;
  #second = 0;
  #count = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Whether one more may happen now; then it counts. */
  take(now: number): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    return ++this.#count <= this.#perSecond;
  }
}
