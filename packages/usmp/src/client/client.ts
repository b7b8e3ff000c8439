/**
 * The client, whatever platform it runs on: opens a link and runs the handshake.
 *
 * @module
 */

import type { ConnectionEvent } from '../core/connection.js';
import { NotConnectedError, type USMPError, USMPTimeoutError } from '../core/errors.js';
import * as limits from '../core/limits.js';
import { Deadlines } from '../deadlines.js';
import { formatDeviceId } from '../device-id.js';
import { Emitter } from '../events.js';
import { checkNumber, LONGEST_DELAY } from '../options.js';
import { Peer, type PeerOwner } from '../peer.js';
import type { SendOptions, USMPSession } from '../session.js';
import { SessionDriver } from '../session-driver.js';
import type { Link } from '../transports/transport.js';
import type { WaitOptions } from '../waiting.js';
import type { ClientConfig } from './options.js';

/** What `client.on` can listen to. */
export type USMPClientEvents = {
  connect: [session: USMPSession];
  /** The session is over; the error's code tells why. */
  disconnect: [session: USMPSession, error: USMPError];
};

/** What the clients of all platforms have in common. Each of them has its own constructor. */
export abstract class Client {
  /** The device id that this client claims in every handshake. */
  readonly deviceId: string;
  readonly #config: ClientConfig;
  readonly #localAddress: string | undefined;
  readonly #deadlines = new Deadlines();
  readonly #emitter = new Emitter<USMPClientEvents>();
  #session: USMPSession | undefined;

  protected constructor(config: ClientConfig, localAddress?: string) {
    this.#config = config;
    this.#localAddress = localAddress;
    this.deviceId = formatDeviceId(config.credentials.deviceId);
  }

  /** The open session, undefined when there is none. */
  get session(): USMPSession | undefined {
    return this.#session?.closed ? undefined : this.#session;
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
   * @param options.timeout for opening the connection; default 10,000. The handshake has its own time; over UDP that
   * decides, as there is nothing to open but the socket.
   * @throws {TransportError} `unreachable`: no connection
   * @throws {AuthError} `refused`: wrong key or unknown device id; `rogue_server`: the server does not know the key
   * @throws {HandshakeError} `turned_away`: busy, or not a USMP server
   * @throws {USMPTimeoutError} `connect_timeout`, `handshake_timeout`
   */
  async connect(options: WaitOptions = {}): Promise<USMPSession> {
    const { timeout = limits.CONNECT_TIMEOUT, signal } = options;
    checkNumber('timeout', timeout);
    if (signal?.aborted) throw signal.reason;
    const aborter = new AbortController();
    const abort = () => aborter.abort(signal!.reason);
    signal?.addEventListener('abort', abort);
    try {
      await this.#session?.close();
      return await this.#open(timeout, aborter);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** As `session.send`. @throws {NotConnectedError} there was no session yet */
  async send(data: Uint8Array | string, options?: SendOptions): Promise<void> {
    return this.#require().send(data, options);
  }

  /** As `session.recv`. @throws {NotConnectedError} there was no session yet */
  async recv(options?: WaitOptions): Promise<Uint8Array> {
    return this.#require().recv(options);
  }

  /** As `session.ping`. @throws {NotConnectedError} there was no session yet */
  async ping(options?: WaitOptions): Promise<number> {
    return this.#require().ping(options);
  }

  /** Closes the session, if there is one. */
  async disconnect(): Promise<void> {
    await this.#session?.close();
  }

  #require(): USMPSession {
    if (this.#session === undefined) throw new NotConnectedError('not_connected');
    return this.#session;
  }

  async #open(timeout: number, aborter: AbortController): Promise<USMPSession> {
    const { server, settings, credentials } = this.#config;
    const timer = setTimeout(
      () => aborter.abort(new USMPTimeoutError('connect_timeout')),
      Math.min(timeout, LONGEST_DELAY),
    );
    let link: Link;
    try {
      link = await server.transport.connect(server.url, {
        signal: aborter.signal,
        localAddress: this.#localAddress,
      });
    } finally {
      clearTimeout(timer);
    }
    const connection = new server.Connection(settings, this.#deadlines.now(), credentials);
    return new Promise((resolve, reject) => {
      const handshake: PeerOwner = {
        handleEvent: (peer, event) => {
          if (event.type === 'open') resolve(this.#start(peer, event));
          if (event.type === 'closed') reject(event.error);
        },
        handleDrain() {},
        handleGone() {},
      };
      const peer = new Peer(link, connection, this.#deadlines, handshake);
      aborter.signal.addEventListener('abort', () => {
        if (connection.state !== 'handshake') return;
        reject(aborter.signal.reason);
        connection.close(peer.now());
        peer.settle();
      });
    });
  }

  #start(peer: Peer, event: Extract<ConnectionEvent, { type: 'open' }>): USMPSession {
    const { session } = new SessionDriver(
      peer,
      { ...event, deviceId: this.deviceId },
      this.#config.sessionLimits,
      {
        sessionEnded: (driver, error) => this.#emitter.emit('disconnect', driver.session, error),
        sessionGone() {},
      },
    );
    // At once, so that it comes before a `disconnect` that stands in the same bytes.
    this.#session = session;
    this.#emitter.emit('connect', session);
    return session;
  }
}
