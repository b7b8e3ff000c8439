/** Starts the servers and the load generator, and sees to it that none of them outlives the benchmark. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { DeviceHandshake } from './load/handshake.js';
import { handshakeFrame, Type } from './load/wire.js';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

const START_DEADLINE = 20_000;

/** @type {Set<ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const [signal, code] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])) {
  process.on(signal, () => process.exit(code));
}

/**
 * Starts a server and waits until it accepts.
 * @param {string[]} command to which the port is added, and behind it `args`
 * @param {NodeJS.ProcessEnv} env beside that of this process
 * @param {readonly string[]} [args] 'udp' comes first when it listens for datagrams
 */
export async function startServer(command, env, args = []) {
  const { freePort, accepts } = args[0] === 'udp' ? udp : tcp;
  const port = await freePort();
  const server = start([...command, String(port), ...args], env);
  const deadline = Date.now() + START_DEADLINE;
  while (!(await accepts(port))) {
    if (server.child.exitCode !== null) throw new Error(server.complaint('ended at the start'));
    if (Date.now() > deadline) throw new Error(server.complaint('does not accept connections'));
    await delay(20);
  }
  return {
    port,
    pid: /** @type {number} */ (server.child.pid),
    errors: server.errors,
    ask: server.ask,
    stop: () => stop(server.child),
  };
}

/**
 * Starts a program that prints a line when it is ready.
 * @param {string[]} command @param {NodeJS.ProcessEnv} env beside that of this process
 */
export async function startHelper(command, env) {
  const helper = start(command, env);
  return {
    ready: await helper.line(),
    ask: helper.ask,
    stop: () => stop(helper.child),
  };
}

/**
 * Runs a program to its end.
 * @param {string[]} command @param {NodeJS.ProcessEnv} env @param {number} timeout in ms
 * @returns {Promise<string>} its standard output
 */
export async function run(command, env, timeout) {
  const { child, complaint } = start(command, env);
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, timeout);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  if (code !== 0) throw new Error(complaint(late ? `is not done after ${timeout / 1000} s` : 'failed'));
  return output;
}

/** @param {string[]} command @param {NodeJS.ProcessEnv} env */
function start([program, ...args], env) {
  // Standard input stays open for as long as this process lives: children end with it, even after a SIGKILL.
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: 'pipe' });
  running.add(child);
  child.on('exit', () => running.delete(child));
  let errors = '';
  child.on('error', (error) => {
    errors += error.message;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-2_000);
  });
  const complaint = (/** @type {string} */ what) =>
    `${[program, ...args].join(' ')} ${what}\n${errors.trim()}`;
  child.stdin.on('error', () => {}); // it has ended, and says so otherwise
  const lines = createInterface(child.stdout);
  const ended = once(child, 'close');
  ended.catch(() => {}); // a program that cannot be started: who waits for it hears of it
  const line = async () => {
    const came = once(lines, 'line');
    const late = delay(START_DEADLINE, undefined, { ref: false });
    const first = await Promise.race([came, ended.then(() => 'ended'), late.then(() => 'does not answer')]);
    if (typeof first === 'string') throw new Error(complaint(first));
    return /** @type {string} */ (first[0]);
  };
  return {
    child,
    /** The next line that it prints. */
    line,
    /** What it answers to a line on its standard input: a count. */
    ask: async () => {
      const answer = line();
      child.stdin.write('\n');
      return Number(await answer);
    },
    /** The last that it wrote to standard error. */
    errors: () => errors.trim(),
    complaint,
  };
}

/** @param {ChildProcess} child */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** How a free port of 127.0.0.1 is found, and whether somebody answers there. */
export const tcp = {
  async freePort() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    server.close();
    await once(server, 'close');
    return port;
  },

  /** @param {number} port @returns {Promise<boolean>} */
  accepts(port) {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  },
};

const udp = {
  async freePort() {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    return port;
  },

  /**
   * A server answers the first HELLO and keeps nothing of it.
   * @param {number} port @returns {Promise<boolean>}
   */
  accepts(port) {
    return new Promise((resolve) => {
      const socket = createSocket('udp4');
      const done = (/** @type {boolean} */ answered) => {
        clearTimeout(timer);
        socket.close();
        resolve(answered);
      };
      const timer = setTimeout(done, 500, false);
      socket.once('message', () => done(true));
      socket.once('error', () => done(false));
      socket.connect(port, '127.0.0.1', () => {
        socket.send(handshakeFrame(Type.HELLO, 0, new DeviceHandshake('', 0).hello()));
      });
    });
  },
};
