/**
 * `HOST:PORT` of the HTTP server.
 *
 * @module
 */

import { BlockList, isIP, isIPv6 } from 'node:net';

export interface Endpoint {
  /** An IPv6 address without brackets. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Undefined for what is no `HOST:PORT`. An IPv6 address stands in brackets. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  return plain !== undefined && isHost(plain) ? { host: plain, port } : undefined;
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether nobody but this machine reaches that host. A name other than localhost is taken to be reached by others. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv4 address, or a name; what consists of digits and dots alone and is no address is a typo in one. */
function isHost(text: string): boolean {
  if (/^[0-9.]+$/.test(text)) return isIP(text) === 4;
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text);
}
