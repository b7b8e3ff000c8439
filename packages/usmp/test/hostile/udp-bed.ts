/** Servers on UDP for hostile clients, which end with the test that made them. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { USMPServerOptions, USMPSession } from '#dist/index.js';
import { echo, type LiveServer, nextSession, PSK, startServer, text } from '../server/live.js';
import {
  CHALLENGE,
  type RawDatagram,
  type RawDatagramSession,
  RawSocket,
  type RawSocketOptions,
  randomDeviceId,
  told,
} from '../support/raw-datagrams.js';

/** Where servers listen here. */
export const LISTEN = 'udp://127.0.0.1:0';

/** An echo server on UDP. */
export function startUDP(
  t: TestContext,
  options: Partial<USMPServerOptions> = {},
  handler: (session: USMPSession) => unknown = echo,
): Promise<LiveServer> {
  return startServer(t, handler, { listen: LISTEN, ...options });
}

export async function openSocket(
  t: TestContext,
  { port }: { readonly port: number },
  options: Omit<RawSocketOptions, 'port'> = {},
): Promise<RawSocket> {
  const socket = await RawSocket.open({ port, ...options });
  t.after(() => socket.close());
  return socket;
}

/** A hostile but authenticated client, and what the server's application received of it. Others get an echo. */
export interface Scene {
  readonly live: LiveServer;
  readonly socket: RawSocket;
  readonly session: RawDatagramSession;
  readonly there: USMPSession;
  readonly received: string[];
  readonly deviceId: string;
}

export async function scene(t: TestContext, options: Partial<USMPServerOptions> = {}): Promise<Scene> {
  const received: string[] = [];
  const deviceId = randomDeviceId();
  const live = await startUDP(t, options, async (session) => {
    if (session.deviceId !== deviceId) return echo(session);
    for await (const message of session) received.push(text(message));
  });
  const arriving = nextSession(live.server);
  const socket = await openSocket(t, live);
  const session = await socket.handshake({ psk: PSK, deviceId });
  return { live, socket, session, there: await arriving, received, deviceId };
}

export function assertNone(datagrams: readonly RawDatagram[], message: string): void {
  assert.deepEqual(datagrams.map(told), [], message);
}

/** Both directions still work. */
export async function assertAlive({ session, there }: Pick<Scene, 'session' | 'there'>): Promise<void> {
  await session.settle();
  await there.send('are you there?', { acknowledged: true });
  assert.equal(text(await session.receive()), 'are you there?');
  assert.equal(there.closed, false);
}

/** UTACKs aside, and CHALLENGE, which a busy machine may see again. */
export function assertNoFrames(datagrams: readonly RawDatagram[]): void {
  const frames = datagrams.filter(({ isAck, type }) => !isAck && type !== CHALLENGE);
  assert.deepEqual(frames.map(told), []);
}
