/** Sessions over UDP between two of ours, with a line in between that treats datagrams badly. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  USMPClient,
  type USMPClientOptions,
  USMPError,
  type USMPServerOptions,
  type USMPSession,
} from '#dist/index.js';
import { messageOf } from '../interop/traffic.js';
import { eventually, type LiveServer, PSK, park, startServer } from '../server/live.js';
import { openProxy, type ProxyOptions, type UdpProxy } from '../support/udp-proxy.js';

/** How long anything may take on a busy machine with a bad line. Milliseconds. */
export const PATIENCE = 120_000;

/** Attempts to connect: half of the exchanges may fail, and an attempt has many tries of each. */
const ATTEMPTS = 10;

/** How an attempt to connect may fail for want of answers. */
const UNANSWERED: readonly string[] = ['handshake_timeout', 'refused'];

/** Messages of every kind: empty, of one frame, of several. */
export const MIXED = [64, 0, 452, 1, 453, 200, 1808, 30];

/** How a session may end once one of its sides has given up. */
const ENDINGS: readonly string[] = ['not_acknowledged', 'bye', 'closed', 'idle_timeout'];

export type Line = Partial<ProxyOptions>;

export interface BedOptions {
  readonly line?: Line;
  readonly host?: string;
  readonly server?: Partial<USMPServerOptions>;
  readonly client?: Partial<USMPClientOptions>;
}

export interface Bed {
  readonly live: LiveServer;
  readonly proxy: UdpProxy;
  /** At the client. */
  readonly here: USMPSession;
  /** At the server. */
  readonly there: USMPSession;
}

/** A server behind a bad line. */
export async function openServer(
  t: TestContext,
  { line, host = '127.0.0.1', server }: BedOptions,
): Promise<{ live: LiveServer; proxy: UdpProxy }> {
  const listen = [`udp://${host.includes(':') ? `[${host}]` : host}:0`];
  const live = await startServer(t, park, { listen, ...server });
  return { live, proxy: await openProxy(t, { server: live.url, ...line }) };
}

/** Both ends of a session over a bad line. */
export async function openBed(t: TestContext, options: BedOptions = {}): Promise<Bed> {
  const { live, proxy } = await openServer(t, options);
  return { live, proxy, ...(await connectThrough(live, proxy, options.client)) };
}

/** Connects as often as it takes, within reason. */
export async function connectThrough(
  live: LiveServer,
  proxy: UdpProxy,
  options: Partial<USMPClientOptions> = {},
): Promise<{ here: USMPSession; there: USMPSession }> {
  const arrived = new Map<string, USMPSession>();
  const remove = live.server.on('connect', (session) => arrived.set(session.id, session));
  const here = await persistently(() => new USMPClient({ url: proxy.url, psk: PSK, ...options }).connect());
  proxy.beforeClose(() => here.close());
  await eventually(() => arrived.has(here.id), 'the session at the server');
  remove();
  return { here, there: arrived.get(here.id)! };
}

async function persistently(connect: () => Promise<USMPSession>): Promise<USMPSession> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      const unanswered = error instanceof USMPError && UNANSWERED.includes(error.code);
      if (!unanswered || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Messages in one direction: how many there were, and how many arrived. */
export interface Carried {
  readonly count: number;
  received: number;
}

/**
 * Sends messages and receives them at the other end: each once, in order and whole, or else only a beginning counts as
 * received, and the session is over there.
 */
export async function carry(
  from: USMPSession,
  to: USMPSession,
  count: number,
  sizes: readonly number[],
): Promise<Carried> {
  const carried = { count, received: 0 };
  // With one end over, the other would wait for nothing.
  const sent = sendMessages(from, count, sizes).then((all) => (all ? undefined : to.close()));
  const received = receiveMessages(to, carried, sizes).then((all) => (all ? undefined : from.close()));
  await Promise.all([sent, received]);
  return carried;
}

async function sendMessages(session: USMPSession, count: number, sizes: readonly number[]): Promise<boolean> {
  try {
    for (let number = 0; number < count; number++) {
      await session.send(messageOf(number, sizes), {
        timeout: PATIENCE,
        ...(number === count - 1 ? { acknowledged: true } : {}),
      });
    }
  } catch (error) {
    assert.equal(error, session.error, `sending failed in a live session: ${error}`);
    return false;
  }
  return true;
}

async function receiveMessages(
  session: USMPSession,
  carried: Carried,
  sizes: readonly number[],
): Promise<boolean> {
  for (; carried.received < carried.count; carried.received++) {
    let message: Uint8Array;
    try {
      message = await session.recv({ timeout: PATIENCE });
    } catch (error) {
      assert.equal(error, session.error, `receiving failed in a live session: ${error}`);
      return false;
    }
    const expected = messageOf(carried.received, sizes);
    if (Buffer.compare(message, expected) === 0) continue;
    // What was acknowledged is delivered when the session ends, whatever is missing in front of it, which is counted.
    if (session.stats.messagesLost > 0 && isLater(message, carried, sizes)) return false;
    assert.deepEqual(message, expected, `message ${carried.received} is another one, or damaged`);
  }
  return true;
}

function isLater(message: Uint8Array, { count, received }: Carried, sizes: readonly number[]): boolean {
  for (let number = received + 1; number < count; number++) {
    if (Buffer.compare(message, messageOf(number, sizes)) === 0) return true;
  }
  return false;
}

/** That everything arrived; or, where the line allows that, that the session ended because a message did not. */
export function assertDelivered(
  { here, there }: Pick<Bed, 'here' | 'there'>,
  directions: readonly Carried[],
  { orEnded = false } = {},
): void {
  const complete = directions.every(({ count, received }) => received === count);
  if (complete) return;
  const codes = [here.error?.code, there.error?.code];
  assert.ok(
    orEnded,
    `the session ended (${codes}), which this line does not justify: ${JSON.stringify(directions)}`,
  );
  assert.ok(codes.includes('not_acknowledged'), `the session ended otherwise: ${codes}`);
  for (const code of codes) assert.ok(ENDINGS.includes(code ?? 'none'), `the session ended by ${code}`);
}
