/**
 * Writes that come in great numbers, many in one transaction.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Storage } from './storage.js';

/** Longest wait of a write for others that may share its transaction. Milliseconds. */
const LINGER = 20;

/** Time between two attempts while the storage fails. Milliseconds. */
const RETRY = 1_000;

/** Writes that wait, above which producers are to be held back. */
const HIGH_WATER = 20_000;

/** Writes that wait while the storage fails, above which those that can be done without are to be left out. */
const OVERFULL = 50_000;

interface Write {
  readonly run: () => void;
  /** Called once it is stored. */
  readonly stored: (() => void) | undefined;
  /** Whether it may be given up when the storage fails; else it stays and is tried again. */
  readonly failed: ((error: unknown) => void) | undefined;
}

export interface CommitQueueObserver {
  /** The storage does not take writes any more. */
  storageFailed(error: GatewayError): void;
  /** It does again. */
  storageRecovered(): void;
  /** A write that nobody waits for was given up, as it fails by itself: a defect of the gateway. */
  writeFailed?(error: unknown): void;
}

/**
 * Gathers writes and commits them together, in the order in which they came. What is called back after a commit is
 * called in that order, too.
 */
export class CommitQueue {
  readonly #storage: Storage;
  readonly #observer: CommitQueueObserver;
  readonly #always: boolean;
  #writes: Write[] = [];
  #urgent = false;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #failure: GatewayError | undefined;
  #whenDrained: (() => void)[] = [];
  #lastId: number;

  /** @param powerSafe makes every transaction survive a power cut, not only those of `acknowledge` */
  constructor(storage: Storage, observer: CommitQueueObserver, powerSafe = false) {
    this.#storage = storage;
    this.#observer = observer;
    this.#always = powerSafe;
    const stored = storage
      .prepare<{ id: number | null }>(
        `SELECT max((SELECT coalesce(max(id), 0) FROM messages), (SELECT coalesce(max(id), 0) FROM events),
                    coalesce((SELECT value FROM meta WHERE name = 'sequence'), 0)) AS id`,
      )
      .get();
    this.#lastId = stored?.id ?? 0;
  }

  /** The next id of messages and events. Ids are used in the order in which their writes are queued. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** The highest id given out. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Writes that wait. */
  get length(): number {
    return this.#writes.length;
  }

  /** Why nothing is stored at present. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  /** Whether producers that can wait are to wait for `drained`. */
  get full(): boolean {
    return this.#writes.length >= HIGH_WATER || this.#failure !== undefined;
  }

  /** Whether the storage has failed for so long that even what nobody can be held back for has to be left out. */
  get overfull(): boolean {
    return this.#failure !== undefined && this.#writes.length >= OVERFULL;
  }

  /** Resolves when there is room again. */
  drained(): Promise<void> {
    return this.full ? new Promise((resolve) => this.#whenDrained.push(resolve)) : Promise.resolve();
  }

  /** Queues a write that is stored within 50 ms while the storage works, and kept and tried again while it fails. */
  push(run: () => void, stored?: () => void): void {
    this.#writes.push({ run, stored, failed: undefined });
    if (this.#failure !== undefined) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.flush(), LINGER);
  }

  /**
   * Queues a write that somebody waits for. Resolves when it is stored and survives a power cut.
   *
   * @throws {GatewayError} `storage_full`, `unavailable`: it is not stored and will not be; whatever `run` throws
   */
  acknowledge<Result>(run: () => Result, stored?: (result: Result) => void): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise<Result>((resolve, reject) => {
      let result: Result;
      this.#writes.push({
        run: () => {
          result = run();
        },
        stored: () => {
          stored?.(result);
          resolve(result);
        },
        failed: reject,
      });
      this.#urgent = true;
      // What the same turn of the event loop brings shares the transaction.
      this.#immediate ??= setImmediate(() => this.flush());
    });
  }

  /** Has what waits stored at the end of this turn of the event loop; while the storage fails, at the next attempt. */
  hurry(): void {
    if (this.#failure === undefined) this.#immediate ??= setImmediate(() => this.flush());
  }

  /** Stores all that waits, at once. */
  flush(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = this.#immediate = undefined;
    const writes = this.#writes;
    // While the storage fails an empty transaction finds out whether it still does.
    if (writes.length === 0 && this.#failure === undefined) return;
    this.#writes = [];
    const durability = this.#urgent || this.#always ? 'power' : 'crash';
    this.#urgent = false;
    try {
      this.#commit(writes, durability);
    } catch (error) {
      if (isOfStorage(error)) return this.#failed(writes, error);
      return this.#commitOneByOne(writes);
    }
    this.#done(writes);
  }

  /** One of them is at fault: each by itself, so that it harms no other. */
  #commitOneByOne(writes: readonly Write[]): void {
    for (const [index, write] of writes.entries()) {
      try {
        this.#commit([write], 'power');
      } catch (error) {
        if (isOfStorage(error)) return this.#failed(writes.slice(index), error);
        if (write.failed === undefined) this.#observer.writeFailed?.(error);
        else write.failed(error);
        continue;
      }
      this.#done([write]);
    }
  }

  #done(stored: readonly Write[]): void {
    this.#recovered();
    for (const write of stored) write.stored?.();
    if (!this.full) for (const resolve of this.#whenDrained.splice(0)) resolve();
  }

  /** Stores what waits and stops its timers. */
  close(): void {
    this.flush();
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }

  #commit(writes: readonly Write[], durability: 'crash' | 'power'): void {
    this.#storage.transaction(() => {
      for (const { run } of writes) run();
      this.#storage
        .prepare(
          `INSERT INTO meta (name, value) VALUES ('sequence', ?)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        )
        .run(this.#lastId);
    }, durability);
  }

  #failed(writes: readonly Write[], error: GatewayError): void {
    for (const { failed } of writes) failed?.(error);
    this.#writes = [...writes.filter(({ failed }) => failed === undefined), ...this.#writes];
    const isNew = this.#failure === undefined;
    this.#failure = error;
    this.#timer = setTimeout(() => this.flush(), RETRY);
    if (isNew) this.#observer.storageFailed(error);
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#observer.storageRecovered();
    for (const resolve of this.#whenDrained.splice(0)) resolve();
  }
}

function isOfStorage(error: unknown): error is GatewayError {
  return error instanceof GatewayError && (error.code === 'storage_full' || error.code === 'unavailable');
}
