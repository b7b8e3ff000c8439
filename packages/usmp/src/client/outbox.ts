/**
 * Messages that wait for a session. Each has one of three ends, and its sender is told which: it was handed to a session,
 * once; it was given up by its sender; or it had to go, and was never sent.
 *
 * @module
 */

import { NotConnectedError, USMPTimeoutError } from '../core/errors.js';
import { MESSAGE_OVERHEAD } from '../core/limits.js';
import { frameCount } from '../core/message.js';
import { checkNumber, LONGEST_DELAY } from '../options.js';
import type { SendOptions, USMPSession } from '../session.js';
import type { QueuePolicy } from './options.js';

/** One message. */
interface Waiting {
  readonly message: Uint8Array;
  readonly options: SendOptions | undefined;
  /** Its `send` goes on as that of the session. */
  hand(session: USMPSession): void;
  reject(error: unknown): void;
}

/** The queue of a client that is away from its server. */
export class Outbox {
  readonly #limit: number;
  readonly #policy: QueuePolicy;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #dropped = 0;

  /** @param limit bytes, with {@link MESSAGE_OVERHEAD} for each message */
  constructor(limit: number, policy: QueuePolicy) {
    this.#limit = limit;
    this.#policy = policy;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Their bytes, as the limit counts them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that had to make room for newer ones. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Keeps a message for the next session. Resolves or rejects as `send` of that session does; before, rejects with
   * {@link NotConnectedError} `queue_full` or `dropped`, and with {@link USMPTimeoutError} `send_timeout` when no session
   * came in time: then it was not sent.
   *
   * @throws {PayloadError} `message_too_large`
   * @throws {ArgumentError} the timeout is none
   */
  add(message: Uint8Array, options: SendOptions | undefined): Promise<void> {
    frameCount(message.length);
    if (options?.timeout !== undefined) checkNumber('timeout', options.timeout);
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    const sending = new Promise<void>((resolve, reject) => {
      const size = message.length + MESSAGE_OVERHEAD;
      if (this.#policy === 'dropOldest' && size <= this.#limit) this.#makeRoom(size);
      if (this.#bytes + size > this.#limit) return reject(new NotConnectedError('queue_full'));
      this.#bytes += size;
      this.#waiting.push(this.#watch(new Uint8Array(message), options, resolve, reject));
    });
    // What becomes of it is told in other ways too: a `send` that nobody awaits must not end the process with it.
    sending.catch(() => {});
    return sending;
  }

  /** Hands everything to a session, in order. */
  flush(session: USMPSession): void {
    for (const waiting of this.#takeAll()) waiting.hand(session);
  }

  /** Gives everything up. */
  rejectAll(error: unknown): void {
    for (const waiting of this.#takeAll()) waiting.reject(error);
  }

  /** A message whose sender may give it up: after a time, or by a signal. */
  #watch(
    message: Uint8Array,
    options: SendOptions | undefined,
    resolve: (sent: Promise<void>) => void,
    reject: (error: unknown) => void,
  ): Waiting {
    const { timeout = Number.POSITIVE_INFINITY, signal } = options ?? {};
    const since = performance.now();
    const giveUp = (error: unknown) => {
      this.#remove(waiting);
      waiting.reject(error);
    };
    const onAbort = () => giveUp(signal!.reason);
    const late = () => giveUp(new USMPTimeoutError('send_timeout', 'no session came in time: not sent'));
    const timer = timeout <= LONGEST_DELAY ? setTimeout(late, timeout) : undefined;
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const waiting: Waiting = {
      message,
      options,
      hand(session) {
        done();
        const left = Math.max(0, timeout - (performance.now() - since));
        resolve(session.send(message, options && { ...options, timeout: left }));
      },
      reject(error) {
        done();
        reject(error);
      },
    };
    signal?.addEventListener('abort', onAbort);
    return waiting;
  }

  #makeRoom(size: number): void {
    while (this.#bytes + size > this.#limit) {
      const oldest = this.#waiting[0]!;
      this.#remove(oldest);
      this.#dropped++;
      oldest.reject(new NotConnectedError('dropped'));
    }
  }

  #remove(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    this.#bytes -= waiting.message.length + MESSAGE_OVERHEAD;
  }

  #takeAll(): Waiting[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
}
