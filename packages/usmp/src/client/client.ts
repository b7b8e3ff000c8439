/**
 * The client, whatever platform it runs on: opens a link and runs the handshake.
 *
 * @module
 */

import type { ConnectionEvent } from '../core/connection.js';
import {
  ConnectionClosedError,
  NotConnectedError,
  type USMPError,
  USMPTimeoutError,
} from '../core/errors.js';
import * as limits from '../core/limits.js';
import { Deadlines } from '../deadlines.js';
import { formatDeviceId } from '../device-id.js';
import { Emitter } from '../events.js';
import { checkNumber, LONGEST_DELAY } from '../options.js';
import { Peer, type PeerOwner } from '../peer.js';
import type { SendOptions, USMPSession } from '../session.js';
import { SessionDriver } from '../session-driver.js';
import type { Link } from '../transports/transport.js';
import type { AbortSignalLike, WaitOptions } from '../waiting.js';
import type { ClientConfig } from './options.js';
import { Reconnector } from './reconnector.js';

/** What `client.on` can listen to. */
export type USMPClientEvents = {
  connect: [session: USMPSession];
  /** The session is over; the error's code tells why. */
  disconnect: [session: USMPSession, error: USMPError];
  /**
   * With `reconnect`: the next attempt comes after `delay` milliseconds. `attempt` counts from 1 since there was a session;
   * `error` is why there is none.
   */
  reconnecting: [attempt: number, delay: number, error: USMPError];
};

/** Counters of a client. */
export interface ClientStats {
  /** Sessions so far. */
  readonly connects: number;
  /** Messages that wait for a session, with `reconnect`. */
  readonly queuedMessages: number;
  /** What they hold of `queueLimit`, in bytes. */
  readonly queuedBytes: number;
  /** Messages that were dropped because newer ones took their place in the queue, or because nobody received them. */
  readonly droppedMessages: number;
}

/** What the clients of all platforms have in common. Each of them has its own constructor. */
export abstract class Client {
  /** The device id that this client claims in every handshake. */
  readonly deviceId: string;
  readonly #config: ClientConfig;
  readonly #localAddress: string | undefined;
  readonly #deadlines = new Deadlines();
  readonly #emitter = new Emitter<USMPClientEvents>();
  readonly #reconnector: Reconnector | undefined;
  #session: USMPSession | undefined;
  #connects = 0;

  protected constructor(config: ClientConfig, localAddress?: string) {
    this.#config = config;
    this.#localAddress = localAddress;
    this.deviceId = formatDeviceId(config.credentials.deviceId);
    if (config.reconnect === undefined) return;
    this.#reconnector = new Reconnector(config.reconnect, config.sessionLimits.receiveQueue, {
      open: (timeout, signal) => this.#open(timeout, signal),
      announce: (attempt, delay, error) => this.#emitter.emit('reconnecting', attempt, delay, error),
    });
  }

  /** The open session, undefined when there is none. */
  get session(): USMPSession | undefined {
    return this.#session?.closed ? undefined : this.#session;
  }

  /** Counters since the client was made. */
  get stats(): ClientStats {
    const waiting = this.#reconnector;
    return {
      connects: this.#connects,
      queuedMessages: waiting?.outbox.size ?? 0,
      queuedBytes: waiting?.outbox.bytes ?? 0,
      droppedMessages: waiting?.droppedMessages ?? 0,
    };
  }

  /** Calls `listener` at every event of that name. Returns the function that removes it. */
  on<Name extends keyof USMPClientEvents>(
    name: Name,
    listener: (...args: USMPClientEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Opens a connection and authenticates both sides. A session that this client still has open is closed first.
   *
   * With `reconnect` it resolves with the first session, however many attempts that takes, and from then on another one is
   * opened whenever one ends, until `disconnect()`, `session.close()`, or, before the first, the signal. While an attempt is
   * waited for, calling it again makes that attempt at once.
   *
   * @param options.timeout for opening a connection; default 10,000. The handshake has its own time; over UDP that
   * decides, as there is nothing to open but the socket.
   * @throws {TransportError} `unreachable`: no connection
   * @throws {AuthError} `refused`: wrong key or unknown device id; `rogue_server`: the server does not know the key
   * @throws {HandshakeError} `turned_away`: busy, or not a USMP server
   * @throws {USMPTimeoutError} `connect_timeout`, `handshake_timeout`
   * @throws {ConnectionClosedError} `closed`: `disconnect()` was called meanwhile
   */
  async connect(options: WaitOptions = {}): Promise<USMPSession> {
    const { timeout = limits.CONNECT_TIMEOUT, signal } = options;
    checkNumber('timeout', timeout);
    if (signal?.aborted) throw signal.reason;
    if (this.#reconnector !== undefined) {
      // At once where there is none, so that what is sent right after this call has something to wait for.
      if (this.session !== undefined) await this.session.close();
      return this.#reconnector.connect(timeout, signal);
    }
    const aborter = new AbortController();
    const abort = () => aborter.abort(signal!.reason);
    signal?.addEventListener('abort', abort);
    try {
      await this.#session?.close();
      return await this.#open(timeout, aborter.signal);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * As `session.send`. With `reconnect` the message waits for the next session where there is none; it is handed to one
   * session, once, and never again.
   *
   * @throws {NotConnectedError} `not_connected`: there was no session yet; with `reconnect` also `queue_full`, `dropped`
   */
  send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
    const session = this.#session;
    if (session?.closed !== false && this.#reconnector?.isRunning)
      return this.#reconnector.send(data, options);
    return session?.send(data, options) ?? Promise.reject(new NotConnectedError('not_connected'));
  }

  /**
   * As `session.recv`. With `reconnect` it goes on over the end of sessions: first what earlier ones have left, then the
   * messages of the present or the next one.
   *
   * @throws {NotConnectedError} there was no session yet
   */
  async recv(options?: WaitOptions): Promise<Uint8Array> {
    if (this.#reconnector?.isRunning) return this.#reconnector.recv(options);
    return this.#require().recv(options);
  }

  /** As `session.ping`. @throws {NotConnectedError} there is no session */
  async ping(options?: WaitOptions): Promise<number> {
    return this.#require().ping(options);
  }

  /** Closes the session, if there is one, and opens no other. What waits to be sent is rejected with `closed`. */
  async disconnect(): Promise<void> {
    this.#reconnector?.stop(new ConnectionClosedError('closed'));
    await this.#session?.close();
  }

  #require(): USMPSession {
    if (this.#session === undefined) throw new NotConnectedError('not_connected');
    return this.#session;
  }

  /** One attempt. */
  async #open(timeout: number, signal: AbortSignalLike): Promise<USMPSession> {
    const { server, settings, credentials } = this.#config;
    const link = await this.#openLink(timeout, signal);
    const connection = new server.Connection(settings, this.#deadlines.now(), credentials);
    return new Promise((resolve, reject) => {
      const abort = () => {
        signal.removeEventListener('abort', abort);
        if (connection.state !== 'handshake') return;
        reject(signal.reason);
        connection.close(peer.now());
        peer.settle();
      };
      const handshake: PeerOwner = {
        handleEvent: (peer, event) => {
          signal.removeEventListener('abort', abort);
          if (event.type === 'open') resolve(this.#start(peer, event));
          if (event.type === 'closed') reject(event.error);
        },
        handleDrain() {},
        handleGone() {},
      };
      const peer = new Peer(link, connection, this.#deadlines, handshake);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
    });
  }

  async #openLink(timeout: number, signal: AbortSignalLike): Promise<Link> {
    const { transport, url } = this.#config.server;
    const aborter = new AbortController();
    const abort = () => aborter.abort(signal.reason);
    const late = () => aborter.abort(new USMPTimeoutError('connect_timeout'));
    const timer = setTimeout(late, Math.min(timeout, LONGEST_DELAY));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      return await transport.connect(url, { signal: aborter.signal, localAddress: this.#localAddress });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  #start(peer: Peer, event: Extract<ConnectionEvent, { type: 'open' }>): USMPSession {
    const opened = { ...event, deviceId: this.deviceId };
    const { session } = new SessionDriver(peer, opened, this.#config.sessionLimits, {
      sessionEnded: ({ session }, error) => {
        this.#emitter.emit('disconnect', session, error);
        this.#reconnector?.sessionEnded(session, error);
      },
      sessionGone() {},
    });
    // At once, so that it comes before a `disconnect` that stands in the same bytes.
    this.#session = session;
    this.#connects++;
    this.#reconnector?.sessionOpened(session);
    this.#emitter.emit('connect', session);
    return session;
  }
}
