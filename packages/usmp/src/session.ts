/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A session as the application holds it: messages in and out, with backpressure both ways.
 *
 * @module
 */

import type { USMPError } from './core/errors.js';
import type { ConnectionStats } from './core/stats.js';
import { hex } from './hex.js';
import type { SessionDriver } from './session-driver.js';
import type { WaitOptions } from './waiting.js';

/** How much a session may hold. Bytes. */
export interface SessionLimits {
  /** Unread messages before the peer has to wait; default 64 KiB. */
  readonly receiveQueue?: number;
  /** Sent bytes that wait for a slow line before `send()` makes its caller wait; default 64 KiB. */
  readonly sendBacklog?: number;
}

/** How to send. */
export interface SendOptions extends WaitOptions {
  /** UDP only: wait until the peer has acknowledged all of the message. */
  readonly acknowledged?: boolean | undefined;
}

/** How to change the keys. */
export interface RekeyOptions extends WaitOptions {
  /** UDP only: also after 64 frames. Only where the peer is known to be of release 2 or later. */
  readonly force?: boolean;
}

/** What a finished handshake says about its session. */
export interface OpenedSession {
  readonly deviceId: string;
  readonly sessionId: Uint8Array;
  readonly keyIndex: number;
}

/** Counters of one session, since it began. */
export interface SessionStats extends Readonly<ConnectionStats> {
  /**
   * The last messages sent that are not known to have arrived: a PONG says so of all that were sent before its PING, over
   * UDP an acknowledgement. Goes on telling after the end of the session.
   */
  readonly messagesUnconfirmed: number;
  /** Messages that wait for `recv()`. */
  readonly receiveQueueMessages: number;
  /** Their bytes, and 256 for each. */
  readonly receiveQueueBytes: number;
  /** Bytes of frames that wait for the line. */
  readonly sendBacklogBytes: number;
}

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
  constructor(driver: SessionDriver, opened: OpenedSession) {
    this.#driver = driver;
    this.deviceId = opened.deviceId;
    this.#id = opened.sessionId;
    this.keyIndex = opened.keyIndex;
  }

  /** The session's own id: 32 hexadecimal digits, random. */
  get id(): string {
    return hex(this.#id);
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

  /**
   * The round trip in milliseconds: the last one that a PONG has shown, over UDP a smoothed one of acknowledgements.
   * Undefined before the first.
   */
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
   * does not mean that the peer has it. Over UDP it can be asked to wait for that: `{ acknowledged: true }`; and there
   * a message that is never acknowledged ends the session, after 12.5 s.
   *
   * @param data up to 1,808 bytes; a string is sent as UTF-8. The bytes may be reused after the call.
   * @throws {PayloadError} `message_too_large`; nothing was sent
   * @throws {ArgumentError} it is neither text nor bytes, or `acknowledged` on another transport than UDP
   * @throws {USMPTimeoutError} `send_timeout`; the message stays on its way
   * @throws {ConnectionClosedError} the session is over, or ends while waiting
   * @throws {DeliveryError} `not_acknowledged`: the session is over because a message did not arrive
   */
  send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
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
   * @throws {SequenceError} `rekey_unsafe`: over UDP, 64 or more frames have been sent, after which a released peer would
   * lose others (§9.5); `force` does it all the same, and with such a peer it is never completed: give a timeout
   */
  rekey(options?: RekeyOptions): Promise<void> {
    return this.#driver.rekey(options);
  }

  /**
   * Sends BYE, hangs up, and resolves when the line is closed. What was sent before still leaves; a peer that does
   * not hang up in time is cut off (after 3 s). Over UDP it resolves when the peer has acknowledged all of that, and
   * gives up 3 s after BYE left, or when 15.5 s have brought no acknowledgement. Closing twice is fine.
   */
  close(): Promise<void> {
    return this.#driver.close();
  }

  /** Closes: `await using session = …`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** All messages until an orderly end; throws after any other. Leaving the loop does not close the session. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return new Messages(this.#driver);
  }
}

/** The messages of a session, one after the other. */
class Messages implements AsyncIterableIterator<Uint8Array> {
  readonly #driver: SessionDriver;

  constructor(driver: SessionDriver) {
    this.#driver = driver;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#driver.next();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this;
  }
}
