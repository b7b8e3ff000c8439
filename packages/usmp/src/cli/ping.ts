/**
 * `usmp ping`: round trips, like ping.
 *
 * @module
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type USMPSession, USMPTimeoutError } from '../index.js';
import { addClientOptions, type ClientOptions, type OpenSession, withSession } from './client-session.js';
import { EXIT_CODES_HELP } from './exit-codes.js';
import { roundTime, sessionFields, writeEvent } from './json-events.js';
import { KEY_HELP } from './key-options.js';
import { count, numberFrom } from './option-values.js';
import { URL_HELP } from './url-help.js';

interface PingOptions extends ClientOptions {
  readonly count?: number;
  readonly interval: number;
}

/** What has been measured so far; round trips in milliseconds. */
interface Tally {
  sent: number;
  readonly trips: number[];
}

interface Summary {
  readonly sent: number;
  readonly received: number;
  /** Percent. */
  readonly loss: number;
  /** Milliseconds; `mdev` is the standard deviation. Undefined when nothing came back. */
  readonly times?: {
    readonly min: number;
    readonly avg: number;
    readonly max: number;
    readonly mdev: number;
  };
}

/** Where the results go. `seq` counts from 1. */
interface Report {
  pong(seq: number, trip: number): void;
  lost(seq: number): void;
  summary(summary: Summary): void;
}

export function addPing(program: Command): void {
  const command = program
    .command('ping')
    .summary('measure round trips')
    .description('Sends PING and measures the time until PONG, until Ctrl-C or --count, then sums up.')
    .argument('<url>', 'such as tcp://127.0.0.1:9000');
  addClientOptions(command)
    .option('--count <n>', 'stop after this many (default: go on)', count)
    .option('--interval <ms>', 'from one PING to the next', numberFrom(0, 'milliseconds'), 1_000)
    .addHelpText(
      'after',
      `${URL_HELP}
${KEY_HELP}
Servers of the Python package close a session that gets more than 8 PINGs a second.
${EXIT_CODES_HELP}

Example:
  npx usmp ping tcp://127.0.0.1:9000 --psk-file key.txt --count 5`,
    )
    .action(ping);
}

async function ping(url: string, options: PingOptions): Promise<void> {
  await withSession(url, options, async (open) => {
    const report = options.json ? jsonReport(open.session) : textReport(url, open.session);
    const tally: Tally = { sent: 0, trips: [] };
    try {
      await measure(open, options, tally, report);
    } finally {
      report.summary(sumUp(tally));
    }
  });
}

/** Pings until the count is reached. Throws in the end when a PONG is missing, and at once when the session ends. */
async function measure(
  { session, stop }: OpenSession,
  { count = Number.POSITIVE_INFINITY, interval, timeout }: PingOptions,
  tally: Tally,
  report: Report,
): Promise<void> {
  let missing: USMPTimeoutError | undefined;
  while (tally.sent < count) {
    const nextAt = performance.now() + interval;
    tally.sent++;
    try {
      const trip = await session.ping({ timeout: timeout * 1_000 });
      tally.trips.push(trip);
      report.pong(tally.sent, trip);
    } catch (error) {
      if (!(error instanceof USMPTimeoutError)) throw error;
      missing = error;
      report.lost(tally.sent);
    }
    if (tally.sent < count) await delay(nextAt - performance.now(), undefined, { signal: stop });
  }
  if (missing !== undefined) throw missing;
}

function sumUp({ sent, trips }: Tally): Summary {
  const received = trips.length;
  const loss = sent === 0 ? 0 : Math.round((100 * (sent - received)) / sent);
  if (received === 0) return { sent, received, loss };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / received;
  const avg = mean(trips);
  const mdev = Math.sqrt(mean(trips.map((trip) => (trip - avg) ** 2)));
  const min = trips.reduce((a, b) => Math.min(a, b));
  const max = trips.reduce((a, b) => Math.max(a, b));
  return { sent, received, loss, times: { min, avg, max, mdev } };
}

function textReport(url: string, session: USMPSession): Report {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  return {
    pong: (seq, trip) => print(`pong from ${session.peer}: seq=${seq} time=${trip.toFixed(3)} ms`),
    lost: (seq) => print(`no pong from ${session.peer}: seq=${seq}`),
    summary({ sent, received, loss, times }) {
      print(`--- ${url} ping statistics ---`);
      print(`${sent} sent, ${received} received, ${loss}% loss`);
      if (times === undefined) return;
      const values = Object.values(times).map((time) => time.toFixed(3));
      print(`round trip min/avg/max/mdev = ${values.join('/')} ms`);
    },
  };
}

function jsonReport(session: USMPSession): Report {
  const of = sessionFields(session);
  return {
    pong: (seq, trip) => writeEvent('pong', { ...of, seq, rtt: roundTime(trip) }),
    lost: (seq) => writeEvent('lost', { ...of, seq }),
    summary({ times, ...counts }) {
      const rounded = Object.entries(times ?? {}).map(([name, time]) => [name, roundTime(time)]);
      writeEvent('summary', { ...of, ...counts, ...Object.fromEntries(rounded) });
    },
  };
}
