/**
 * Listening on `ws://`: an HTTP server that knows nothing but upgrades. Links are made when the TCP connection is
 * accepted, so that limits and deadlines of handshakes hold for clients that are slow with their HTTP as well.
 *
 * @module
 */

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type net from 'node:net';
import { MAX_HTTP_FIELDS, MAX_HTTP_HEADER } from '../core/limits.js';
import { formatTransportURL, hostOf, portOf } from './address.js';
import { listenError } from './socket-errors.js';
import { listening } from './socket-link.js';
import type { Listener, TransportURL } from './transport.js';
import { linkOf } from './websocket-link.js';
import { type OnLink, type OnStray, pathOf, printable, Upgrades } from './websocket-upgrade.js';

/** @throws {TransportError} `address_in_use`, `unreachable` */
export async function listen(url: TransportURL, onLink: OnLink, onStray?: OnStray): Promise<Listener> {
  const upgrades = new Upgrades(onLink, onStray);
  await upgrades.ready;
  const listener = new WebSocketListener(url, upgrades);
  await listener.open();
  return listener;
}

class WebSocketListener implements Listener {
  /** Known when it is open. */
  url = '';
  readonly #url: TransportURL;
  readonly #upgrades: Upgrades;
  readonly #server = http.createServer({ maxHeaderSize: MAX_HTTP_HEADER, requireHostHeader: false });
  /** Sockets whose request has been refused; more may come behind it. */
  readonly #refused = new WeakSet<net.Socket>();

  constructor(url: TransportURL, upgrades: Upgrades) {
    this.#url = url;
    this.#upgrades = upgrades;
    const server = this.#server;
    server.on('connection', (socket) => upgrades.knock(socket));
    server.maxHeadersCount = MAX_HTTP_FIELDS;
    for (const event of ['request', 'checkContinue', 'checkExpectation'])
      server.on(event, (request, response) => this.#onRequest(request, response));
    server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket as net.Socket, head));
    server.on('clientError', (error, socket) => this.#onBadRequest(error, socket as net.Socket));
  }

  async open(): Promise<void> {
    const where = { host: hostOf(this.#url), port: portOf(this.#url) };
    await listening(this.#server, where, (error) => listenError(this.#url, error));
    const { port } = this.#server.address() as net.AddressInfo;
    const { pathname } = this.#url;
    this.url = formatTransportURL('ws', where.host, port) + (pathname === '/' ? '' : pathname);
  }

  /** Without waiting for the open connections, which belong to their sessions. */
  async close(): Promise<void> {
    this.#server.close();
  }

  #onUpgrade(request: IncomingMessage, socket: net.Socket, head: Buffer): void {
    const link = linkOf(socket)!;
    const path = pathOf(request);
    const { pathname } = this.#url;
    if (this.#refused.has(socket)) socket.destroy();
    else if (pathname === '/' || path === pathname) void this.#upgrades.take(request, socket, head, link);
    else this.#upgrades.refuse(link, socket, 404, `no USMP server at ${printable(path)}`);
  }

  #onRequest({ method, socket }: IncomingMessage, response: ServerResponse): void {
    this.#refused.add(socket);
    const headers = { Connection: 'Upgrade, close', Upgrade: 'websocket', 'Content-Type': 'text/plain' };
    response.writeHead(426, headers).end('A USMP server speaks over WebSockets only.\n');
    this.#upgrades.report(linkOf(socket)!, `a plain HTTP request (${method}) that asks for no WebSocket`);
  }

  /** Not HTTP, too much of it, or none in time. */
  #onBadRequest(error: NodeJS.ErrnoException, socket: net.Socket): void {
    if (error.code === 'ECONNRESET' || this.#refused.has(socket)) return void socket.destroy();
    this.#refused.add(socket);
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    this.#upgrades.refuse(linkOf(socket)!, socket, status, `no request for a WebSocket: ${error.message}`);
  }
}
