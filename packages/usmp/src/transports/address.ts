/**
 * Where to listen and what to connect to: URLs, for people.
 *
 * @module
 */

import { ArgumentError } from '../core/errors.js';
import type { TransportURL } from './transport.js';

/** The port of all transports unless told otherwise. */
export const DEFAULT_PORT = 9000;

/**
 * Parses a transport URL such as `tcp://192.0.2.7:9000`, `tcp://[::]:9000`, or `tcp://host` for port 9000.
 *
 * @throws {ArgumentError} with what to write instead
 */
export function parseTransportURL(text: string, schemes: readonly string[]): URL {
  const known = schemes.map((scheme) => `${scheme}://`).join(', ');
  const hint = `write it like ${schemes[0]}://127.0.0.1:9000`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ArgumentError('invalid_argument', `"${text}" is not a URL: ${hint}`);
  }
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.includes(scheme)) {
    const missing = text.includes('://')
      ? `unknown transport "${scheme}", known: ${known}`
      : 'the transport is missing';
    throw new ArgumentError('invalid_argument', `"${text}": ${missing}; ${hint}`);
  }
  if (url.hostname === '') throw new ArgumentError('invalid_argument', `"${text}" names no host: ${hint}`);
  if (url.username || url.password || url.search || url.hash || !['', '/'].includes(url.pathname)) {
    throw new ArgumentError(
      'invalid_argument',
      `"${text}" holds more than transport, host and port: ${hint}`,
    );
  }
  return url;
}

/** A transport URL from its parts; an IPv6 address gets its brackets. */
export function formatTransportURL(scheme: string, host: string, port: number): string {
  return `${scheme}://${formatEndpoint(host, port)}`;
}

/** `host:port`, or `[host]:port` for IPv6. */
export function formatEndpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host of a URL as sockets take it: IPv6 without brackets. */
export function hostOf(url: TransportURL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The port of a URL; 9000 where it names none. */
export function portOf(url: TransportURL): number {
  return url.port === '' ? DEFAULT_PORT : Number(url.port);
}

/** An IPv4 address that a dual-stack socket shows as IPv6 (`::ffff:192.0.2.7`) in its own notation. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/**
 * What limits count by: one IPv4 address, or one /64 of IPv6, of which a single host commonly owns all addresses.
 */
export function limitKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head, tail] = address.split('%')[0].split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length < Math.min(4, 8 - after)) groups.push('0');
    if (groups.length < 4) groups.push(...tail.split(':').slice(0, 4 - groups.length));
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
