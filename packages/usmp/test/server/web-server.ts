/** HTTP and HTTPS servers of an application, which end with the test that made them. */

import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { repository } from '../package/paths.js';

/** An HTTP server that says hello on every path. */
export interface WebServer {
  readonly server: http.Server;
  readonly port: number;
  /** For a client: the URL of a path. */
  url(path?: string): string;
}

const hello: http.RequestListener = (_, response) => response.end('hello');

export function startWebServer(t: TestContext): Promise<WebServer> {
  return started(t, http.createServer(hello), 'ws://127.0.0.1');
}

/** With a certificate of its own authority, in `cert`, for localhost. */
export async function startSecureServer(t: TestContext): Promise<WebServer & { cert: string }> {
  const { makeIdentity } = await import(new URL('bench/certificate.js', `file://${repository}`).href);
  const identity: { key: string; cert: string } = makeIdentity();
  const web = await started(t, https.createServer(identity, hello), 'wss://localhost');
  return { ...web, cert: identity.cert };
}

async function started(t: TestContext, server: http.Server, origin: string): Promise<WebServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  return { server, port, url: (path = '/') => `${origin}:${port}${path}` };
}
