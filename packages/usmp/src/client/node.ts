/**
 * The client on Node.
 *
 * @module
 */

import { isIP } from 'node:net';
import { ArgumentError } from '../core/errors.js';
import { nodeCrypto } from '../crypto/node.js';
import { checkNames } from '../options.js';
import { DEFAULT_PORT, formatTransportURL } from '../transports/address.js';
import { nodeTransports } from '../transports/node.js';
import { Client } from './client.js';
import {
  CLIENT_OPTION_NAMES,
  type ClientOptions,
  type ClientPlatform,
  readClientOptions,
} from './options.js';

/** Options of a client. All times are milliseconds. */
export interface USMPClientOptions extends ClientOptions {
  /** Where the server is, such as `tcp://192.0.2.7:9000`; instead of `host`, `port` and `protocol`. */
  readonly url?: string;
  /** Name or address of the server; default `127.0.0.1`. */
  readonly host?: string;
  /** Default 9000. */
  readonly port?: number;
  /** Transport; default `tcp`. */
  readonly protocol?: 'tcp' | 'udp' | 'ws' | 'wss' | 'serial+tcp';
  /** IP address of this machine to connect from; default is what the system chooses. */
  readonly localAddress?: string;
}

const OPTION_NAMES = [...CLIENT_OPTION_NAMES, 'host', 'port', 'protocol', 'localAddress'];

const NODE: ClientPlatform = { crypto: nodeCrypto, transports: nodeTransports };

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
export class USMPClient extends Client {
  /** @throws {ArgumentError} an option cannot be used; the message says which and why */
  constructor(options: USMPClientOptions) {
    checkNames('USMPClient', options, OPTION_NAMES);
    super(readClientOptions(NODE, options, urlOf(options)), ownAddress(options.localAddress));
  }
}

function urlOf({ url, host, port, protocol }: USMPClientOptions): string {
  if (url !== undefined && (host !== undefined || port !== undefined || protocol !== undefined)) {
    throw new ArgumentError('invalid_argument', 'give either url or host, port and protocol, not both');
  }
  return url ?? formatTransportURL(protocol ?? 'tcp', host ?? '127.0.0.1', port ?? DEFAULT_PORT);
}

function ownAddress(address: string | undefined): string | undefined {
  if (address === undefined || isIP(address) !== 0) return address;
  throw new ArgumentError(
    'invalid_argument',
    `localAddress is "${address}": give an IP address of this machine, such as 192.0.2.7`,
  );
}
