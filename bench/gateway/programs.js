/** The servers that are measured here, and the fleet, as processes that end with this one. */
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { tcp } from '../children.js';
import { CIPHERS } from './mqtt-peer.js';

const USMP = program('../../packages/usmp/bin/usmp.js');
const GATEWAY = program('../../packages/gateway/bin/usmp-gateway.js');

const START_DEADLINE = 60_000;

/** @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway */
/** @typedef {{ pid: number, port: number, stop: () => Promise<void> }} Server */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => process.exit(1));

/** @param {string} psk @returns {Promise<Server>} */
export async function startBare(psk) {
  const { child, output } = start([
    process.execPath,
    USMP,
    'serve',
    '--listen',
    'tcp://127.0.0.1:0',
    '--psk',
    psk,
    '--echo',
    '--log-level',
    'silent',
  ]);
  await waitFor(child, () => /^listening /m.test(output()));
  return { pid: Number(child.pid), port: portIn(output()), stop: () => end(child, 'SIGKILL') };
}

/**
 * @param {string} folder @param {readonly string[]} [nodeFlags]
 */
export async function startGateway(folder, nodeFlags = []) {
  const begun = performance.now();
  const { child, output } = start([
    process.execPath,
    ...nodeFlags,
    ...[GATEWAY, 'start', '--data', folder, '--listen', 'tcp://127.0.0.1:0', '--http-listen', '127.0.0.1:0'],
    ...['--http-rate-limit', '10000000', '--log-level', 'warn', '--log-format', 'json'],
  ]);
  await waitFor(child, () => output().includes('dashboard '), 5);
  const readyAfter = performance.now() - begun;
  const { url, token } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
  const agent = new Agent({ keepAlive: true });
  /** @param {string} method @param {string} path @param {unknown} [body] JSON, or a text that is CSV */
  const ask = (method, path, body) => {
    const type = typeof body === 'string' ? 'text/csv' : 'application/json';
    const sent = request(url + path, {
      method,
      agent,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': type }) },
    });
    sent.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
    const answered = once(sent, 'response').then(([response]) => response);
    // Behind the beginning of the answer whoever reads that hears of it.
    sent.on('error', () => {});
    return answered;
  };
  return {
    pid: Number(child.pid),
    port: portIn(output()),
    /** Milliseconds from its start to when it said that it listens. */
    readyAfter,
    /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} what it answers */
    async call(method, path, body) {
      const response = await ask(method, path, body);
      let text = '';
      for await (const part of response.setEncoding('utf8')) text += part;
      if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
      return JSON.parse(text);
    },
    /**
     * Reads messages live, until `stop`; goes on where it was when it has been too slow and was ended.
     * @param {(text: string, at: number) => void} read
     */
    subscribe(read) {
      let stopped = false;
      let after = '';
      /** @type {import('node:http').IncomingMessage | undefined} */
      let stream;
      let ends = 0;
      const done = (async () => {
        while (!stopped) {
          let rest = '';
          try {
            stream = await ask('GET', `/api/v1/events?types=message${after === '' ? '' : `&after=${after}`}`);
            for await (const piece of /** @type {import('node:http').IncomingMessage} */ (stream).setEncoding(
              'utf8',
            )) {
              const blocks = (rest + piece).split('\n\n');
              rest = /** @type {string} */ (blocks.pop());
              for (const block of blocks) {
                const event = /^id: (\d+)\nevent: message\ndata: (.*)$/.exec(block);
                if (event === null) continue;
                after = event[1];
                read(JSON.parse(event[2]).data.text);
              }
            }
          } catch {
            // It was ended from one side or the other.
            await delay(20);
          }
          if (!stopped) ends++;
        }
      })();
      return {
        async stop() {
          stopped = true;
          stream?.destroy();
          await done;
          return ends;
        },
      };
    },
    stop: () => end(child, 'SIGTERM'),
  };
}

/** @returns {string | undefined} the version that is installed */
export function mosquittoVersion() {
  const { stdout, error } = spawnSync('mosquitto', ['-h'], { encoding: 'utf8' });
  return error ? undefined : /version (\S+)/.exec(stdout)?.[1];
}

/** @param {string} folder for its files @param {string} psk @returns {Promise<Server>} */
export async function startMosquitto(folder, psk) {
  const port = await tcp.freePort();
  const keys = join(folder, 'psk');
  writeFileSync(keys, `device:${Buffer.from(psk).toString('hex')}\n`, { mode: 0o600 });
  const config = join(folder, 'mosquitto.conf');
  const lines = [
    `listener ${port} 127.0.0.1`,
    'psk_hint bench',
    `psk_file ${keys}`,
    'tls_version tlsv1.2',
    `ciphers ${CIPHERS}`,
    'allow_anonymous true',
    'max_queued_messages 0',
    'set_tcp_nodelay true',
    // As root it would become another user, who cannot read the keys.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  chmodSync(folder, 0o755);
  const { child, errors } = start(['mosquitto', '-c', config]);
  await waitFor(child, () => / running/.test(errors()));
  return { pid: Number(child.pid), port, stop: () => end(child, 'SIGKILL') };
}

export function startFleet() {
  const child = fork(program('fleet.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  running.add(child);
  let last = 0;
  /** @type {Map<number, (answer: any) => void>} */
  const waiting = new Map();
  /** @type {(error: Error) => void} */
  let fail = () => {};
  /** Rejects when a session was lost. */
  const failed = new Promise((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  child.on('message', (/** @type {any} */ { id, answer, error }) => {
    if (error !== undefined) return fail(new Error(`the fleet: ${error}`));
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  child.on('exit', () => fail(new Error('the fleet has ended')));
  return {
    /** @param {'open' | 'start' | 'stop' | 'counts'} task @param {object} [options] @returns {Promise<any>} */
    ask(task, options = {}) {
      const id = ++last;
      const answer = new Promise((resolve) => waiting.set(id, resolve));
      child.send({ id, task, ...options });
      return Promise.race([answer, failed]);
    },
    end: () => end(child, 'SIGKILL'),
  };
}

/** @param {readonly string[]} command */
function start([file, ...args]) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-5_000);
  });
  child.on('error', (error) => {
    errors += error.message;
  });
  child.on('exit', (code, signal) => {
    running.delete(child);
    if (file === 'mosquitto') return;
    if (errors !== '') process.stderr.write(errors);
    if (code !== 0 && signal !== 'SIGKILL') process.stderr.write(`${args[0]} has ended: ${signal ?? code}\n`);
  });
  return { child, output: () => output, errors: () => errors };
}

/**
 * @param {import('node:child_process').ChildProcess} child @param {() => boolean} check @param {number} [interval]
 */
async function waitFor(child, check, interval = 20) {
  for (const late = performance.now() + START_DEADLINE; performance.now() < late; await delay(interval)) {
    if (check()) return;
    if (child.exitCode !== null) break;
  }
  throw new Error(`${child.spawnargs.join(' ')} did not start`);
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
async function end(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** @param {string} output */
function portIn(output) {
  return Number(/^listening tcp:\/\/127\.0\.0\.1:(\d+)/m.exec(output)?.[1]);
}

/** @param {string} file */
function program(file) {
  return fileURLToPath(new URL(file, import.meta.url));
}
