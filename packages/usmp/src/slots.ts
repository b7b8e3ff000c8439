/**
 * A bounded number of places for those who have not authenticated: handshakes under way, lines without a session.
 *
 * @module
 */

import { NO_ADDRESS } from './transports/address.js';

/** What takes a slot. */
export interface SlotEntry {
  readonly address: string;
  /** Gives the slot up for a newer one. */
  evict(): void;
}

/** Those who have not authenticated. When they are too many, the oldest goes; open sessions have no slot here. */
export class Slots<Entry extends SlotEntry = SlotEntry> {
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
