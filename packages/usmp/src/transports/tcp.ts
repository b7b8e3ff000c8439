/**
 * TCP over `node:net`, IPv4 and IPv6, without Nagle's delay.
 *
 * @module
 */

import net from 'node:net';
import {
  formatEndpoint,
  formatTransportURL,
  hostAndPortObjection,
  hostOf,
  limitKey,
  plainAddress,
  portOf,
} from './address.js';
import { connectError, listenError } from './socket-errors.js';
import { connected, listening, SocketLink } from './socket-link.js';
import type { Listener, Transport } from './transport.js';

/** `tcp://HOST:PORT`. */
export const tcp: Transport = {
  framing: 'stream',
  example: 'tcp://127.0.0.1:9000',
  objection: hostAndPortObjection,

  async listen(url, onLink) {
    const server = net.createServer({ noDelay: true }, (socket) => onLink(new TcpLink(socket)));
    await listening(server, { host: hostOf(url), port: portOf(url) }, (error) => listenError(url, error));
    return new TcpListener(server, hostOf(url));
  },

  async connect(url, { signal, localAddress }) {
    const connect = () =>
      net.connect({
        host: hostOf(url),
        port: portOf(url),
        noDelay: true,
        // A name is looked up in the family of the address that it is reached from.
        ...(localAddress !== undefined && { localAddress, family: net.isIP(localAddress) }),
      });
    return new TcpLink(await connected(connect, signal, (error) => connectError(url, localAddress, error)));
  },
};

class TcpListener implements Listener {
  readonly #server: net.Server;
  readonly url: string;

  constructor(server: net.Server, host: string) {
    this.#server = server;
    this.url = formatTransportURL('tcp', host, (server.address() as net.AddressInfo).port);
  }

  /** Without waiting for the open connections, which belong to their sessions. */
  async close(): Promise<void> {
    this.#server.close();
  }
}

/** One connection. */
export class TcpLink extends SocketLink {
  readonly transport = 'tcp';
  readonly #address: string;

  constructor(socket: net.Socket) {
    super(socket);
    // Asked for now: a socket that is closed does not know it any more. Undefined when the peer has gone already.
    this.#address = plainAddress(socket.remoteAddress ?? 'unknown');
  }

  get peer(): string {
    return formatEndpoint(this.#address, this.socket.remotePort ?? 0);
  }

  get address(): string {
    return limitKey(this.#address);
  }

  /** Lets the system find out, after `delay` milliseconds without a sign of life, whether the peer is still there. */
  keepAlive(delay: number): void {
    this.socket.setKeepAlive(true, delay);
  }
}
