/**
 * WebSocket over the package `ws`: `ws://` both ways, `wss://` for clients. The bytes of a session go in binary
 * messages, cut anywhere.
 *
 * @module
 */

import type { Role, Transport, TransportURL } from './transport.js';
import { connect } from './websocket-client.js';
import { listen } from './websocket-listener.js';

/** `ws://HOST[:PORT][/PATH]`. */
export const ws: Transport = {
  framing: 'stream',
  example: 'ws://127.0.0.1:8080/usmp',
  objection,
  listen,
  connect,
};

/** `wss://HOST[:PORT][/PATH]`, the same over TLS. Its servers are HTTPS servers, and those of the application. */
export const wss: Transport = {
  framing: 'stream',
  example: 'wss://gateway.example/usmp',
  objection: (url, role) => (role === 'listen' ? NO_LISTENER : objection(url, role)),
  listen: () => Promise.reject(new Error(NO_LISTENER)),
  connect,
};

const NO_LISTENER =
  'certificates are the business of an HTTPS server, to which server.attach() adds this one; or a proxy in front of ws:// does TLS';

function objection(url: TransportURL, role: Role): string | undefined {
  if (url.hostname === '') return 'it names no host';
  if (url.username || url.password) return 'it holds a name or password; devices are known by their keys';
  if (url.hash) return 'it holds a fragment (#), which no server gets to see';
  if (role === 'listen')
    return url.search ? 'it holds a query (?), which a listener does not look at' : undefined;
  return url.port === '0' ? 'port 0 cannot be connected to' : undefined;
}
