/**
 * Who may try to come in: slots for handshakes under way, and a wait for those who keep failing.
 *
 * @module
 */

import { NO_ADDRESS } from '../transports/address.js';

/** What takes a slot while its handshake is under way. */
export interface HalfOpenEntry {
  readonly address: string;
  /** Gives the slot up for a newer handshake. */
  evict(): void;
}

/** Handshakes under way. When they are too many, the oldest goes; open sessions have no slot here. */
export class HalfOpenSlots<Entry extends HalfOpenEntry = HalfOpenEntry> {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #entries = new Set<Entry>();
  readonly #perAddress = new Map<string, number>();

  constructor(max: number, maxPerAddress: number) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<Entry> {
    return this.#entries;
  }

  /** Takes a slot; of the same address first, else of all, the oldest makes room. */
  add(entry: Entry): void {
    const neighbours = entry.address === NO_ADDRESS ? 0 : (this.#perAddress.get(entry.address) ?? 0);
    if (neighbours >= this.#maxPerAddress) this.#evictOldest((other) => other.address === entry.address);
    else if (this.#entries.size >= this.#max) this.#evictOldest(() => true);
    this.#entries.add(entry);
    // Read again: whoever was evicted may have been a neighbour.
    this.#perAddress.set(entry.address, (this.#perAddress.get(entry.address) ?? 0) + 1);
  }

  delete(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    const left = this.#perAddress.get(entry.address)! - 1;
    if (left > 0) this.#perAddress.set(entry.address, left);
    else this.#perAddress.delete(entry.address);
  }

  /** Sets keep the order of insertion, so the first that fits is the oldest. */
  #evictOldest(fits: (entry: Entry) => boolean): void {
    for (const entry of this.#entries) if (fits(entry)) return entry.evict();
  }
}

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
