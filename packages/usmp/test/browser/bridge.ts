/** A WebSocket in front of a TCP listener: what comes in binary messages goes there as a stream, and back. */

import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { pipeline } from 'node:stream';
import type { TestContext } from 'node:test';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** Listens on a free port of 127.0.0.1. Returns its URL. */
export async function bridgeTo(t: TestContext, target: number): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(426).end());
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (socket) => {
    const outside = createWebSocketStream(socket);
    const inside = connect({ port: target, host: '127.0.0.1', noDelay: true });
    pipeline(outside, inside, outside, () => socket.terminate());
  });
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
