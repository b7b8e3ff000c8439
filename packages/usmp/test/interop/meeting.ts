/** A session between one of ours and the released peer, with us in either role. */

import type { TestContext } from 'node:test';
import { USMPClient, USMPError, USMPServer, type USMPServerOptions, type USMPSession } from '#dist/index.js';
import { openProxy, type ProxyOptions, type UdpProxy } from '../support/udp-proxy.js';
import { until } from './deadline.js';
import { PeerError, ReleasedPeer } from './released-peer.js';

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

export interface DatagramMeetingOptions extends MeetingOptions {
  /** Whether messages have to come to the peer in order; where not, each must have four bytes or more. */
  readonly ordered?: boolean;
  /** How the proxy in between treats datagrams; without it, there is none. */
  readonly line?: Partial<ProxyOptions>;
}

export interface Meeting {
  readonly session: USMPSession;
  readonly peer: ReleasedPeer;
}

export interface DatagramMeeting extends Meeting {
  /** The one in between, if there is one. */
  readonly proxy: UdpProxy;
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

/** An open session over UDP, with us in that role. Over a bad line, it may take several attempts. */
export async function meetOverUdp(
  t: TestContext,
  python: string,
  role: Role,
  { host = '127.0.0.1', echo, ordered = true, line, ...limits }: DatagramMeetingOptions,
): Promise<DatagramMeeting> {
  const protocol = 'udp';
  // Ahead of everything else that is torn down: nobody would answer BYE any more, and that takes its time.
  const ours = new Set<USMPSession>();
  t.after(() => Promise.all([...ours].map((session) => session.close())));
  if (role === 'client') {
    const { peer, port } = await ReleasedPeer.serve(t, python, { host, psk: PSK, echo, protocol, ordered });
    const proxy = await openProxy(t, { server: udpUrl(host, port), ...line });
    const session = await persistently(async () => {
      const client = new USMPClient({
        url: proxy.url,
        psk: PSK,
        deviceId: DEVICE_ID,
        handshakeTimeout: ATTEMPT,
        ...limits,
      });
      return client.connect();
    });
    ours.add(session);
    proxy.beforeClose(() => session.close());
    await peer.sessionOf(session.id);
    return { session, peer, proxy };
  }
  const server = await listen(t, { listen: [udpUrl(host, 0)], psk: PSK, ...limits });
  const proxy = await openProxy(t, { server: server.urls[0]!, ...line });
  const peer = await ReleasedPeer.client(t, python);
  const sessions = new Map<string, USMPSession>();
  server.on('connect', (session) => sessions.set(session.id, session));
  const { sessionId } = await persistently(() =>
    peer.command('connect', {
      host: proxy.address,
      port: proxy.port,
      psk: PSK,
      deviceId: DEVICE_ID,
      echo,
      protocol,
      ordered,
      timeout: ATTEMPT / 1_000,
    }),
  );
  await until(
    () => sessions.has(sessionId),
    () => 'the session at our server',
  );
  return { session: sessions.get(sessionId)!, peer, proxy };
}

/** How long one attempt to connect over a bad line may take. Milliseconds. */
const ATTEMPT = 5_000;

const ATTEMPTS = 10;

/** The first success. A bad line may cost an attempt, and nothing else may. */
async function persistently<T>(connect: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (attempt === ATTEMPTS || !isForLackOfAnswers(error)) throw error;
    }
  }
}

function isForLackOfAnswers(error: unknown): boolean {
  if (error instanceof PeerError) return ['USMPTimeoutError', 'OSError'].includes(error.type);
  return error instanceof USMPError && ['handshake_timeout', 'refused'].includes(error.code);
}

function udpUrl(host: string, port: number): string {
  return `udp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A server of ours on a free port, which leaves its sessions to the test. */
export async function listen(t: TestContext, options: USMPServerOptions): Promise<USMPServer> {
  const server = new USMPServer({ ...(options.listen === undefined ? { port: 0 } : {}), ...options });
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
