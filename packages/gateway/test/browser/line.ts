/** A line between the browser and the gateway that can be cut. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface Line {
  /** Of the gateway, through the line. */
  readonly url: string;
  /** Drops all connections, and those that come. */
  cut(): void;
  mend(): void;
}

/** @param target URL that the line leads to */
export async function lineTo(t: TestContext, target: string): Promise<Line> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  const drop = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const relay = createServer((here) => {
    if (isCut) return void here.resetAndDestroy();
    const there = connect(Number(port), hostname);
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
    drop();
    relay.close();
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut() {
      isCut = true;
      drop();
    },
    mend() {
      isCut = false;
    },
  };
}
