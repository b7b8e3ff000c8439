/** A session between one of ours and the released peer, with us in either role. */

import type { TestContext } from 'node:test';
import { USMPClient, USMPServer, type USMPServerOptions, type USMPSession } from '#dist/index.js';
import { ReleasedPeer } from './released-peer.js';

export const PSK = 'correct-horse-battery';
export const DEVICE_ID = '02:00:00:00:00:2a';

/** What we are. */
export type Role = 'server' | 'client';

export const ROLES: readonly Role[] = ['server', 'client'];

export interface MeetingOptions {
  /** Loopback address; default 127.0.0.1. */
  readonly host?: string;
  /** Whether the peer sends back what it gets; otherwise it checks that and counts. */
  readonly echo: boolean;
  /** Unread bytes that our session takes. */
  readonly receiveQueue?: number;
}

export interface Meeting {
  readonly session: USMPSession;
  readonly peer: ReleasedPeer;
}

/** An open session, with us in that role. All of it is gone after the test. */
export async function meet(
  t: TestContext,
  python: string,
  role: Role,
  { host = '127.0.0.1', echo, ...ours }: MeetingOptions,
): Promise<Meeting> {
  if (role === 'client') {
    const { peer, port } = await ReleasedPeer.serve(t, python, { host, psk: PSK, echo });
    const client = new USMPClient({ host, port, psk: PSK, deviceId: DEVICE_ID, ...ours });
    t.after(() => client.disconnect());
    const session = await client.connect();
    await peer.event('session');
    return { session, peer };
  }
  const server = await listen(t, { host, psk: PSK, ...ours });
  const peer = await ReleasedPeer.client(t, python);
  const opened = nextSession(server);
  await peer.command('connect', { ...addressOf(server), psk: PSK, deviceId: DEVICE_ID, echo });
  return { session: await opened, peer };
}

/** A server of ours on a free port, which leaves its sessions to the test. */
export async function listen(t: TestContext, options: USMPServerOptions): Promise<USMPServer> {
  const server = new USMPServer({ port: 0, ...options });
  server.onSession(
    (session) =>
      new Promise<void>((resolve) => {
        server.on('disconnect', (ended) => {
          if (ended === session) resolve();
        });
      }),
  );
  t.after(() => server.close({ timeout: 0 }));
  await server.listen();
  return server;
}

export function addressOf(server: USMPServer): { host: string; port: number } {
  const { hostname, port } = new URL(server.urls[0]);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

export function nextSession(server: USMPServer): Promise<USMPSession> {
  return new Promise((resolve) => {
    const remove = server.on('connect', (session) => {
      remove();
      resolve(session);
    });
  });
}
