/**
 * Promises that may be given up: by time, by signal, or because what they wait for cannot come any more.
 *
 * @module
 */

import { type ErrorCode, USMPTimeoutError } from './core/errors.js';
import { checkNumber, LONGEST_DELAY } from './options.js';

/** As much of the platform's `AbortSignal` as is needed, so that its type is not. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds; without it, or with Infinity, as long as it takes. */
  readonly timeout?: number | undefined;
  /** Gives up when it is aborted; the promise rejects with its reason. */
  readonly signal?: AbortSignalLike | undefined;
}

/** Somebody who waits. */
export interface Waiter<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Those who wait for one kind of thing, first come, first served. */
export class Waiters<T> {
  #waiters: Waiter<T>[] = [];

  get size(): number {
    return this.#waiters.length;
  }

  /**
   * Waits for a turn.
   *
   * @param timeoutCode the code of the {@link USMPTimeoutError} when the time is over
   */
  wait(options: WaitOptions | undefined, timeoutCode: ErrorCode): Promise<T> {
    if (options?.timeout === undefined && options?.signal === undefined) {
      return new Promise((resolve, reject) => this.add({ resolve, reject }));
    }
    const { timeout = Number.POSITIVE_INFINITY, signal } = options;
    checkNumber('timeout', timeout);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const giveUp = (error: unknown) => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.reject(error);
      };
      const onAbort = () => giveUp(signal!.reason);
      const timer =
        timeout <= LONGEST_DELAY
          ? setTimeout(() => giveUp(new USMPTimeoutError(timeoutCode)), timeout)
          : undefined;
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter<T> = {
        resolve(value) {
          done();
          resolve(value);
        },
        reject(error) {
          done();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.add(waiter);
    });
  }

  /** Lets somebody wait as long as it takes. */
  add(waiter: Waiter<T>): void {
    // The first `push` on an empty array sets memory aside for seventeen; mostly one waits.
    if (this.#waiters.length === 0) this.#waiters = [waiter];
    else this.#waiters.push(waiter);
  }

  /** Serves the first. False when nobody waits. */
  resolveFirst(value: T): boolean {
    const waiter = this.#waiters.shift();
    waiter?.resolve(value);
    return waiter !== undefined;
  }

  resolveAll(value: T): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(value);
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
