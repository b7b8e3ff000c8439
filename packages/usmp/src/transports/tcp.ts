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
import type { Link, LinkHandler, Listener, Transport } from './transport.js';

/** Connections that the kernel holds while the process is busy: a fleet reconnects all at once. */
const ACCEPT_BACKLOG = 4_096;

/** `tcp://HOST:PORT`. */
export const tcp: Transport = {
  framing: 'stream',
  example: 'tcp://127.0.0.1:9000',
  objection: hostAndPortObjection,

  listen(url, onLink) {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ noDelay: true }, (socket) => onLink(new TcpLink(socket)));
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(url, error)));
      server.listen({ host: hostOf(url), port: portOf(url), backlog: ACCEPT_BACKLOG }, () => {
        server.removeAllListeners('error');
        // Running out of file descriptors must not end the server: the connection is lost, the next may succeed.
        server.on('error', () => {});
        resolve(new TcpListener(server, hostOf(url)));
      });
    });
  },

  connect(url, { signal, localAddress }) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const socket = net.connect({
        host: hostOf(url),
        port: portOf(url),
        noDelay: true,
        // A name is looked up in the family of the address that it is reached from.
        ...(localAddress !== undefined && { localAddress, family: net.isIP(localAddress) }),
      });
      const abort = () => {
        socket.destroy();
        reject(signal.reason);
      };
      const fail = (error: NodeJS.ErrnoException) => {
        signal.removeEventListener('abort', abort);
        reject(connectError(url, localAddress, error));
      };
      signal.addEventListener('abort', abort);
      socket.once('error', fail);
      socket.once('connect', () => {
        signal.removeEventListener('abort', abort);
        socket.removeListener('error', fail);
        resolve(new TcpLink(socket));
      });
    });
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

const HANDLER = Symbol('handler');

/** A socket that knows its handler, so that all sockets share the same listener functions. */
interface HandledSocket extends net.Socket {
  [HANDLER]?: LinkHandler;
}

/** One connection. */
export class TcpLink implements Link {
  readonly #socket: HandledSocket;
  readonly transport = 'tcp';
  readonly #address: string;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    // Asked for now: a socket that is closed does not know it any more. Undefined when the peer has gone already.
    this.#address = plainAddress(socket.remoteAddress ?? 'unknown');
  }

  get peer(): string {
    return formatEndpoint(this.#address, this.#socket.remotePort ?? 0);
  }

  get address(): string {
    return limitKey(this.#address);
  }

  /** Lets the system find out, after `delay` milliseconds without a sign of life, whether the peer is still there. */
  keepAlive(delay: number): void {
    this.#socket.setKeepAlive(true, delay);
  }

  attach(handler: LinkHandler): void {
    const socket = this.#socket;
    socket[HANDLER] = handler;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.writable ? this.#socket.write(bytes) : true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Views of a plain array cost half of those of a Buffer, and each frame takes several. */
function onData(this: HandledSocket, { buffer, byteOffset, byteLength }: Buffer): void {
  this[HANDLER]!.handleBytes(new Uint8Array(buffer, byteOffset, byteLength));
}

function onDrain(this: HandledSocket): void {
  this[HANDLER]!.handleDrain();
}

function onEnd(this: HandledSocket): void {
  this[HANDLER]!.handleEnd();
}

/** `close` follows and tells the rest. */
function onError(): void {}

function onClose(this: HandledSocket): void {
  this[HANDLER]!.handleClosed();
}
