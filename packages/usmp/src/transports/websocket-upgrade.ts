/**
 * From an HTTP request to a WebSocket, at a server: `ws` answers with 101, and whoever asks wrongly is told what is
 * wrong and let go.
 *
 * @module
 */

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type net from 'node:net';
import type { WebSocketServer } from 'ws';
import { HandshakeError } from '../core/errors.js';
import { CLOSE_TIMEOUT } from '../core/limits.js';
import type { Link, Stray, Transport } from './transport.js';
import { WEBSOCKET_OPTIONS, WebSocketLink } from './websocket-link.js';

export type OnLink = (link: Link) => void;
export type OnStray = NonNullable<Parameters<Transport['listen']>[2]>;

/** The upgrades of one listener or attachment. */
export class Upgrades {
  readonly #onLink: OnLink;
  readonly #onStray: OnStray | undefined;
  /** Settles when `ws` is loaded, which only those who use WebSockets wait for. */
  readonly ready: Promise<WebSocketServer>;

  constructor(onLink: OnLink, onStray: OnStray | undefined) {
    this.#onLink = onLink;
    this.#onStray = onStray;
    this.ready = makeServer();
    // Whoever awaits it hears of it.
    this.ready.catch(() => {});
  }

  /** Makes the link of a connection that may become a WebSocket. Whoever gets it may drop it at once. */
  knock(socket: net.Socket): WebSocketLink {
    const link = new WebSocketLink(socket, 'listen', this.#onStray);
    this.#onLink(link);
    return link;
  }

  /** Answers a request for a WebSocket; `head` is what came behind it. */
  async take(request: IncomingMessage, socket: net.Socket, head: Buffer, link: WebSocketLink): Promise<void> {
    try {
      const server = await this.ready;
      if (socket.destroyed) return;
      let opened = false;
      server.handleUpgrade(request, socket, head, (ws) => {
        opened = true;
        link.open(ws);
      });
      if (!opened) this.report(link, 'a request for an upgrade that is none to a WebSocket');
    } catch (error) {
      this.refuse(link, socket, 500, `the upgrade failed: ${(error as Error).message}`);
    }
  }

  /** Answers with an HTTP status, hangs up, and tells the server why. */
  refuse(stray: Stray, socket: net.Socket, status: number, why: string): void {
    answer(socket, status, why);
    this.report(stray, why);
  }

  report(stray: Stray, why: string): void {
    this.#onStray?.(stray, new HandshakeError('unexpected_frame', why));
  }
}

async function makeServer(): Promise<WebSocketServer> {
  const { WebSocketServer } = await import('ws');
  return new WebSocketServer({ ...WEBSOCKET_OPTIONS, noServer: true, clientTracking: false });
}

/** Sends an HTTP response over a socket that no HTTP server looks after any more, and hangs up. */
export function answer(socket: net.Socket, status: number, message: string): void {
  socket.on('error', () => {});
  if (!socket.writable) return void socket.destroy();
  const body = `${message}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // For a peer that does not read.
  socket.setTimeout(CLOSE_TIMEOUT, socket.destroy);
  socket.once('finish', socket.destroy);
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Characters of a header that are repeated in messages. */
const MAX_QUOTED = 100;

/** What somebody sent, as it can be logged: short, and in plain characters. */
export function printable(text: string): string {
  return text.slice(0, MAX_QUOTED).replace(/[^\x20-\x7e]/g, '?');
}

/** The path of a request, without its query. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  // Only requests to proxies name more than the path (RFC 9112 §3.2).
  const path = url.startsWith('/') || !URL.canParse(url) ? url : new URL(url).pathname;
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
