/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A session as the application holds it: messages in and out, with backpressure both ways.
 *
 * @module
 */

import type { ConnectionEvent, ConnectionStats } from './core/connection.js';
import { ArgumentError, ConnectionClosedError, type USMPError } from './core/errors.js';
import { MESSAGE_OVERHEAD, RECEIVE_QUEUE, SEND_BACKLOG } from './core/limits.js';
import { formatDeviceId } from './device-id.js';
import { checkNumber } from './options.js';
import type { Peer, PeerOwner } from './peer.js';
import { Waiters, type WaitOptions } from './waiting.js';

/** How much a session may hold. Bytes. */
export interface SessionLimits {
  /** Unread messages before the peer has to wait; default 64 KiB. */
  readonly receiveQueue?: number;
  /** Sent bytes that wait for a slow line before `send()` makes its caller wait; default 64 KiB. */
  readonly sendBacklog?: number;
}

/** Counters of one session, since it began. */
export interface SessionStats extends Readonly<ConnectionStats> {
  /** Bytes of messages that wait for `recv()`. */
  readonly receiveQueueBytes: number;
  /** Bytes of frames that wait for the line. */
  readonly sendBacklogBytes: number;
}

/** What a session tells whoever made it. */
export interface SessionObserver {
  sessionEnded(driver: SessionDriver, error: USMPError): void;
  /** The link is gone. */
  sessionGone(driver: SessionDriver): void;
}

const RESOLVED = Promise.resolve();
const utf8 = new TextEncoder();

/**
 * An encrypted, mutually authenticated session with one peer.
 *
 * @example
 * ```ts
 * await session.send('21.5 °C');
 * const reply = await session.recv({ timeout: 5_000 });
 * for await (const message of session) console.log(message.length, 'bytes');
 * ```
 */
export class USMPSession implements AsyncDisposable, AsyncIterable<Uint8Array> {
  /** The client's device id, `aa:bb:cc:dd:ee:ff`, on both sides. */
  readonly deviceId: string;
  /** Which of the device's valid keys was used: 0 the first (new), 1 the second (old). Always 0 at a client. */
  readonly keyIndex: number;
  readonly #driver: SessionDriver;
  readonly #id: Uint8Array;

  /** Sessions come from `USMPServer.onSession` and `USMPClient.connect`. */
  constructor(
    driver: SessionDriver,
    opened: { deviceId: Uint8Array; sessionId: Uint8Array; keyIndex: number },
  ) {
    this.#driver = driver;
    this.deviceId = formatDeviceId(opened.deviceId);
    this.#id = opened.sessionId;
    this.keyIndex = opened.keyIndex;
  }

  /** The session's own id: 32 hexadecimal digits, random. */
  get id(): string {
    return Array.from(this.#id, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** The other end of the line, such as `192.0.2.7:51234`. */
  get peer(): string {
    return this.#driver.peer.link.peer;
  }

  /** Scheme of the transport, such as `tcp`. */
  get transport(): string {
    return this.#driver.peer.link.transport;
  }

  /** Counters since the session began. */
  get stats(): SessionStats {
    return this.#driver.stats;
  }

  /** The last measured round trip in milliseconds; undefined before the first PONG. */
  get rtt(): number | undefined {
    return this.#driver.rtt;
  }

  /** Whether the session is over. Messages that arrived before may still be received. */
  get closed(): boolean {
    return this.#driver.error !== undefined;
  }

  /** Why the session is over; undefined while it is not. */
  get error(): USMPError | undefined {
    return this.#driver.error;
  }

  /**
   * Sends one message. Resolves when it has been handed to the transport and the backlog is under its limit, which
   * does not mean that the peer has it.
   *
   * @param data up to 1,808 bytes; a string is sent as UTF-8. The bytes may be reused after the call.
   * @throws {PayloadError} `message_too_large`; nothing was sent
   * @throws {ArgumentError} it is neither text nor bytes
   * @throws {USMPTimeoutError} `send_timeout`; the message stays on its way
   * @throws {ConnectionClosedError} the session is over, or ends while waiting
   */
  send(data: Uint8Array | string, options?: WaitOptions): Promise<void> {
    return this.#driver.send(data, options);
  }

  /**
   * The next message, in order. Messages that arrived before the end of the session are still delivered.
   *
   * @throws {USMPTimeoutError} `receive_timeout`; a later call gets the message
   * @throws {ConnectionClosedError} the session is over
   * @throws {USMPError} the session ended because of what the peer sent; see the code
   */
  recv(options?: WaitOptions): Promise<Uint8Array> {
    return this.#driver.recv(options);
  }

  /**
   * Measures a round trip. Resolves with it, in milliseconds.
   *
   * @throws {USMPTimeoutError} `ping_timeout`, after 10 s unless told otherwise
   */
  ping(options?: WaitOptions): Promise<number> {
    return this.#driver.ping({ timeout: 10_000, ...options });
  }

  /**
   * Changes the keys of both directions (spec/protocol.md §7) and resolves when the new ones are in use. Sending and
   * receiving go on meanwhile. Peers before release 1.2.0 do not know this and close the session; released peers also
   * close after more than 8 control frames in a second, and each change takes one.
   *
   * @throws {USMPTimeoutError} `rekey_timeout`; the change goes on
   */
  rekey(options?: WaitOptions): Promise<void> {
    return this.#driver.rekey(options);
  }

  /**
   * Sends BYE, hangs up, and resolves when the line is closed. What was sent before still leaves; a peer that does
   * not hang up in time is cut off (after 3 s). Closing twice is fine.
   */
  close(): Promise<void> {
    return this.#driver.close();
  }

  /** Closes: `await using session = …`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** All messages until an orderly end; throws after any other. Leaving the loop does not close the session. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) yield await this.recv();
    } catch (error) {
      const ended = this.#driver.error;
      if (ended === undefined || error !== ended || !isOrderly(ended)) throw error;
    }
  }
}

/** Whether a session ended by BYE from either side. */
function isOrderly(error: USMPError): boolean {
  return (
    error instanceof ConnectionClosedError &&
    error.code !== 'connection_lost' &&
    error.code !== 'idle_timeout'
  );
}

/** What stands behind a session: queues and those who wait. */
export class SessionDriver implements PeerOwner {
  readonly peer: Peer;
  readonly session: USMPSession;
  readonly #observer: SessionObserver;
  readonly #limits: Required<SessionLimits>;
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;
  #receivers: Waiters<Uint8Array> | undefined;
  #senders: Waiters<void> | undefined;
  #pingers: Map<number, Waiters<number>> | undefined;
  #rekeyers: Waiters<void> | undefined;
  #closers: Waiters<void> | undefined;
  #gone = false;
  #rtt: number | undefined;
  #error: USMPError | undefined;

  constructor(
    peer: Peer,
    opened: { deviceId: Uint8Array; sessionId: Uint8Array; keyIndex: number },
    limits: Required<SessionLimits>,
    observer: SessionObserver,
  ) {
    this.peer = peer;
    this.#limits = limits;
    this.#observer = observer;
    this.session = new USMPSession(this, opened);
    peer.owner = this;
  }

  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Why the session is over; undefined while it is not. */
  get error(): USMPError | undefined {
    return this.#error;
  }

  get stats(): SessionStats {
    const { connection } = this.peer;
    return {
      ...connection.stats,
      receiveQueueBytes: this.#queuedBytes,
      sendBacklogBytes: connection.pendingTransmit,
    };
  }

  send(data: Uint8Array | string, options?: WaitOptions): Promise<void> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    const { peer } = this;
    try {
      const message = typeof data === 'string' ? utf8.encode(data) : data;
      if (!(message instanceof Uint8Array)) throw noMessage(message);
      this.#command(() => peer.connection.send(message, peer.now()));
    } catch (error) {
      return this.#rejected(Promise.reject(error), error);
    }
    if (peer.connection.pendingTransmit <= this.#limits.sendBacklog) return RESOLVED;
    this.#senders ??= new Waiters();
    return this.#rejected(this.#senders.wait(options, 'send_timeout'));
  }

  recv(options?: WaitOptions): Promise<Uint8Array> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    const message = this.#queue?.shift();
    if (message !== undefined) {
      this.#queuedBytes -= message.length + MESSAGE_OVERHEAD;
      if (this.#queuedBytes <= this.#limits.receiveQueue / 2) this.peer.resume();
      return Promise.resolve(message);
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#receivers ??= new Waiters();
    return this.#receivers.wait(options, 'receive_timeout');
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

  async rekey(options?: WaitOptions): Promise<void> {
    this.#command(() => this.peer.connection.rekey(this.peer.now()));
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
      case 'rekeyed':
        if (event.initiator) this.#rekeyers?.resolveAll();
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
    for (const waiters of this.#pingers?.values() ?? []) waiters.rejectAll(error);
    this.#observer.sessionEnded(this, error);
  }
}

function noMessage(data: unknown): ArgumentError {
  const what = data === null ? 'null' : typeof data === 'object' ? data.constructor?.name : typeof data;
  return new ArgumentError('invalid_argument', `a message is a string or a Uint8Array, not ${what}`);
}

/** Limits with their defaults. */
export function sessionLimits(limits: SessionLimits): Required<SessionLimits> {
  const { receiveQueue = RECEIVE_QUEUE, sendBacklog = SEND_BACKLOG } = limits;
  checkNumber('receiveQueue', receiveQueue);
  checkNumber('sendBacklog', sendBacklog);
  return { receiveQueue, sendBacklog };
}
