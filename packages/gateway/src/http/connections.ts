/**
 * The end of connections when the server ends.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * When the server is closed, connections on which no request is under way are closed at once: those that a browser has
 * opened in advance and never used would hold it up for a minute otherwise.
 */
export function closeUnused(app: FastifyInstance): void {
  const open = new Set<Socket>();
  const busy = new Set<Socket>();
  const opened = (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  const { server } = app;
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', opened);
  server.on('request', ({ socket }: IncomingMessage, answer: ServerResponse) => {
    busy.add(socket);
    answer.once('close', () => busy.delete(socket));
  });
  app.addHook('preClose', async () => {
    for (const socket of open) if (!busy.has(socket)) socket.destroy();
  });
}
