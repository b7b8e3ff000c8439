/**
 * Which transport a URL means.
 *
 * @module
 */

import { parseTransportURL } from './address.js';
import { tcp } from './tcp.js';
import type { Transport } from './transport.js';
import { udp } from './udp.js';

const TRANSPORTS: Readonly<Record<string, Transport>> = { tcp, udp };

/**
 * Finds the transport of a URL.
 *
 * @throws {ArgumentError} the URL cannot be used; the message says what to write instead
 */
export function transportOf(text: string): { transport: Transport; url: URL } {
  const url = parseTransportURL(text, Object.keys(TRANSPORTS));
  return { transport: TRANSPORTS[url.protocol.slice(0, -1)], url };
}
