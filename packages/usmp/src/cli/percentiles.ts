/**
 * Percentiles of any number of times, in memory that does not grow.
 *
 * @module
 */

/** Counters for each doubling of the value; each covers at most 1/128 of what it stands for. */
const STEPS = 128;
const STEP_BITS = 7;

/** Values are whole microseconds below 2^32, about 71 minutes; longer ones count as that. */
const LARGEST = 0xffffffff;
const COUNTERS = STEPS * (32 - STEP_BITS + 1);

/** What is told of many times, in milliseconds. */
export interface Percentiles {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * A log-linear histogram of times: 26 KiB, whatever is recorded. A percentile is within 0.4 % or half a microsecond
 * of the exact one, whichever is more; least and greatest are exact.
 */
export class Histogram {
  readonly #counters = new Float64Array(COUNTERS);
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  /** How many times were recorded. */
  get count(): number {
    return this.#count;
  }

  /** Records one time, in milliseconds, 0 or more. */
  record(milliseconds: number): void {
    this.#count++;
    if (milliseconds < this.#min) this.#min = milliseconds;
    if (milliseconds > this.#max) this.#max = milliseconds;
    this.#counters[counterOf(Math.min(Math.round(milliseconds * 1_000), LARGEST))]++;
  }

  /**
   * The time in milliseconds that the share `share` of all does not exceed; undefined when there is none.
   *
   * @param share above 0, up to 1
   */
  percentile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let counter = 0;
    for (let seen = this.#counters[0]; seen < rank; seen += this.#counters[counter]) counter++;
    return Math.min(this.#max, Math.max(this.#min, middleOf(counter) / 1_000));
  }

  /** The usual ones; undefined when nothing was recorded. */
  summary(): Percentiles | undefined {
    if (this.#count === 0) return undefined;
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => this.percentile(share)!);
    return { min: this.#min, p50, p90, p99, max: this.#max };
  }
}

/** Up to 255 each value has a counter of its own; from there on 2, 4, 8 … values share one. */
function counterOf(value: number): number {
  const shift = Math.max(0, 31 - Math.clz32(value) - STEP_BITS);
  return shift * STEPS + (value >>> shift);
}

/** The middle of the values that a counter stands for. */
function middleOf(counter: number): number {
  const shift = Math.max(0, Math.floor(counter / STEPS) - 1);
  const least = (counter - shift * STEPS) * 2 ** shift;
  return least + (2 ** shift - 1) / 2;
}
