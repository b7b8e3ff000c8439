/**
 * How much is stored, without counting it: running totals in the table `meta`, changed in the same transactions.
 *
 * @module
 */

import type { Storage, TransactionPart } from '../storage/storage.js';

interface Amounts {
  messages: number;
  /** Of their payloads. */
  bytes: number;
  events: number;
  /** The highest id of a message or event that retention has deleted: who has seen less has missed something. */
  forgotten: number;
}

const NAMES = ['messages', 'bytes', 'events', 'forgotten'] as const;

const ofStorage = new WeakMap<Storage, Totals>();

/** The totals of one database. */
export class Totals implements TransactionPart {
  readonly #storage: Storage;
  readonly #stored: Amounts;
  /** As the transaction that is under way would have them. */
  readonly #next: Amounts;

  private constructor(storage: Storage) {
    this.#storage = storage;
    const row = storage.prepare<{ value: number }>('SELECT value FROM meta WHERE name = ?');
    const read = (name: string) => Number(row.get(`total-${name}`)?.value ?? 0);
    this.#stored = {
      messages: read('messages'),
      bytes: read('bytes'),
      events: read('events'),
      forgotten: read('forgotten'),
    };
    this.#next = { ...this.#stored };
    storage.join(this);
  }

  static of(storage: Storage): Totals {
    let totals = ofStorage.get(storage);
    if (totals === undefined) {
      totals = new Totals(storage);
      ofStorage.set(storage, totals);
    }
    return totals;
  }

  /** Stored messages, in whatever state. */
  get messages(): number {
    return this.#stored.messages;
  }

  /** Bytes of their payloads. */
  get bytes(): number {
    return this.#stored.bytes;
  }

  get events(): number {
    return this.#stored.events;
  }

  get forgotten(): number {
    return this.#stored.forgotten;
  }

  // Within a transaction, by whoever writes:

  messageAdded(bytes: number): void {
    this.#next.messages++;
    this.#next.bytes += bytes;
  }

  messagesDeleted(count: number, bytes: number, lastId: number): void {
    this.#next.messages -= count;
    this.#next.bytes -= bytes;
    this.#forget(lastId);
  }

  eventsAdded(count: number): void {
    this.#next.events += count;
  }

  eventsDeleted(count: number, lastId: number): void {
    this.#next.events -= count;
    this.#forget(lastId);
  }

  #forget(id: number): void {
    if (id > this.#next.forgotten) this.#next.forgotten = id;
  }

  beforeCommit(): void {
    for (const name of NAMES) {
      if (this.#next[name] === this.#stored[name]) continue;
      this.#storage
        .prepare(
          'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        )
        .run(`total-${name}`, this.#next[name]);
    }
  }

  committed(): void {
    Object.assign(this.#stored, this.#next);
  }

  rolledBack(): void {
    Object.assign(this.#next, this.#stored);
  }
}
