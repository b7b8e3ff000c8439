/**
 * Keeps a client connected: tries until there is a session, and again whenever one ends that this side did not close.
 * What is sent meanwhile waits in the outbox; who receives goes on from one session to the next.
 *
 * @module
 */

import { TransportError, USMPError } from '../core/errors.js';
import type { SendOptions, USMPSession } from '../session.js';
import { messageBytes } from '../session-driver.js';
import { type AbortSignalLike, Waiters, type WaitOptions } from '../waiting.js';
import type { ReconnectOptions } from './options.js';
import { Outbox } from './outbox.js';
import { RetryDelays } from './retry.js';

/** What it does its work with. */
export interface Connector {
  /** One attempt. `timeout` is for opening the connection. */
  open(timeout: number, signal: AbortSignalLike): Promise<USMPSession>;
  /** There will be another attempt. */
  announce(attempt: number, delay: number, error: USMPError): void;
}

/** The part of a client that stays connected. */
export class Reconnector {
  readonly outbox: Outbox;
  readonly #options: Required<ReconnectOptions>;
  readonly #receiveQueue: number;
  readonly #connector: Connector;
  readonly #delays: RetryDelays;
  /** Those who wait for a session, and who waits for the end of one. */
  readonly #waiters = new Waiters<USMPSession>();
  readonly #endings = new Waiters<void>();
  /** Present from `connect` until it is to end. Aborting it ends whatever is under way. */
  #running: AbortController | undefined;
  #session: USMPSession | undefined;
  #openedAt = 0;
  /** Sessions that are over, with messages that nobody has received, oldest first. */
  #unread: USMPSession[] = [];
  #unreadDropped = 0;
  /** Ends the wait for the next attempt. */
  #skipDelay: (() => void) | undefined;

  constructor(options: Required<ReconnectOptions>, receiveQueue: number, connector: Connector) {
    this.#options = options;
    this.#receiveQueue = receiveQueue;
    this.#connector = connector;
    this.outbox = new Outbox(options.queueLimit, options.queuePolicy);
    this.#delays = new RetryDelays(options);
  }

  /** Whether sessions are being kept open. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Messages that never reached anybody, in either direction. */
  get droppedMessages(): number {
    return this.outbox.dropped + this.#unreadDropped;
  }

  /** Begins, or hurries up, and resolves with the next session. */
  async connect(timeout: number, signal: AbortSignalLike | undefined): Promise<USMPSession> {
    const isFirst = this.#running === undefined;
    const next = this.#waiters.wait({ signal }, 'connect_timeout');
    if (isFirst) this.#run(timeout);
    else this.#skipDelay?.();
    const running = this.#running;
    try {
      return await next;
    } catch (error) {
      if (isFirst && signal?.aborted && running === this.#running) this.stop(error);
      throw error;
    }
  }

  /** Ends it. Whoever waits is told the reason. */
  stop(reason: unknown): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.abort(reason);
    this.#waiters.rejectAll(reason);
    this.outbox.rejectAll(reason);
  }

  /** At once when there is one: before its first message is delivered or anything else is sent. */
  sessionOpened(session: USMPSession): void {
    this.#session = session;
    this.#openedAt = performance.now();
    this.outbox.flush(session);
    this.#waiters.resolveAll(session);
  }

  sessionEnded(session: USMPSession, error: USMPError): void {
    this.#session = undefined;
    this.#keepUnread(session);
    this.#delays.ended(performance.now() - this.#openedAt);
    this.#endings.resolveAll();
    // Whoever closes a session wants none.
    if (error.code === 'closed') this.stop(error);
  }

  /** Keeps a message for the next session. */
  send(data: Uint8Array | string, options: SendOptions | undefined): Promise<void> {
    try {
      return this.outbox.add(messageBytes(data), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The next message of any session. */
  async recv(options: WaitOptions = {}): Promise<Uint8Array> {
    const { timeout = Number.POSITIVE_INFINITY, signal } = options;
    const until = performance.now() + timeout;
    for (;;) {
      const session = this.#unread[0] ?? this.#session ?? (await this.#nextSession(until, signal));
      try {
        return await session.recv({ timeout: Math.max(0, until - performance.now()), signal });
      } catch (error) {
        if (error !== session.error || !this.isRunning) throw error;
        this.#unread = this.#unread.filter((each) => each !== session);
      }
    }
  }

  async #nextSession(until: number, signal: AbortSignalLike | undefined): Promise<USMPSession> {
    const timeout = Math.max(0, until - performance.now());
    return this.#waiters.wait({ timeout, signal }, 'receive_timeout');
  }

  /** What was not received in time is still there, but not without bound. */
  #keepUnread(session: USMPSession): void {
    if (session.stats.receiveQueueBytes === 0) return;
    this.#unread.push(session);
    const held = () => this.#unread.reduce((sum, each) => sum + each.stats.receiveQueueBytes, 0);
    while (this.#unread.length > 1 && held() > this.#receiveQueue) {
      this.#unreadDropped += this.#unread.shift()!.stats.receiveQueueMessages;
    }
  }

  /** One attempt after the other, with sessions between them, until it is stopped. */
  async #run(timeout: number): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    const { signal } = running;
    let hadSession = false;
    for (let attempt = 0; !signal.aborted; ) {
      let error: USMPError;
      try {
        const session = await this.#connector.open(timeout, signal);
        hadSession = true;
        attempt = 0;
        error = await this.#endOf(session);
      } catch (failure) {
        if (signal.aborted) return;
        if (!hadSession && !(this.#options.initial && isWorthRetrying(failure))) return this.stop(failure);
        error = asError(failure);
      }
      if (signal.aborted) return;
      const delay = this.#delays.next(error);
      this.#connector.announce(++attempt, delay, error);
      await this.#pause(delay, signal);
    }
  }

  /** Waits until a session is over and its link is gone: the next one may need the same port. */
  async #endOf(session: USMPSession): Promise<USMPError> {
    if (session.error === undefined) await this.#endings.wait(undefined, 'closed');
    await session.close();
    return session.error!;
  }

  #pause(delay: number, signal: AbortSignalLike): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', go);
        this.#skipDelay = undefined;
        resolve();
      };
      const timer = setTimeout(go, delay);
      signal.addEventListener('abort', go);
      this.#skipDelay = go;
    });
  }
}

/** Not where the caller has to change something first, such as an option. */
function isWorthRetrying(failure: unknown): boolean {
  return failure instanceof USMPError && failure.fault !== 'caller';
}

function asError(failure: unknown): USMPError {
  if (failure instanceof USMPError) return failure;
  const message = failure instanceof Error ? failure.message : String(failure);
  return new TransportError('unreachable', message, { cause: failure });
}
