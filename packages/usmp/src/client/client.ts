/**
 * The client: opens a link and runs the handshake.
 *
 * @module
 */

import { isIP } from 'node:net';
import type { ConnectionEvent, ConnectionSettings } from '../core/connection.js';
import { ArgumentError, NotConnectedError, type USMPError, USMPTimeoutError } from '../core/errors.js';
import { DEVICE_ID_LENGTH } from '../core/handshake.js';
import * as limits from '../core/limits.js';
import { nodeCrypto } from '../crypto/node.js';
import { Deadlines } from '../deadlines.js';
import { formatDeviceId, parseDeviceId } from '../device-id.js';
import { Emitter } from '../events.js';
import { type KeyLog, keyLogSetting } from '../key-log.js';
import { type Key, keyBytes } from '../keys.js';
import { checkNames, checkNumber, LONGEST_DELAY } from '../options.js';
import { makeConnection, Peer, type PeerOwner } from '../peer.js';
import type { SendOptions, SessionLimits, USMPSession } from '../session.js';
import { SessionDriver, sessionLimits } from '../session-driver.js';
import { DEFAULT_PORT, formatTransportURL } from '../transports/address.js';
import { transportOf } from '../transports/registry.js';
import type { Link } from '../transports/transport.js';
import type { WaitOptions } from '../waiting.js';

/** Options of a client. All times are milliseconds. */
export interface USMPClientOptions extends SessionLimits {
  /** The key that the server holds for this device. */
  readonly psk: Key;
  /** Where the server is, such as `tcp://192.0.2.7:9000`; instead of `host`, `port` and `protocol`. */
  readonly url?: string;
  /** Name or address of the server; default `127.0.0.1`. */
  readonly host?: string;
  /** Default 9000. */
  readonly port?: number;
  /** Transport; default `tcp`. */
  readonly protocol?: 'tcp' | 'udp';
  /** IP address of this machine to connect from; default is what the system chooses. */
  readonly localAddress?: string;
  /** `aa:bb:cc:dd:ee:ff`, or six bytes; default random and locally administered, one for this client object. */
  readonly deviceId?: string | Uint8Array;
  /** For a whole handshake, once the connection is open; default 10,000. */
  readonly handshakeTimeout?: number;
  /** Send PING after this long without sending, or without hearing; default 30,000, 0 for never. */
  readonly keepaliveInterval?: number;
  /** Close the session when nothing was heard for this long; default 90,000, 0 for never. */
  readonly idleTimeout?: number;
  /** Is told the keys of its sessions, a line each, for `usmp decode`: whoever gets them can read and forge everything. */
  readonly dangerKeyLog?: KeyLog;
}

/** What `client.on` can listen to. */
export type USMPClientEvents = {
  connect: [session: USMPSession];
  /** The session is over; the error's code tells why. */
  disconnect: [session: USMPSession, error: USMPError];
};

const OPTION_NAMES = [
  'psk',
  'url',
  'host',
  'port',
  'protocol',
  'localAddress',
  'deviceId',
  'handshakeTimeout',
  'keepaliveInterval',
  'idleTimeout',
  'receiveQueue',
  'sendBacklog',
  'dangerKeyLog',
];

/**
 * Connects to a server.
 *
 * @example
 * ```ts
 * const client = new USMPClient({ host: '127.0.0.1', port: 9000, psk: 'your-psk-here-16+' });
 * const session = await client.connect();
 * await session.send('hello');
 * await session.close();
 * ```
 */
export class USMPClient {
  /** The device id that this client claims in every handshake. */
  readonly deviceId: string;
  readonly #server: ReturnType<typeof transportOf>;
  readonly #localAddress: string | undefined;
  readonly #psk: Uint8Array;
  readonly #deviceId: Uint8Array;
  readonly #settings: ConnectionSettings;
  readonly #sessionLimits: Required<SessionLimits>;
  readonly #deadlines = new Deadlines();
  readonly #emitter = new Emitter<USMPClientEvents>();
  #session: USMPSession | undefined;

  /** @throws {ArgumentError} an option cannot be used; the message says which and why */
  constructor(options: USMPClientOptions) {
    checkNames('USMPClient', options, OPTION_NAMES);
    if (options.psk === undefined)
      throw new ArgumentError('invalid_argument', 'psk is missing: give the key of this device');
    this.#server = findServer(options);
    this.#localAddress = ownAddress(options.localAddress);
    this.#psk = keyBytes(options.psk);
    this.#deviceId = deviceIdBytes(options.deviceId);
    this.deviceId = formatDeviceId(this.#deviceId);
    const {
      handshakeTimeout = limits.HANDSHAKE_TIMEOUT,
      keepaliveInterval = limits.KEEPALIVE_INTERVAL,
      idleTimeout = limits.CLIENT_IDLE_TIMEOUT,
    } = options;
    checkNumber('handshakeTimeout', handshakeTimeout);
    checkNumber('keepaliveInterval', keepaliveInterval);
    checkNumber('idleTimeout', idleTimeout);
    this.#settings = {
      crypto: nodeCrypto,
      handshakeTimeout,
      keepaliveInterval,
      idleTimeout,
      ...keyLogSetting(options.dangerKeyLog),
    };
    this.#sessionLimits = sessionLimits(options);
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
    const timer = setTimeout(
      () => aborter.abort(new USMPTimeoutError('connect_timeout')),
      Math.min(timeout, LONGEST_DELAY),
    );
    let link: Link;
    try {
      link = await this.#server.transport.connect(this.#server.url, {
        signal: aborter.signal,
        localAddress: this.#localAddress,
      });
    } finally {
      clearTimeout(timer);
    }
    const credentials = { deviceId: this.#deviceId, psk: this.#psk };
    const now = this.#deadlines.now();
    const connection = makeConnection(this.#server.transport, this.#settings, now, credentials);
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
    const { session } = new SessionDriver(peer, { ...event, deviceId: this.deviceId }, this.#sessionLimits, {
      sessionEnded: (driver, error) => this.#emitter.emit('disconnect', driver.session, error),
      sessionGone() {},
    });
    // At once, so that it comes before a `disconnect` that stands in the same bytes.
    this.#session = session;
    this.#emitter.emit('connect', session);
    return session;
  }
}

function findServer({ url, host, port, protocol }: USMPClientOptions): ReturnType<typeof transportOf> {
  if (url !== undefined && (host !== undefined || port !== undefined || protocol !== undefined)) {
    throw new ArgumentError('invalid_argument', 'give either url or host, port and protocol, not both');
  }
  const text = url ?? formatTransportURL(protocol ?? 'tcp', host ?? '127.0.0.1', port ?? DEFAULT_PORT);
  const server = transportOf(text);
  if (server.url.port === '0') {
    throw new ArgumentError('invalid_argument', `"${text}": port 0 cannot be connected to`);
  }
  return server;
}

function ownAddress(address: string | undefined): string | undefined {
  if (address === undefined || isIP(address) !== 0) return address;
  throw new ArgumentError(
    'invalid_argument',
    `localAddress is "${address}": give an IP address of this machine, such as 192.0.2.7`,
  );
}

function deviceIdBytes(deviceId: string | Uint8Array | undefined): Uint8Array {
  if (deviceId === undefined) {
    const random = nodeCrypto.randomBytes(DEVICE_ID_LENGTH);
    // Locally administered, not multicast (IEEE 802).
    random[0] = (random[0] & 0xfc) | 0x02;
    return random;
  }
  if (typeof deviceId === 'string') return parseDeviceId(deviceId);
  if (!(deviceId instanceof Uint8Array) || deviceId.length !== DEVICE_ID_LENGTH) {
    throw new ArgumentError('invalid_argument', 'deviceId must be aa:bb:cc:dd:ee:ff or six bytes');
  }
  return new Uint8Array(deviceId);
}
