/**
 * A server in a process of its own, which can be killed, weighed and kept busy. Run it with `fork`; see
 * {@link startServerProcess}.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { USMPServer, type USMPServerOptions, type USMPServerStats, type USMPSession } from '#dist/index.js';
import { echo, PSK, park } from './live.js';

/** What the sessions of a device do: by the first byte of its id. Others echo. */
export const PARKED = '06:00:00:00:00:01';
export const FLOODED = '0a:00:00:00:00:01';

/** Bytes of the process, after collecting garbage, and what the server counts. */
export interface Weight {
  readonly rss: number;
  /** Everything that JavaScript holds, in and outside its heap. */
  readonly held: number;
  /** The largest `rss` that the process ever had. */
  readonly peak: number;
  readonly stats: USMPServerStats;
}

/** The parent's view of it. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  /** Resolves with its exit code, or with the signal that killed it. */
  readonly exit: Promise<number | string>;
  weigh(): Promise<Weight>;
}

export async function startServerProcess(
  t: TestContext,
  options: Partial<USMPServerOptions> = {},
): Promise<ServerProcess> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)], {
    execArgv: ['--expose-gc'],
  });
  t.after(() => child.kill('SIGKILL'));
  const exit = once(child, 'exit').then(([code, signal]) => code ?? signal);
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return {
    child,
    url,
    port: Number(new URL(url).port),
    exit,
    async weigh() {
      assert.equal(child.exitCode, null, 'the server has died');
      child.send('weigh');
      const [weight] = await once(child, 'message');
      return weight as Weight;
    },
  };
}

function handle(session: USMPSession): Promise<void> {
  switch (session.deviceId) {
    case PARKED:
      return park();
    case FLOODED:
      return flood(session);
    default:
      return echo(session);
  }
}

async function flood(session: USMPSession): Promise<void> {
  const message = new Uint8Array(1_800);
  for (;;) await session.send(message);
}

function weigh(server: USMPServer): Weight {
  for (let i = 0; i < 3; i++) globalThis.gc!();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    rss,
    held: heapUsed + external,
    peak: process.resourceUsage().maxRSS * 1_024,
    stats: server.stats,
  };
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const options: Partial<USMPServerOptions> = JSON.parse(process.argv[2]!);
  const where = options.listen === undefined ? { host: '127.0.0.1', port: 0 } : {};
  const server = new USMPServer({ psk: PSK, ...where, ...options });
  server.onSession(handle);
  server.on('listening', (url) => process.send!({ url }));
  process.on('message', () => process.send!(weigh(server)));
  // What talks to the parent must not be what keeps this process alive.
  process.channel?.unref();
  await server.serve();
}
