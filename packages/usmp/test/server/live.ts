/** Servers and clients on real sockets of this machine, which end with the test that made them. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Logger,
  type Refusal,
  USMPClient,
  type USMPClientOptions,
  USMPServer,
  type USMPServerOptions,
  type USMPSession,
} from '#dist/index.js';

export const PSK = 'the key of the test bed';
export const WRONG_PSK = 'some other key entirely';

type Handler = (session: USMPSession) => unknown;

/** What servers and clients end with: a test, or what stands for one. */
export type Scope = Pick<TestContext, 'after'>;

/** Sends everything back. */
export async function echo(session: USMPSession): Promise<void> {
  for await (const message of session) await session.send(message);
}

/** Does nothing with the session, and never returns. */
export function park(): Promise<never> {
  return new Promise(() => {});
}

/** A server that listens, and what it has said so far. */
export interface LiveServer {
  readonly server: USMPServer;
  readonly url: string;
  readonly port: number;
  readonly refusals: Refusal[];
  readonly log: LogLines;
}

/** What a logger was told, as `level: message`. */
export class LogLines implements Logger {
  readonly lines: string[] = [];
  readonly errors: unknown[] = [];

  debug(message: string): void {
    this.lines.push(`debug: ${message}`);
  }

  info(message: string): void {
    this.lines.push(`info: ${message}`);
  }

  warn(message: string): void {
    this.lines.push(`warn: ${message}`);
  }

  error(message: string, error?: unknown): void {
    this.lines.push(`error: ${message}`);
    this.errors.push(error);
  }

  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startServer(
  t: Scope,
  handler: Handler = echo,
  options: Partial<USMPServerOptions> = {},
): Promise<LiveServer> {
  const log = new LogLines();
  const where = options.listen === undefined ? { host: '127.0.0.1', port: 0 } : {};
  const server = new USMPServer({ psk: PSK, ...where, logger: log, ...options });
  const refusals: Refusal[] = [];
  server.on('refused', (refusal) => refusals.push(refusal));
  server.onSession(handler);
  t.after(() => server.close({ timeout: 0 }));
  await server.listen();
  const url = server.urls[0]!;
  return { server, url, port: Number(new URL(url).port), refusals, log };
}

/** A client of it. */
export function clientFor(live: LiveServer, options: Partial<USMPClientOptions> = {}): USMPClient {
  return new USMPClient({ psk: PSK, url: live.url, ...options });
}

/** A client's session with it. */
export async function connect(
  t: Scope,
  live: LiveServer,
  options: Partial<USMPClientOptions> = {},
): Promise<USMPSession> {
  const session = await clientFor(live, options).connect();
  t.after(() => session.close());
  return session;
}

/** Both ends of a new session. */
export async function bothEnds(
  t: Scope,
  live: LiveServer,
  options: Partial<USMPClientOptions> = {},
): Promise<{ here: USMPSession; there: USMPSession }> {
  const arriving = nextSession(live.server);
  const here = await connect(t, live, options);
  return { here, there: await arriving };
}

/** The next session that the server accepts. */
export function nextSession(server: USMPServer): Promise<USMPSession> {
  return new Promise((resolve) => {
    const remove = server.on('connect', (session) => {
      remove();
      resolve(session);
    });
  });
}

/** Proves that an echo server still serves the honest. */
export async function assertServes(
  live: LiveServer,
  options: Partial<USMPClientOptions> = {},
): Promise<void> {
  const session = await clientFor(live, options).connect();
  await session.send('are you there?');
  assert.equal(text(await session.recv({ timeout: 10_000 })), 'are you there?');
  await session.close();
}

/** The next refusal that was or will be told. */
export async function refusal(live: LiveServer, index = 0): Promise<Refusal> {
  await eventually(() => live.refusals.length > index, 'a refusal');
  return live.refusals[index]!;
}

/** Waits until something holds. */
export async function eventually(holds: () => boolean, what: string, timeout = 15_000): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(`waited ${timeout} ms for ${what}`);
    await delay(5);
  }
}

/** The result of a promise, or a failure that says what did not happen. */
export async function within<T>(promise: Promise<T>, what: string, timeout = 15_000): Promise<T> {
  const late = new AbortController();
  const failure = delay(timeout, undefined, { signal: late.signal }).then(() =>
    assert.fail(`${what} did not happen within ${timeout} ms`),
  );
  failure.catch(() => {});
  try {
    return await Promise.race([promise, failure]);
  } finally {
    late.abort();
  }
}

/** `pending` while a promise is not settled. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  const pending = Symbol('pending');
  try {
    return (await Promise.race([promise, pending])) === pending ? 'pending' : 'resolved';
  } catch {
    return 'rejected';
  }
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** What `assert.rejects` and `assert.throws` match an error of the library by. */
export function coded(name: string, code: string, message?: RegExp): object {
  return message === undefined ? { name, code } : { name, code, message };
}
