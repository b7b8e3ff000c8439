/**
 * `usmp simulate`: many devices at once, each of which checks its echoes.
 *
 * @module
 */

import type { Command } from 'commander';
import { MAX_MESSAGE } from '../index.js';
import { EXIT } from './exit-codes.js';
import { Fleet, type FleetObserver } from './fleet.js';
import { MAX_DEVICES, MAX_SEED } from './fleet-address.js';
import { printSummary, showProgress } from './fleet-report.js';
import { events, writeEvent } from './json-events.js';
import { addKeyOptions, KEY_HELP, type KeyOptions, resolveKey } from './key-options.js';
import { numberBetween, numberFrom } from './option-values.js';
import { MIN_TEST_MESSAGE } from './probe-message.js';
import { describeError } from './remedies.js';
import { stopSignal } from './stop-signal.js';
import { URL_HELP } from './url-help.js';

interface SimulateOptions extends KeyOptions {
  readonly devices: number;
  readonly rate: number;
  readonly size: number;
  /** Seconds. */
  readonly duration: number;
  /** Seconds. */
  readonly timeout: number;
  readonly connectRate?: number;
  readonly seed: number;
  /** False with `--no-reconnect`. */
  readonly reconnect: boolean;
  readonly json?: true;
}

/** Messages a second of one device: beyond it one timer for all cannot keep them apart. */
const MAX_RATE = 10_000;
const MAX_CONNECT_RATE = 100_000;
const SHORTEST_TIMEOUT = 0.001;
const LONGEST_TIMEOUT = 86_400;

export function addSimulate(program: Command): void {
  const command = program
    .command('simulate')
    .summary('be many devices at once, and check every echo')
    .description(
      'Connects as many devices, lets each send messages at a steady rate to a server that echoes, checks that every message comes back once, unchanged and in order, and sums up.',
    )
    .argument('<url>', 'such as tcp://127.0.0.1:9000')
    .option('--devices <n>', 'how many', numberBetween(1, MAX_DEVICES, 'a whole number', 1), 10)
    .option('--rate <n>', 'messages a second of each device', numberBetween(0, MAX_RATE, 'a number'), 1)
    .option('--duration <s>', 'send this long; 0 until Ctrl-C', numberFrom(0, 'seconds'), 10)
    .option(
      '--size <bytes>',
      'of each message',
      numberBetween(MIN_TEST_MESSAGE, MAX_MESSAGE, 'a whole number of bytes', 1),
      64,
    )
    .option(
      '--timeout <s>',
      'an echo that takes longer is lost',
      numberBetween(SHORTEST_TIMEOUT, LONGEST_TIMEOUT, 'seconds'),
      5,
    )
    .option(
      '--connect-rate <n>',
      'devices that start to connect in a second (default: 1000 on the IPv4 loopback, else 100)',
      numberBetween(0.1, MAX_CONNECT_RATE, 'a number'),
    )
    .option('--seed <n>', 'part of the device ids', numberBetween(0, MAX_SEED, 'a whole number', 1), 0);
  addKeyOptions(command)
    .option('--no-reconnect', 'leave a device without a session when its session ends')
    .option('--json', 'print events as JSON, one a line')
    .addHelpText(
      'after',
      `${URL_HELP}
${KEY_HELP}
The device ids are 02:SS:SS:NN:NN:NN: the seed, then the device from 0 on; two fleets at a time need two seeds.
On the IPv4 loopback interface each device has an address of its own, from 127.1.0.1 on, where the system allows it.
Each device takes a file descriptor, over TCP also at the server: see ulimit -n.
A device whose session ends connects again, after a random wait that doubles from 0.5 s to 60 s; what was under way is
counted apart. Those that are away in the end are waited for.

Exit codes:
  0 every device is connected in the end, no session ended but by BYE, silence or a broken line (with --no-reconnect:
    none ended early), every message that was not under way then came back as it was sent
  1 anything else; when no device could connect, the exit code of usmp connect

Example:
  npx usmp simulate tcp://127.0.0.1:9000 --psk-file key.txt --devices 100 --rate 2 --duration 30`,
    )
    .action(simulate);
}

async function simulate(url: string, options: SimulateOptions): Promise<void> {
  const { devices, rate, size, connectRate, seed } = options;
  const psk = resolveKey(options, (message) => process.stderr.write(`usmp: ${message}\n`));
  const fleet = await Fleet.of(
    {
      url,
      psk,
      devices,
      rate,
      size,
      connectRate,
      seed,
      duration: options.duration === 0 ? Number.POSITIVE_INFINITY : options.duration,
      timeout: options.timeout * 1_000,
      reconnect: options.reconnect,
    },
    options.json ? jsonReport : silentReport,
  );
  const hideProgress = showProgress(fleet, options);
  try {
    await fleet.run(stopSignal());
  } finally {
    hideProgress();
  }
  printSummary(fleet, options);
  // As the other commands tell it: there was nothing to find out about the server's work.
  if (fleet.connected === 0 && fleet.failure !== undefined) throw fleet.failure;
  const findings = findingsOf(fleet);
  if (findings.length === 0) return;
  process.stderr.write(`usmp: ${findings.join('; ')}\n`);
  process.exitCode = EXIT.failed;
}

const jsonReport: FleetObserver = {
  connected: events.connected,
  disconnected: events.disconnected,
  failed: (deviceId, { code, message }) => writeEvent('failed', { deviceId, reason: code, message }),
};

const silentReport: FleetObserver = { connected() {}, disconnected() {}, failed() {} };

/** What was not as it should be, and what may help. */
function findingsOf(fleet: Fleet): string[] {
  const { plan, failed, failure, endedEarly, endedBadly, end, away, messages } = fleet;
  const { sent, echoed, lost, late, wrong, doubled, outOfOrder } = messages;
  const isMute = sent > 0 && endedEarly === 0 && echoed + late + wrong === 0;
  const echoes = (count: number) => plural(count, 'echo', 'echoes');
  const findings: [number, string][] = [
    [
      failed,
      `${failed} of ${plan.devices} devices could not connect, one because: ${describeError(failure)}`,
    ],
    [
      plan.reconnect ? endedBadly : endedEarly,
      `${plural(endedEarly, 'session')} ended early, the first because: ${describeError(end)}`,
    ],
    [
      plan.reconnect ? away : 0,
      `${plural(away, 'device')} did not come back: ${describeError(fleet.lastFailure ?? end)}`,
    ],
    [
      lost,
      `${plural(lost, 'message')} lost${isMute ? ', none came back: does the server echo (usmp serve --echo)?' : ''}`,
    ],
    [wrong, `${echoes(wrong)} not as sent`],
    [doubled, `${echoes(doubled)} too many`],
    [outOfOrder, `${echoes(outOfOrder)} overtaken by later ones`],
  ];
  return findings.filter(([count]) => count > 0).map(([, what]) => what);
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
