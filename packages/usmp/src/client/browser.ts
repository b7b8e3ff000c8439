/**
 * The client in browsers.
 *
 * @module
 */

import { ArgumentError } from '../core/errors.js';
import { webCrypto } from '../crypto/web.js';
import { checkNames } from '../options.js';
import { browserTransports } from '../transports/browser.js';
import { Client } from './client.js';
import {
  CLIENT_OPTION_NAMES,
  type ClientOptions,
  type ClientPlatform,
  readClientOptions,
} from './options.js';

/** Options of a client in a browser. All times are milliseconds. */
export interface USMPClientOptions extends ClientOptions {
  /** Where the server is, such as `wss://usmp.example.org/`; `ws://` from pages that came over http. */
  readonly url: string;
}

const BROWSER: ClientPlatform = { crypto: webCrypto, transports: browserTransports };

/**
 * Connects to a server from a page or a worker.
 *
 * @example
 * ```ts
 * const client = new USMPClient({ url: 'wss://usmp.example.org/', psk: keyFromThePersonWhoSitsThere });
 * const session = await client.connect();
 * await session.send('hello');
 * await session.close();
 * ```
 */
export class USMPClient extends Client {
  /** @throws {ArgumentError} an option cannot be used; the message says which and why */
  constructor(options: USMPClientOptions) {
    checkNames('USMPClient', options, CLIENT_OPTION_NAMES);
    super(readClientOptions(BROWSER, options, urlOf(options)));
  }
}

/** Types are not checked everywhere, and a page has no address that could be the default. */
function urlOf({ url }: Partial<USMPClientOptions>): string {
  if (url !== undefined) return url;
  throw new ArgumentError(
    'invalid_argument',
    'url is missing: give the address of the server, such as wss://usmp.example.org/',
  );
}
