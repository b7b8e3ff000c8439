/**
 * Where to listen and what to connect to: URLs, for people.
 *
 * @module
 */

import type { Role, TransportURL } from './transport.js';

/** The port of all transports unless told otherwise, but for those of the web. */
export const DEFAULT_PORT = 9000;

/** Ports that URLs of the web stand for when they name none. URL parsers leave them out even where they are written. */
const WEB_PORTS: Readonly<Record<string, number>> = { 'ws:': 80, 'wss:': 443 };

/**
 * The address of links whose peers are all at the same place, such as this machine. To share out places among addresses
 * says nothing there: a fleet behind one gateway would push itself out. So only the limits of the whole server hold.
 */
export const NO_ADDRESS = '';

/** Why a URL is not of the kind `scheme://HOST:PORT`, as many transports want it. */
export function hostAndPortObjection(url: TransportURL, role: Role): string | undefined {
  if (url.hostname === '') return 'it names no host';
  if (url.username || url.password || url.search || url.hash || !['', '/'].includes(url.pathname)) {
    return 'it holds more than transport, host and port';
  }
  return role === 'connect' && url.port === '0' ? 'port 0 cannot be connected to' : undefined;
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

/** The port of a URL; where it names none, 80 for `ws`, 443 for `wss` and 9000 for all others. */
export function portOf(url: TransportURL): number {
  return url.port === '' ? (WEB_PORTS[url.protocol] ?? DEFAULT_PORT) : Number(url.port);
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
