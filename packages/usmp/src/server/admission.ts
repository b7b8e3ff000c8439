/**
 * Who may try to come in: a wait for those who keep failing.
 *
 * @module
 */

/** When those who fail have to wait. Milliseconds. */
export interface BackoffOptions {
  /** Failures of one (address, device id) pair that are free; default 5. Infinity switches the wait off. */
  readonly after?: number;
  /** The first wait, which doubles with each further failure; default 1,000. */
  readonly base?: number;
  /** The longest wait; default 60,000. */
  readonly cap?: number;
}

interface Failures {
  count: number;
  blockedUntil: number;
  lastAt: number;
}

/**
 * Counts failures by (address, device id), so that one bad device does not lock out its neighbours behind the same
 * NAT. The least recently used pair is forgotten when there are too many.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  readonly #maxPairs: number;
  readonly #memory: number;
  readonly #pairs = new Map<string, Failures>();

  constructor(options: Required<BackoffOptions>, maxPairs: number, memory: number) {
    this.#options = options;
    this.#maxPairs = maxPairs;
    this.#memory = memory;
  }

  get size(): number {
    return this.#pairs.size;
  }

  /** Milliseconds that a pair still has to wait; 0 when it may try. */
  wait(address: string, deviceId: string, now: number): number {
    const failures = this.#pairs.get(pairKey(address, deviceId));
    return failures === undefined ? 0 : Math.max(0, failures.blockedUntil - now);
  }

  /** Counts a failure. Attempts turned away because of the wait are none. */
  failed(address: string, deviceId: string, now: number): void {
    const key = pairKey(address, deviceId);
    const known = this.#pairs.get(key);
    const count = known !== undefined && now - known.lastAt < this.#memory ? known.count + 1 : 1;
    const { after, base, cap } = this.#options;
    const blockedUntil = count < after ? 0 : now + Math.min(cap, base * 2 ** (count - after));
    // Deleting first moves the pair to the young end of the map.
    this.#pairs.delete(key);
    this.#pairs.set(key, { count, blockedUntil, lastAt: now });
    if (this.#pairs.size > this.#maxPairs) this.#pairs.delete(this.#pairs.keys().next().value!);
  }

  /** Forgets a pair that has authenticated. */
  succeeded(address: string, deviceId: string): void {
    if (this.#pairs.size > 0) this.#pairs.delete(pairKey(address, deviceId));
  }
}

function pairKey(address: string, deviceId: string): string {
  return `${address} ${deviceId}`;
}
