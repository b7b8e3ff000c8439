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
import { checkNumber } from '../options.js';
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
  /** Close the session when nothing was heard for this long; default 90,000, 0 for never. */
  readonly idleTimeout?: number;
  /** Is told the keys of its sessions, a line each, for `usmp decode`: whoever gets them can read and forge everything. */
  readonly dangerKeyLog?: KeyLog;
}

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
}

/** The names of {@link ClientOptions}. */
export const CLIENT_OPTION_NAMES: readonly string[] = [
  'psk',
  'url',
  'deviceId',
  'handshakeTimeout',
  'keepaliveInterval',
  'idleTimeout',
  'receiveQueue',
  'sendBacklog',
  'dangerKeyLog',
];

/** @throws {ArgumentError} an option cannot be used; the message says which and why */
export function readClientOptions(
  { crypto, transports }: ClientPlatform,
  options: ClientOptions,
  url: string,
): ClientConfig {
  if (options.psk === undefined)
    throw new ArgumentError('invalid_argument', 'psk is missing: give the key of this device');
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
      idleTimeout: number('idleTimeout', options.idleTimeout, limits.CLIENT_IDLE_TIMEOUT),
      ...keyLogSetting(options.dangerKeyLog),
    },
    sessionLimits: sessionLimits(options),
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
