/**
 * What a server can be told, checked and completed with the defaults.
 *
 * @module
 */

import type { ConnectionSettings } from '../core/connection.js';
import { ArgumentError } from '../core/errors.js';
import * as limits from '../core/limits.js';
import { nodeCrypto } from '../crypto/node.js';
import { type KeyLog, keyLogSetting } from '../key-log.js';
import { type KeyRing, makeKeyRing, type PSK } from '../keys.js';
import type { Logger } from '../logger.js';
import { checkNames, checkNumber } from '../options.js';
import type { SessionLimits } from '../session.js';
import { sessionLimits } from '../session-driver.js';
import { DEFAULT_PORT, formatTransportURL } from '../transports/address.js';
import { nodeTransports } from '../transports/node.js';
import type { Framing } from '../transports/transport.js';
import type { BackoffOptions } from './admission.js';

/** Options of a server. All times are milliseconds. */
export interface USMPServerOptions extends SessionLimits {
  /** The keys: one for all devices, a map by device id, or a function. */
  readonly psk: PSK;
  /** Address to listen on; default `0.0.0.0`, all IPv4 addresses of the machine (`::` for IPv6 too). */
  readonly host?: string;
  /** Port to listen on; default 9000, 0 for any free one. */
  readonly port?: number;
  /** Instead of `host` and `port`: URLs such as `tcp://0.0.0.0:9000`; none for a server that is only attached. */
  readonly listen?: string | readonly string[];
  /** For a whole handshake, from the accepted connection, on serial lines from HELLO; default 10,000, there 30,000. */
  readonly handshakeTimeout?: number;
  /** Close a session that nothing was heard of for this long; default 60,000, 0 for never. */
  readonly idleTimeout?: number;
  /** Send PING after this long without sending; default 0: clients do that. */
  readonly keepaliveInterval?: number;
  /** Open sessions; default 20,000. */
  readonly maxSessions?: number;
  /** Open sessions from one address; default unlimited. */
  readonly maxSessionsPerAddress?: number;
  /** Handshakes at a time; default 1,024. The oldest gives way. */
  readonly maxHalfOpen?: number;
  /** Handshakes at a time from one address; default 256. */
  readonly maxHalfOpenPerAddress?: number;
  /** The wait of those who fail again and again. */
  readonly backoff?: BackoffOptions;
  /** Where to say what happens; default nowhere. */
  readonly logger?: Logger;
  /** Is told all keys of all sessions, a line each, for `usmp decode`: whoever gets them can read and forge everything. */
  readonly dangerKeyLog?: KeyLog;
}

/** The same, complete. */
export interface ServerConfig {
  readonly urls: readonly string[];
  readonly keyRing: KeyRing;
  /** Those of connections, by how their transport frames what they say. */
  readonly settings: Readonly<Record<Framing, ConnectionSettings>>;
  readonly sessionLimits: Required<SessionLimits>;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly maxHalfOpen: number;
  readonly maxHalfOpenPerAddress: number;
  readonly backoff: Required<BackoffOptions>;
  readonly logger: Logger | undefined;
}

const OPTION_NAMES = [
  'psk',
  'host',
  'port',
  'listen',
  'handshakeTimeout',
  'idleTimeout',
  'keepaliveInterval',
  'maxSessions',
  'maxSessionsPerAddress',
  'maxHalfOpen',
  'maxHalfOpenPerAddress',
  'receiveQueue',
  'sendBacklog',
  'backoff',
  'logger',
  'dangerKeyLog',
];

/** @throws {ArgumentError} an option cannot be used; the message says which and why */
export function readOptions(options: USMPServerOptions): ServerConfig {
  checkNames('USMPServer', options, OPTION_NAMES);
  const { backoff = {}, maxSessionsPerAddress = Number.POSITIVE_INFINITY } = options;
  checkNames('backoff', backoff, ['after', 'base', 'cap']);
  return {
    urls: listenURLs(options),
    keyRing: makeKeyRing(options.psk),
    settings: connectionSettings(options),
    sessionLimits: sessionLimits(options),
    maxSessions: number('maxSessions', options.maxSessions ?? limits.MAX_SESSIONS, 1),
    maxSessionsPerAddress: number('maxSessionsPerAddress', maxSessionsPerAddress, 1),
    maxHalfOpen: number('maxHalfOpen', options.maxHalfOpen ?? limits.MAX_HALF_OPEN, 1),
    maxHalfOpenPerAddress: number(
      'maxHalfOpenPerAddress',
      options.maxHalfOpenPerAddress ?? limits.MAX_HALF_OPEN_PER_ADDRESS,
      1,
    ),
    backoff: {
      after: number('backoff.after', backoff.after ?? limits.BACKOFF_AFTER, 1),
      base: number('backoff.base', backoff.base ?? limits.BACKOFF_BASE),
      cap: number('backoff.cap', backoff.cap ?? limits.BACKOFF_CAP),
    },
    logger: options.logger,
  };
}

function connectionSettings(options: USMPServerOptions): Record<Framing, ConnectionSettings> {
  const settings = {
    crypto: nodeCrypto,
    handshakeTimeout: number('handshakeTimeout', options.handshakeTimeout ?? limits.HANDSHAKE_TIMEOUT),
    keepaliveInterval: number('keepaliveInterval', options.keepaliveInterval ?? 0),
    idleTimeout: number('idleTimeout', options.idleTimeout ?? limits.SERVER_IDLE_TIMEOUT),
    decoyKey: nodeCrypto.randomBytes(32),
    ...keyLogSetting(options.dangerKeyLog),
  };
  const handshakeTimeout = options.handshakeTimeout ?? limits.SERIAL_HANDSHAKE_TIMEOUT;
  return { stream: settings, datagram: settings, serial: { ...settings, handshakeTimeout } };
}

function listenURLs({ host, port, listen }: USMPServerOptions): readonly string[] {
  if (listen !== undefined && (host !== undefined || port !== undefined)) {
    throw new ArgumentError('invalid_argument', 'give either listen or host and port, not both');
  }
  const urls = listen ?? formatTransportURL('tcp', host ?? '0.0.0.0', port ?? DEFAULT_PORT);
  const list = typeof urls === 'string' ? [urls] : [...urls];
  for (const url of list) nodeTransports.find(url, 'listen');
  return list;
}

function number(name: string, value: number, min = 0): number {
  checkNumber(name, value, min);
  return value;
}
