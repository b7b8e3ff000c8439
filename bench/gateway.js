#!/usr/bin/env node
/**
 * A fleet of 5,000 devices with a message a second each, through the gateway: what is lost, how long it takes, and what
 * it costs beside the bare `usmp serve --echo` of the same run. See README.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { USMPClient } from 'usmp';
import { MqttPeer } from './gateway/mqtt-peer.js';
import { mosquittoVersion, startBare, startFleet, startGateway, startMosquitto } from './gateway/programs.js';
import { monotonic } from './gateway/time.js';
import { DeviceHandshake } from './load/handshake.js';
import { cpuMicroseconds, residentKiB, settledResidentKiB } from './load/proc.js';
import { machine, median, significant, table } from './report.js';

const USAGE = 'node bench/gateway.js [--quick] [--runs 2] [--sessions 5000] [--cpu-prof FOLDER]';
const PSK = 'correct-horse-battery';

const GOALS = [
  { figure: 'lost or doubled messages', atMost: 0 },
  { figure: 'server CPU a message, gateway to bare', atMost: 2.5 },
  { figure: 'resident memory a session under load, KiB', atMost: 30 },
  { figure: 'start to ready with 100,000 devices, s', atMost: 2 },
];

/** Devices that get messages by the API meanwhile; they are clients of the package. */
const GETTERS = 20;

/** Requests a second that send them messages. */
const POSTS = 40;

const REGISTERED = 100_000;

/** A load that comes later than this was not one message a second. Milliseconds. */
const TOO_LATE = 250;

/** For what is stored last. Milliseconds. */
const DEADLINE = 30_000;

const options = parseOptions();
if (process.platform !== 'linux')
  fail(1, 'It reads CPU time and memory of the servers from /proc: it needs Linux.');
const pace = options.quick ? { warmup: 2, seconds: 4 } : { warmup: 3, seconds: 10 };
const folder = mkdtempSync(join(tmpdir(), 'usmp-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** @type {Map<string, number[]>} */
const figures = new Map();
/** How far the load was behind its plan, at most. Milliseconds. */
let latest = 0;
const heading = machine();
try {
  for (let run = 1; run <= options.runs; run++) {
    const bare = await measureBare();
    note('bare usmp serve --echo: µs of CPU a message', bare.cost);
    note('bare usmp serve --echo: KiB a session under load', bare.memory);
    await measureGateway(run, bare.cost);
    if (mosquittoVersion() !== undefined) await measureMosquitto(run);
  }
  await measureStart();
} catch (error) {
  fail(1, /** @type {Error} */ (error).message);
}

console.log(
  `\n${heading}\n${options.sessions} sessions, 64 bytes a second each; ${options.runs === 1 ? '1 run' : `median of ${options.runs} runs`}\n`,
);
console.log(
  table([['', 'measured'], ...[...figures].map(([name, values]) => [name, significant(median(values))])]),
);
if (mosquittoVersion() === undefined)
  console.log('\nWithout mosquitto, which is not installed (Debian: apt-get install mosquitto).');
if (latest > TOO_LATE)
  console.log(
    `\nOthers kept this machine busy: the load came up to ${significant(latest)} ms late. Times and memory say little then.`,
  );
const verdicts = GOALS.map(({ figure, atMost }) => {
  const value = median(figures.get(figure) ?? []);
  return { figure, value, atMost, holds: value <= atMost };
});
console.log(
  `\n${table([['', 'measured', 'goal', ''], ...verdicts.map(({ figure, value, atMost, holds }) => [figure, significant(value), `≤ ${atMost}`, holds ? 'pass' : 'FAIL'])])}`,
);
process.exit(verdicts.every(({ holds }) => holds) ? 0 : 1);

/** The same load on a server that does nothing with it but send it back. */
async function measureBare() {
  const server = await startBare(PSK);
  const fleet = startFleet();
  try {
    const before = await settledResidentKiB(server.pid);
    await fleet.ask('open', { protocol: 'usmp', port: server.port, psk: PSK, sessions: options.sessions });
    await fleet.ask('start');
    await delay(pace.warmup * 1_000);
    const cost = await costOfMessage(server.pid, fleet);
    return { cost, memory: (residentKiB(server.pid) - before) / options.sessions };
  } finally {
    await fleet.end();
    await server.stop();
  }
}

/** @param {number} run @param {number} bareCost */
async function measureGateway(run, bareCost) {
  const data = join(folder, `data-${run}`);
  const first = await startGateway(data);
  await first.call('POST', '/api/v1/devices/import', deviceList(options.sessions + GETTERS));
  await first.stop();
  const profile = options.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', options.profile];
  const gateway = await startGateway(data, profile);
  const fleet = startFleet();
  try {
    const { sessions } = options;
    const before = await settledResidentKiB(gateway.pid);
    await fleet.ask('open', { protocol: 'usmp', port: gateway.port, psk: PSK, sessions });
    note('gateway: KiB an idle session', ((await settledResidentKiB(gateway.pid)) - before) / sessions);
    await fleet.ask('start');
    await delay(pace.warmup * 1_000);
    const cost = await costOfMessage(gateway.pid, fleet);
    note('gateway: µs of CPU a message', cost);
    note('server CPU a message, gateway to bare', cost / bareCost);
    note('resident memory a session under load, KiB', (residentKiB(gateway.pid) - before) / sessions);

    /** @type {number[]} */
    const latencies = [];
    const subscriber = gateway.subscribe((text) => latencies.push(monotonic() - Number(text.split(' ')[2])));
    await delay(pace.warmup * 1_000);
    latencies.length = 0;
    const readCost = await costOfMessage(gateway.pid, fleet);
    note('gateway: µs of CPU a message, all of them streamed to one reader', readCost);
    note('the same to bare', readCost / bareCost);
    noteTimes('device to reader of the event stream', latencies);
    note('the same with the reader, KiB', (residentKiB(gateway.pid) - before) / sessions);
    note('times the reader was too slow', await subscriber.stop());
    const { answered, arrived } = await sendByAPI(gateway);
    noteTimes('API answers', answered);
    noteTimes('API to device', arrived);

    await fleet.ask('stop');
    const { sent } = await fleet.ask('counts');
    note('messages through the gateway', sent);
    note('lost or doubled messages', await countFaults(gateway, sent));
  } finally {
    await fleet.end();
    await gateway.stop();
  }
}

/** @param {number} run */
async function measureMosquitto(run) {
  const data = mkdtempSync(join(folder, `mosquitto-${run}-`));
  const server = await startMosquitto(data, PSK);
  const fleet = startFleet();
  try {
    const before = await settledResidentKiB(server.pid);
    await fleet.ask('open', { protocol: 'mqtt', port: server.port, psk: PSK, sessions: options.sessions });
    await fleet.ask('start');
    await delay(pace.warmup * 1_000);
    note('mosquitto, TLS-PSK: µs of CPU a message', await costOfMessage(server.pid, fleet));
    /** @type {number[]} */
    const latencies = [];
    const reader = await MqttPeer.open({ port: server.port, psk: PSK }, options.sessions);
    reader.onMessage = (message) => latencies.push(monotonic() - Number(message.toString().split(' ')[2]));
    reader.subscribe();
    await delay(pace.warmup * 1_000);
    latencies.length = 0;
    const cost = await costOfMessage(server.pid, fleet);
    note('mosquitto, TLS-PSK: µs of CPU a message, all of them to one reader', cost);
    noteTimes('mosquitto, device to reader', latencies);
    note(
      'mosquitto, TLS-PSK: KiB a session under load',
      (residentKiB(server.pid) - before) / options.sessions,
    );
    reader.socket.destroy();
  } finally {
    await fleet.end();
    await server.stop();
  }
}

async function measureStart() {
  const data = join(folder, 'registered');
  const gateway = await startGateway(data);
  const begun = performance.now();
  await gateway.call('POST', '/api/v1/devices/import', deviceList(REGISTERED));
  note('import of 100,000 devices, s', (performance.now() - begun) / 1_000);
  await gateway.stop();
  for (let time = 0; time < 3; time++) {
    const again = await startGateway(data);
    note('start to ready with 100,000 devices, s', again.readyAfter / 1_000);
    await again.stop();
  }
}

/** µs of the server's CPU, over the time of a measurement. @param {number} pid @param {ReturnType<typeof startFleet>} fleet */
async function costOfMessage(pid, fleet) {
  const { sent } = await fleet.ask('counts');
  const cpu = cpuMicroseconds(pid);
  await delay(pace.seconds * 1_000);
  const after = await fleet.ask('counts');
  latest = Math.max(latest, after.late);
  return (cpuMicroseconds(pid) - cpu) / (after.sent - sent);
}

/** Milliseconds from before each request until its answer, and until the device had the message. @param {import('./gateway/programs.js').Gateway} gateway */
async function sendByAPI(gateway) {
  /** @type {number[]} */
  const arrived = [];
  /** @type {number[]} */
  const answered = [];
  const clients = await Promise.all(
    Array.from({ length: GETTERS }, async (_, index) => {
      const deviceId = idOf(options.sessions + index);
      const client = new USMPClient({ url: `tcp://127.0.0.1:${gateway.port}`, psk: PSK, deviceId });
      const session = await client.connect();
      void (async () => {
        for await (const message of session)
          arrived.push(monotonic() - Number(Buffer.from(message).toString()));
      })();
      return client;
    }),
  );
  const total = pace.seconds * POSTS;
  const asked = [];
  for (let sent = 0; sent < total; sent++) {
    const path = `/api/v1/devices/${clients[sent % GETTERS].deviceId}/messages`;
    const at = monotonic();
    const answer = gateway.call('POST', path, { text: String(at) });
    asked.push(answer.then(() => answered.push(monotonic() - at)));
    await delay(1_000 / POSTS);
  }
  await Promise.all(asked);
  for (const late = performance.now() + DEADLINE; arrived.length < total && performance.now() < late; )
    await delay(20);
  if (arrived.length !== total) throw new Error(`${arrived.length} of ${total} messages came to devices`);
  await Promise.all(clients.map((client) => client.disconnect()));
  return { answered, arrived };
}

/**
 * Compares the history with what was sent. Returns how many are missing, there twice or out of order.
 * @param {import('./gateway/programs.js').Gateway} gateway @param {number} sent
 */
async function countFaults(gateway, sent) {
  const { sessions } = options;
  const next = new Array(sessions).fill(0);
  let faults = 0;
  let stored = 0;
  const late = performance.now() + DEADLINE;
  for (let after = 0; performance.now() < late && stored < sent; ) {
    const page = await gateway.call('GET', `/api/v1/messages?direction=in&limit=1000&after=${after}`);
    for (const { id, text } of page.messages) {
      const [index, number] = text.split(' ').map(Number);
      if (next[index] !== number) faults++;
      next[index] = number + 1;
      stored++;
      after = id;
    }
    if (page.messages.length === 0) await delay(50);
  }
  return faults + (sent - stored);
}

/** As CSV, all with the same key. @param {number} count */
function deviceList(count) {
  const rows = Array.from({ length: count }, (_, index) => `${idOf(index)},device ${index},${PSK}`);
  return `id,name,key\n${rows.join('\n')}\n`;
}

/** As the peers of the load generator have it. @param {number} index */
function idOf(index) {
  const bytes = new DeviceHandshake(PSK, index).hello().subarray(0, 6);
  return bytes.toString('hex').replace(/..(?!$)/g, '$&:');
}

/** @param {string} name @param {readonly number[]} values milliseconds */
function noteTimes(name, values) {
  if (values.length === 0) throw new Error(`${name}: nothing came; others keep this machine too busy`);
  const sorted = [...values].sort((a, b) => a - b);
  for (const [title, share] of /** @type {const} */ ([
    ['p50', 0.5],
    ['p99', 0.99],
  ]))
    note(`${name}, ${title}, ms`, sorted[Math.floor(sorted.length * share)]);
}

/** @param {string} name @param {number} value */
function note(name, value) {
  figures.set(name, [...(figures.get(name) ?? []), value]);
  process.stderr.write(`${name}  ${significant(value)}\n`);
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        runs: { type: 'string' },
        sessions: { type: 'string', default: '5000' },
        'cpu-prof': { type: 'string' },
      },
    });
    const [runs, sessions] = [Number(values.runs ?? (values.quick ? 1 : 2)), Number(values.sessions)];
    if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number from 1 on');
    if (!Number.isInteger(sessions) || sessions < 1)
      throw new Error('--sessions takes a whole number from 1 on');
    return { quick: values.quick, runs, sessions, profile: values['cpu-prof'] };
  } catch (error) {
    return fail(2, `${/** @type {Error} */ (error).message}\n${USAGE}`);
  }
}

/** @param {number} code @param {string} message @returns {never} */
function fail(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
