#!/usr/bin/env node
/**
 * A fleet whose server is killed and started again: how soon all devices are back, what that costs the server, and
 * whether it refuses any. See README.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuMicroseconds, peakResidentKiB } from './load/proc.js';
import { machine } from './report.js';

const USAGE = 'node bench/restart.js [--devices 2000] [--down 1,10] [--transport tcp]';
const USMP = fileURLToPath(new URL('../packages/usmp/bin/usmp.js', import.meta.url));
const PSK = 'the key of the benchmark';
const HOST = '127.0.0.1';
const DEADLINE = 180_000;

const { devices, downTimes, transport } = options();
console.log(`${machine()}\n${devices} devices over ${transport}, server killed and started again\n`);
console.log(
  '| down, s | half back, s | 99 % back, s | all back, s | refused | server CPU, s | server peak, MiB |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const down of downTimes) console.log(`| ${(await measure(down)).join(' | ')} |`);

/** @param {number} down seconds without a server @returns {Promise<(string | number)[]>} a row of the table */
async function measure(down) {
  const first = await serve(`${transport}://${HOST}:0`);
  const fleet = simulate(first.url);
  try {
    await fleet.connected(devices);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    await delay(down * 1_000);
    const second = await serve(first.url);
    const pid = /** @type {number} */ (second.child.pid);
    try {
      const since = performance.now();
      const after = async (/** @type {number} */ count) =>
        ((await fleet.connected(devices + count)) - since) / 1_000;
      const shares = [0.5, 0.99, 1].map((share) => Math.ceil(devices * share));
      const times = await Promise.all(shares.map(after));
      const cpu = cpuMicroseconds(pid) / 1e6;
      const peak = peakResidentKiB(pid) / 1_024;
      const { refused } = await fleet.end();
      return [down, ...times.map((time) => time.toFixed(1)), refused, cpu.toFixed(1), peak.toFixed(0)];
    } finally {
      second.child.kill('SIGKILL');
    }
  } finally {
    first.child.kill('SIGKILL');
    fleet.child.kill('SIGKILL');
  }
}

/** @param {string} listen */
async function serve(listen) {
  const child = start(['serve', '--listen', listen, '--psk', PSK, '--echo', '--log-level', 'silent']);
  const [line] = await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(DEADLINE) });
  return { child, url: String(line).replace('listening ', '') };
}

/** @param {string} url */
function simulate(url) {
  const child = start([
    'simulate',
    url,
    '--psk',
    PSK,
    '--devices',
    String(devices),
    '--rate',
    '0.1',
    '--duration',
    '0',
    '--json',
  ]);
  /** @type {number[]} */
  const connectedAt = [];
  /** @type {{ refused: number } | undefined} */
  let summary;
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => {
    const event = JSON.parse(line);
    if (event.event === 'connected') connectedAt.push(performance.now());
    if (event.event === 'summary') summary = event;
  });
  return {
    child,
    /** When the session with this number, counted from 1, was opened. @param {number} count */
    async connected(count) {
      for (const late = performance.now() + DEADLINE; performance.now() < late; await delay(20)) {
        if (connectedAt.length >= count) return /** @type {number} */ (connectedAt[count - 1]);
        if (child.exitCode !== null) break;
      }
      throw new Error(`${connectedAt.length} sessions, ${count} expected`);
    },
    async end() {
      child.kill('SIGINT');
      await once(child, 'close');
      if (summary === undefined) throw new Error('the fleet has no summary');
      return summary;
    },
  };
}

/** @param {string[]} args */
function start(args) {
  const child = spawn(process.execPath, [USMP, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill('SIGKILL'));
  return child;
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        devices: { type: 'string', default: '2000' },
        down: { type: 'string', default: '1,10' },
        transport: { type: 'string', default: 'tcp' },
      },
    });
    const down = values.down.split(',').map(Number);
    const count = Number(values.devices);
    if (!Number.isInteger(count) || count < 1 || down.some((time) => !(time >= 0)))
      throw new Error('not a number');
    return { devices: count, downTimes: down, transport: values.transport };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}
