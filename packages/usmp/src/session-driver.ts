/**
 * What stands behind a session: the queue of received messages, and those who wait.
 *
 * @module
 */

import type { ConnectionEvent } from './core/connection.js';
import { ArgumentError, ConnectionClosedError, type ErrorCode, type USMPError } from './core/errors.js';
import { MESSAGE_OVERHEAD, RECEIVE_QUEUE, SEND_BACKLOG } from './core/limits.js';
import { checkNumber } from './options.js';
import type { Peer, PeerOwner } from './peer.js';
import {
  type OpenedSession,
  type RekeyOptions,
  type SendOptions,
  type SessionLimits,
  type SessionStats,
  USMPSession,
} from './session.js';
import { type Waiter, Waiters, type WaitOptions } from './waiting.js';

/** What a session tells whoever made it. */
export interface SessionObserver {
  sessionEnded(driver: SessionDriver, error: USMPError): void;
  /** The link is gone. */
  sessionGone(driver: SessionDriver): void;
}

const RESOLVED = Promise.resolve();
const utf8 = new TextEncoder();

/** The driver of one session. */
export class SessionDriver implements PeerOwner {
  readonly peer: Peer;
  readonly session: USMPSession;
  readonly #observer: SessionObserver;
  readonly #limits: Required<SessionLimits>;
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;
  #receivers: Waiters<Uint8Array> | undefined;
  #senders: Waiters<void> | undefined;
  #acknowledgements: Map<number, Waiters<void>> | undefined;
  #pingers: Map<number, Waiters<number>> | undefined;
  #rekeyers: Waiters<void> | undefined;
  #closers: Waiters<void> | undefined;
  #gone = false;
  #rtt: number | undefined;
  #error: USMPError | undefined;

  constructor(peer: Peer, opened: OpenedSession, limits: Required<SessionLimits>, observer: SessionObserver) {
    this.peer = peer;
    this.#limits = limits;
    this.#observer = observer;
    this.session = new USMPSession(this, opened);
    peer.owner = this;
  }

  get rtt(): number | undefined {
    return this.peer.connection.roundTrip ?? this.#rtt;
  }

  /** Why the session is over; undefined while it is not. */
  get error(): USMPError | undefined {
    return this.#error;
  }

  get stats(): SessionStats {
    const { connection } = this.peer;
    return {
      ...connection.stats,
      messagesUnconfirmed: connection.messagesUnconfirmed,
      receiveQueueMessages: this.#queue?.length ?? 0,
      receiveQueueBytes: this.#queuedBytes,
      sendBacklogBytes: connection.pendingTransmit,
    };
  }

  send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    const { peer } = this;
    const wantsAcknowledgement = options?.acknowledged === true;
    let number: number;
    try {
      const message = messageBytes(data);
      number = this.#command(() => peer.connection.send(message, peer.now(), wantsAcknowledgement));
    } catch (error) {
      return this.#rejected(Promise.reject(error), error);
    }
    if (wantsAcknowledgement) return this.#rejected(this.#acknowledged(number, options));
    if (peer.connection.pendingTransmit <= this.#limits.sendBacklog) return RESOLVED;
    this.#senders ??= new Waiters();
    return this.#rejected(this.#senders.wait(options, 'send_timeout'));
  }

  recv(options?: WaitOptions): Promise<Uint8Array> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    const message = this.#takeQueued();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#receivers ??= new Waiters();
    return this.#receivers.wait(options, 'receive_timeout');
  }

  /** As `recv`, for iterators. Not by way of `recv`: what waits here waits in every idle session. */
  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return new Promise((resolve, reject) => {
      const waiter = new NextMessage(resolve, reject);
      const message = this.#takeQueued();
      if (message !== undefined) return waiter.resolve(message);
      if (this.#error !== undefined) return waiter.reject(this.#error);
      this.#receivers ??= new Waiters();
      this.#receivers.add(waiter);
    });
  }

  async ping(options?: WaitOptions): Promise<number> {
    const id = this.#command(() => this.peer.connection.ping(this.peer.now()));
    const waiters = new Waiters<number>();
    this.#pingers ??= new Map();
    this.#pingers.set(id, waiters);
    try {
      return await waiters.wait(options, 'ping_timeout');
    } finally {
      this.#pingers.delete(id);
    }
  }

  async rekey(options: RekeyOptions = {}): Promise<void> {
    this.#command(() => this.peer.connection.rekey(this.peer.now(), options));
    this.#rekeyers ??= new Waiters();
    return this.#rekeyers.wait(options, 'rekey_timeout');
  }

  close(error: USMPError = new ConnectionClosedError('closed')): Promise<void> {
    if (this.#gone) return RESOLVED;
    this.#closers ??= new Waiters();
    const gone = this.#closers.wait(undefined, 'closed');
    this.peer.connection.close(this.peer.now(), error);
    this.peer.settle();
    return gone;
  }

  handleEvent(_peer: Peer, event: ConnectionEvent): void {
    switch (event.type) {
      case 'message':
        return this.#deliver(event.data);
      case 'pong':
        this.#rtt = event.rtt;
        this.#pingers?.get(event.ping)?.resolveAll(event.rtt);
        return;
      case 'acknowledged':
        this.#acknowledgements?.get(event.message)?.resolveAll();
        return;
      case 'rekeyed':
        if (event.initiator) this.#rekeyers?.resolveAll();
        return;
      case 'rekey-refused':
        this.#rekeyers?.rejectAll(event.error);
        return;
      case 'closed':
        return this.#end(event.error);
    }
  }

  /** In the next turn of the event loop: a sender that never stops must not keep it from all others. */
  handleDrain(): void {
    if (this.#senders === undefined || this.#senders.size === 0) return;
    if (this.peer.connection.pendingTransmit > this.#limits.sendBacklog) return;
    this.peer.nextTurn(() => this.#senders!.resolveAll());
  }

  handleGone(): void {
    this.#gone = true;
    this.#closers?.resolveAll();
    this.#observer.sessionGone(this);
  }

  /** Waits for the peer to have all of a message. */
  async #acknowledged(number: number, options?: WaitOptions): Promise<void> {
    const waiters = new Waiters<void>();
    this.#acknowledgements ??= new Map();
    this.#acknowledgements.set(number, waiters);
    try {
      await waiters.wait(options, 'send_timeout');
    } finally {
      this.#acknowledgements.delete(number);
    }
  }

  /** Runs a command of the connection and passes on what came of it, also when it fails. */
  #command<T>(command: () => T): T {
    if (this.#error !== undefined) throw this.#error;
    try {
      const result = command();
      this.peer.queueFlush();
      return result;
    } catch (error) {
      // The connection may have ended in the same bytes that opened it; why, is told by settling.
      this.peer.settle();
      throw this.#error ?? error;
    }
  }

  /**
   * That a session ends is told in other ways too, so a `send()` that nobody awaits must not end the process with it.
   */
  #rejected(sending: Promise<void>, error: unknown = undefined): Promise<void> {
    if (error === undefined || error === this.#error) sending.catch(() => {});
    return sending;
  }

  #takeQueued(): Uint8Array | undefined {
    const message = this.#queue?.shift();
    if (message === undefined) return undefined;
    this.#queuedBytes -= message.length + MESSAGE_OVERHEAD;
    if (this.#queuedBytes <= this.#limits.receiveQueue / 2) this.peer.resume();
    return message;
  }

  #deliver(message: Uint8Array): void {
    if (this.#receivers?.resolveFirst(message)) return;
    this.#queue ??= [];
    this.#queue.push(message);
    this.#queuedBytes += message.length + MESSAGE_OVERHEAD;
    if (this.#queuedBytes > this.#limits.receiveQueue) this.peer.pause();
  }

  #end(error: USMPError): void {
    this.#error = error;
    this.#receivers?.rejectAll(error);
    this.#senders?.rejectAll(error);
    this.#rekeyers?.rejectAll(error);
    for (const waiters of this.#acknowledgements?.values() ?? []) waiters.rejectAll(error);
    for (const waiters of this.#pingers?.values() ?? []) waiters.rejectAll(error);
    this.#observer.sessionEnded(this, error);
  }
}

/** Who iterates over a session: an orderly end is the end of the loop, any other is thrown. */
class NextMessage implements Waiter<Uint8Array> {
  readonly #resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    resolve: (result: IteratorResult<Uint8Array, undefined>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(value: Uint8Array): void {
    this.#resolve({ done: false, value });
  }

  reject(error: unknown): void {
    if (isOrderly(error)) this.#resolve({ done: true, value: undefined });
    else this.#reject(error);
  }
}

/** Whether a session ended by BYE from either side. */
function isOrderly(error: unknown): boolean {
  return error instanceof ConnectionClosedError && !CUT_OFF.has(error.code);
}

/** @throws {ArgumentError} it is neither text nor bytes */
export function messageBytes(data: Uint8Array | string): Uint8Array {
  if (typeof data === 'string') return utf8.encode(data);
  if (data instanceof Uint8Array) return data;
  throw new ArgumentError(
    'invalid_argument',
    `a message is a string or a Uint8Array, not ${describeType(data)}`,
  );
}

function describeType(data: unknown): string | undefined {
  if (data === null) return 'null';
  return typeof data === 'object' ? data.constructor?.name : typeof data;
}

/** The ends without BYE. */
const CUT_OFF: ReadonlySet<ErrorCode> = new Set(['connection_lost', 'idle_timeout', 'receive_overflow']);

/** Limits with their defaults. */
export function sessionLimits(limits: SessionLimits): Required<SessionLimits> {
  const { receiveQueue = RECEIVE_QUEUE, sendBacklog = SEND_BACKLOG } = limits;
  checkNumber('receiveQueue', receiveQueue);
  checkNumber('sendBacklog', sendBacklog);
  return { receiveQueue, sendBacklog };
}
