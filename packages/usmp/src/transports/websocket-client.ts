/**
 * Connecting to `ws://` and `wss://`, and what to do when that fails.
 *
 * @module
 */

import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import { HandshakeError, TransportError, type USMPError } from '../core/errors.js';
import { formatEndpoint, hostOf, portOf } from './address.js';
import { connectError } from './socket-errors.js';
import type { Link, LinkOptions, TransportURL } from './transport.js';
import { WEBSOCKET_OPTIONS, WebSocketLink } from './websocket-link.js';
import { printable } from './websocket-upgrade.js';

/**
 * @throws {TransportError} `unreachable`
 * @throws {HandshakeError} `turned_away`: somebody answers there who opens no WebSocket
 */
export async function connect(url: TransportURL, { signal, localAddress }: LinkOptions): Promise<Link> {
  if (signal.aborted) throw signal.reason;
  const { WebSocket } = await import('ws');
  if (signal.aborted) throw signal.reason;
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url.href, {
      ...WEBSOCKET_OPTIONS,
      // A name is looked up in the family of the address that it is reached from.
      ...(localAddress !== undefined && { localAddress, family: net.isIP(localAddress) }),
    });
    let socket: net.Socket;
    const fail = (reason: unknown) => {
      signal.removeEventListener('abort', abort);
      reject(reason);
      ws.terminate();
    };
    const abort = () => fail(signal.reason);
    signal.addEventListener('abort', abort);
    ws.on('error', (error) => fail(explain(url, localAddress, error)));
    ws.on('unexpected-response', (_, response) => fail(explainResponse(url, response)));
    ws.on('upgrade', (response) => {
      socket = response.socket;
    });
    ws.on('open', () => {
      signal.removeEventListener('abort', abort);
      ws.removeAllListeners();
      const link = new WebSocketLink(socket, 'connect');
      link.open(ws);
      resolve(link);
    });
  });
}

function explain(
  url: TransportURL,
  localAddress: string | undefined,
  error: NodeJS.ErrnoException,
): USMPError {
  const where = formatEndpoint(hostOf(url), portOf(url));
  const certificate = certificateProblem(url, error.code);
  if (certificate !== undefined)
    return new TransportError('unreachable', `cannot connect to ${where}: ${certificate}`, { cause: error });
  const why = noWebSocket(error);
  if (why === undefined) return connectError(url, localAddress, error);
  return new HandshakeError('turned_away', `${where} opens no WebSocket: ${why}`, { cause: error });
}

/** What speaks against a certificate, by the codes of OpenSSL and Node. */
function certificateProblem(url: TransportURL, code: string | undefined): string | undefined {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its certificate is of an authority that is not known here (${code}); name the file with that of a private authority in NODE_EXTRA_CA_CERTS, or let the server send its whole chain`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `its certificate is not valid at this time (${code}); renew it, or set the clock of this machine`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is for another name than ${hostOf(url)}; connect by a name that stands in it`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'no TLS is spoken there; is it a ws:// server, or the wrong port?';
    default:
      return undefined;
  }
}

/** Why somebody who can be connected to opens no WebSocket; undefined where there was no connection. */
function noWebSocket({ code, message }: NodeJS.ErrnoException): string | undefined {
  if (code === 'ECONNRESET')
    return 'it closed the connection; it is busy, or wants TLS (wss://), or is no USMP server on WebSockets';
  if (code?.startsWith('HPE_')) return `it speaks no HTTP (${code}); check the port`;
  return code === undefined ? `${message}; check port and path` : undefined;
}

/** Why there is no WebSocket, by the status of the HTTP response that came instead. */
function explainResponse(url: TransportURL, { statusCode = 0, headers }: IncomingMessage): USMPError {
  const where = formatEndpoint(hostOf(url), portOf(url)) + url.pathname;
  const message = `${where} opens no WebSocket: HTTP ${statusCode}, ${elsewhere(url, headers.location) ?? meaning(statusCode)}`;
  // A proxy that gets no answer from the server behind it.
  if (statusCode === 502 || statusCode === 504) return new TransportError('unreachable', message);
  return new HandshakeError('turned_away', message);
}

/** Redirects are not followed: who has the key says where it is to be shown. */
function elsewhere(url: TransportURL, location: string | undefined): string | undefined {
  if (location === undefined || !URL.canParse(location, url.href)) return undefined;
  return `it is to be found at ${printable(new URL(location, url.href).href)}; use that address`;
}

function meaning(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return 'access is denied; check the origins that the server allows, and what a proxy asks for';
    case 404:
      return 'nothing is at this path; check the path of the URL';
    case 429:
    case 503:
      return 'the server is busy; try again later';
    case 502:
    case 504:
      return 'the server behind the proxy does not answer; check that it runs and where the proxy looks for it';
    default:
      return 'this is no USMP server; check host, port and path, and that a proxy in between passes upgrades on';
  }
}
