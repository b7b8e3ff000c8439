/** Servers that pages can reach, and lines to them that can be cut. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { USMPServerOptions, USMPSession } from '#dist/index.js';
import { type LiveServer, startServer } from '../server/live.js';

/** Starts a server whose `url` pages can connect to. */
export function startWebServer(
  t: TestContext,
  handler?: (session: USMPSession) => unknown,
  options: Partial<USMPServerOptions> = {},
): Promise<LiveServer> {
  return startServer(t, handler, { listen: 'ws://127.0.0.1:0', ...options });
}

/** Relays connections, until they are cut. */
export interface Line {
  /** What to connect to. */
  readonly url: string;
  /** How many connections there are. */
  readonly open: number;
  /** New connections lead to another URL from now on. */
  redirect(url: string): void;
  /** Drops all connections without a word. */
  cut(): void;
}

/** A line to a WebSocket URL. */
export async function lineTo(t: TestContext, url: string): Promise<Line> {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const relay = createServer((here) => {
    const there = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [here, there],
      [there, here],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  t.after(() => {
    cut();
    relay.close();
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    get open() {
      return sockets.size / 2;
    },
    redirect(another) {
      target = new URL(another);
    },
    cut,
  };
}
