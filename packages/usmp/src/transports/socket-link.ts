/**
 * Links over the stream sockets of Node, whatever family of addresses they are of.
 *
 * @module
 */

import type net from 'node:net';
import type { AbortSignalLike } from '../waiting.js';
import type { Link, LinkHandler } from './transport.js';

/** Connections that the kernel holds while the process is busy: a fleet reconnects all at once. */
export const ACCEPT_BACKLOG = 4_096;

const HANDLER = Symbol('handler');

/** A socket that knows its handler, so that all sockets share the same listener functions. */
interface HandledSocket extends net.Socket {
  [HANDLER]?: LinkHandler;
}

/** A link that is a socket. What the peer is called depends on its family. */
export abstract class SocketLink implements Link {
  abstract readonly transport: string;
  abstract readonly peer: string;
  abstract readonly address: string;
  protected readonly socket: net.Socket;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  attach(handler: LinkHandler): void {
    const socket: HandledSocket = this.socket;
    socket[HANDLER] = handler;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  write(bytes: Uint8Array): boolean {
    return this.socket.writable ? this.socket.write(bytes) : true;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/**
 * Resolves when a server listens.
 *
 * @param explain turns an error of the system into what the promise rejects with
 */
export function listening(
  server: net.Server,
  options: net.ListenOptions,
  explain: (error: NodeJS.ErrnoException) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error)));
    server.listen({ backlog: ACCEPT_BACKLOG, ...options }, () => {
      server.removeAllListeners('error');
      // Running out of file descriptors must not end the server: the connection is lost, the next may succeed.
      server.on('error', () => {});
      resolve();
    });
  });
}

/**
 * Resolves when a socket that is being connected is open. An attempt that is aborted leaves no socket behind.
 *
 * @param connect opens it
 * @param explain turns an error of the system into what the promise rejects with
 */
export function connected(
  connect: () => net.Socket,
  signal: AbortSignalLike,
  explain: (error: NodeJS.ErrnoException) => Error,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect();
    const abort = () => {
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', abort);
      reject(explain(error));
    };
    signal.addEventListener('abort', abort);
    socket.once('error', fail);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
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
