/** The other side of the commands under test, in this process. */

import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';
import { type Key, USMPClient, USMPServer, type USMPSession } from '#dist/index.js';
import { KEY } from './command.js';

export const DEVICE = '02:00:00:00:00:01';

/** A device that connects. */
export async function connect(
  t: TestContext,
  url: string,
  { psk = KEY, deviceId = DEVICE }: { psk?: Key; deviceId?: string } = {},
): Promise<USMPSession> {
  const session = await new USMPClient({ url, psk, deviceId }).connect();
  t.after(() => session.close());
  return session;
}

/** A USMP server. */
export async function listen(
  t: TestContext,
  handler: (session: USMPSession) => unknown,
  keys: Record<string, string> = { '*': KEY },
): Promise<string> {
  const server = new USMPServer({ listen: 'tcp://127.0.0.1:0', psk: keys });
  server.onSession(handler);
  await server.listen();
  t.after(() => server.close({ timeout: 0 }));
  return server.urls[0];
}

/** Something that is no USMP server. */
export async function listenOn(t: TestContext, server: net.Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

/** Sends everything back. */
export async function echo(session: USMPSession): Promise<void> {
  for await (const message of session) await session.send(message);
}

/** Keeps what it gets, and answers nothing. */
export function keep(into: string[]): (session: USMPSession) => Promise<void> {
  return async (session) => {
    for await (const message of session) into.push(Buffer.from(message).toString());
  };
}

/** Stands in the line between a client and a server. */
export interface Relay {
  readonly url: string;
  /** From now on nothing of the server arrives. */
  swallow(): void;
  /** Ends all connections without a word. */
  cut(): void;
  /** Sends the devices something that no server would. */
  spoil(): void;
}

/** A relay to `url`; one that is `stubborn` passes everything on but that a side has hung up. */
export async function relayTo(t: TestContext, url: string, { stubborn = false } = {}): Promise<Relay> {
  const sockets: net.Socket[] = [];
  const devices: net.Socket[] = [];
  let swallowing = false;
  const relay = net.createServer({ allowHalfOpen: stubborn }, (device) => {
    const line = net.connect({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      allowHalfOpen: stubborn,
    });
    devices.push(device);
    sockets.push(
      device.on('error', () => {}),
      line.on('error', () => {}),
    );
    device.pipe(line, { end: !stubborn });
    line.on('data', (bytes) => {
      if (!swallowing) device.write(bytes);
    });
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(cut);
  return {
    url: await listenOn(t, relay),
    swallow() {
      swallowing = true;
    },
    cut,
    spoil() {
      for (const device of devices.splice(0)) device.write('not a frame');
    },
  };
}
