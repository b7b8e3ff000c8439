/**
 * What a client can be told, checked and completed with the defaults.
 *
 * @module
 */

import type { ConnectionSettings } from '../core/connection.js';
import type { CryptoProvider } from '../core/crypto.js';
import { ArgumentError } from '../core/errors.js';
import { DEVICE_ID_LENGTH } from '../core/handshake.js';
import * as limits from '../core/limits.js';
import { parseDeviceId } from '../device-id.js';
import { type KeyLog, keyLogSetting } from '../key-log.js';
import { type Key, keyBytes } from '../keys.js';
import { checkNames, checkNumber } from '../options.js';
import type { SessionLimits } from '../session.js';
import { sessionLimits } from '../session-driver.js';
import type { FoundTransport, TransportRegistry } from '../transports/registry.js';

/** Options of clients on all platforms. All times are milliseconds. */
export interface ClientOptions extends SessionLimits {
  /** The key that the server holds for this device. */
  readonly psk: Key;
  /** Where the server is, such as `tcp://192.0.2.7:9000`. */
  readonly url?: string;
  /** `aa:bb:cc:dd:ee:ff`, or six bytes; default random and locally administered, one for this client object. */
  readonly deviceId?: string | Uint8Array;
  /** For a whole handshake, once the connection is open; default 10,000, on serial lines 30,000. */
  readonly handshakeTimeout?: number;
  /** Send PING after this long without sending, or without hearing; default 30,000, 0 for never. */
  readonly keepaliveInterval?: number;
  /** That PING is missed when nothing was heard for this long after it; default 20,000, 0 for never. */
  readonly keepaliveTimeout?: number;
  /** Missed PINGs in a row that are tolerated, each followed by another at once; default 2. */
  readonly keepaliveMisses?: number;
  /** Close the session when nothing was heard for this long; default 90,000, 0 for never. */
  readonly idleTimeout?: number;
  /** Whether to open another session whenever one ends by itself, and how; default false. */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Is told the keys of its sessions, a line each, for `usmp decode`: whoever gets them can read and forge everything. */
  readonly dangerKeyLog?: KeyLog;
}

/** How a client stays connected. All times are milliseconds. */
export interface ReconnectOptions {
  /** The wait before the first attempt is random, from 0 to this; each further attempt doubles it; default 500. */
  readonly base?: number;
  /** The longest wait is random from 0 to this; default 60,000. After `refused` it applies at once. */
  readonly cap?: number;
  /** A session that lasted this long lets the waits begin at `base` again; default 60,000. */
  readonly stableAfter?: number;
  /** Whether `connect()`, too, goes on until it has a first session, or gives up where its first attempt fails; default true. */
  readonly initial?: boolean;
  /** Bytes of messages that `client.send()` keeps while there is no session, 256 more for each; default 65,536, 0 for none. */
  readonly queueLimit?: number;
  /**
   * What happens to messages beyond that: `reject` (default) rejects the new one with `queue_full`, `dropOldest` rejects
   * the oldest that waits with `dropped`.
   */
  readonly queuePolicy?: QueuePolicy;
}

/** Which message has to go when the queue is full. */
export type QueuePolicy = 'reject' | 'dropOldest';

/** What a client finds where it runs. */
export interface ClientPlatform {
  readonly crypto: CryptoProvider;
  readonly transports: TransportRegistry;
}

/** The options, complete. */
export interface ClientConfig {
  readonly server: FoundTransport;
  /** What the client claims to be, and proves. */
  readonly credentials: { readonly deviceId: Uint8Array; readonly psk: Uint8Array };
  readonly settings: ConnectionSettings;
  readonly sessionLimits: Required<SessionLimits>;
  /** Undefined for a client that connects when it is told to, and only then. */
  readonly reconnect: Required<ReconnectOptions> | undefined;
}

/** The names of {@link ClientOptions}. */
export const CLIENT_OPTION_NAMES: readonly string[] = [
  'psk',
  'url',
  'deviceId',
  'handshakeTimeout',
  'keepaliveInterval',
  'keepaliveTimeout',
  'keepaliveMisses',
  'idleTimeout',
  'reconnect',
  'receiveQueue',
  'sendBacklog',
  'dangerKeyLog',
];

const RECONNECT_OPTION_NAMES = ['base', 'cap', 'stableAfter', 'initial', 'queueLimit', 'queuePolicy'];

/** @throws {ArgumentError} an option cannot be used; the message says which and why */
export function readClientOptions(
  { crypto, transports }: ClientPlatform,
  options: ClientOptions,
  url: string,
): ClientConfig {
  if (options.psk === undefined)
    throw new ArgumentError('invalid_argument', 'psk is missing: give the key of this device');
  const keepaliveTimeout = number('keepaliveTimeout', options.keepaliveTimeout, limits.KEEPALIVE_TIMEOUT);
  const server = transports.find(url, 'connect');
  const isSerial = server.transport.framing === 'serial';
  const handshakeTimeout = isSerial ? limits.SERIAL_HANDSHAKE_TIMEOUT : limits.HANDSHAKE_TIMEOUT;
  return {
    server,
    credentials: { deviceId: deviceIdBytes(options.deviceId, crypto), psk: keyBytes(options.psk) },
    settings: {
      crypto,
      handshakeTimeout: number('handshakeTimeout', options.handshakeTimeout, handshakeTimeout),
      keepaliveInterval: number('keepaliveInterval', options.keepaliveInterval, limits.KEEPALIVE_INTERVAL),
      ...(keepaliveTimeout > 0 && { keepaliveTimeout }),
      keepaliveMisses: number('keepaliveMisses', options.keepaliveMisses, limits.KEEPALIVE_MISSES),
      idleTimeout: number('idleTimeout', options.idleTimeout, limits.CLIENT_IDLE_TIMEOUT),
      ...keyLogSetting(options.dangerKeyLog),
    },
    sessionLimits: sessionLimits(options),
    reconnect: reconnectOptions(options.reconnect),
  };
}

function reconnectOptions(
  reconnect: boolean | ReconnectOptions = false,
): Required<ReconnectOptions> | undefined {
  if (reconnect === false) return undefined;
  const given = reconnect === true ? {} : reconnect;
  if (typeof given !== 'object' || given === null) {
    throw new ArgumentError(
      'invalid_argument',
      `reconnect is ${String(given)}: give true, false, or options such as { cap: 30_000 }`,
    );
  }
  checkNames('reconnect', given, RECONNECT_OPTION_NAMES);
  const { initial = true, queuePolicy = 'reject' } = given;
  if (typeof initial !== 'boolean') {
    throw new ArgumentError(
      'invalid_argument',
      `reconnect.initial is ${String(initial)}: give true or false`,
    );
  }
  if (queuePolicy !== 'reject' && queuePolicy !== 'dropOldest') {
    throw new ArgumentError(
      'invalid_argument',
      `reconnect.queuePolicy is "${String(queuePolicy)}": give "reject" or "dropOldest"`,
    );
  }
  return {
    base: number('reconnect.base', given.base, limits.RECONNECT_BASE),
    cap: number('reconnect.cap', given.cap, limits.RECONNECT_CAP),
    stableAfter: number('reconnect.stableAfter', given.stableAfter, limits.RECONNECT_STABLE_AFTER),
    initial,
    queueLimit: number('reconnect.queueLimit', given.queueLimit, limits.OFFLINE_QUEUE),
    queuePolicy,
  };
}

function number(name: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset;
  checkNumber(name, value);
  return value;
}

function deviceIdBytes(deviceId: string | Uint8Array | undefined, crypto: CryptoProvider): Uint8Array {
  if (deviceId === undefined) {
    const random = crypto.randomBytes(DEVICE_ID_LENGTH);
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
