/**
 * What the errors of the system's sockets mean, and what to do about them.
 *
 * @module
 */

import { TransportError } from '../core/errors.js';
import { formatEndpoint, hostOf, portOf } from './address.js';
import type { TransportURL } from './transport.js';

/** What to do about EMFILE and ENFILE, whichever kind of socket it was. */
export const NO_DESCRIPTOR =
  'no file descriptor is free; raise the limit (ulimit -n) or open fewer connections';

/** Why nobody can connect there. */
export function listenError(url: TransportURL, error: NodeJS.ErrnoException): TransportError {
  const where = formatEndpoint(hostOf(url), portOf(url));
  switch (error.code) {
    case 'EADDRINUSE':
      return new TransportError(
        'address_in_use',
        `${where} is in use: stop the other program or choose another port`,
        {
          cause: error,
        },
      );
    case 'EACCES':
      return new TransportError(
        'unreachable',
        `no permission to listen on ${where}: choose a port above 1023`,
        {
          cause: error,
        },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new TransportError(
        'unreachable',
        `${where} is no address of this machine: try 0.0.0.0 for all of them`,
        {
          cause: error,
        },
      );
    default:
      return new TransportError('unreachable', `cannot listen on ${where}: ${error.message}`, {
        cause: error,
      });
  }
}

/** Why there is no connection. */
export function connectError(
  url: TransportURL,
  localAddress: string | undefined,
  error: NodeJS.ErrnoException,
): TransportError {
  const where = formatEndpoint(hostOf(url), portOf(url));
  const from = localAddress === undefined ? '' : ` from ${localAddress}`;
  return new TransportError('unreachable', `cannot connect to ${where}${from}: ${explainConnect(error)}`, {
    cause: error,
  });
}

function explainConnect(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'nothing listens there; is the server running, and is it this port?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name is not known; check its spelling and the DNS';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no answer; check the address, the network and the firewall';
    case 'EADDRNOTAVAIL':
      return 'no such address or no free port on this machine; check localAddress';
    case 'EINVAL':
    case 'EAFNOSUPPORT':
      return 'the two addresses do not go together; give both as IPv4 or both as IPv6';
    case 'EMFILE':
    case 'ENFILE':
      return NO_DESCRIPTOR;
    default:
      return error.message || (error.code ?? 'unknown reason');
  }
}
