/** Starts the servers and the load generator, and sees to it that none of them outlives the benchmark. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

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
 * Starts an echo server and waits until it accepts.
 * @param {string[]} command to which the port is added
 * @param {NodeJS.ProcessEnv} env beside that of this process
 */
export async function startServer(command, env) {
  const port = await freePort();
  const server = start([...command, String(port)], env);
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
    stop: () => stop(server.child),
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
  child.stdout.resume();
  return {
    child,
    /** The last that it wrote to standard error. */
    errors: () => errors.trim(),
    complaint: (/** @type {string} */ what) => `${[program, ...args].join(' ')} ${what}\n${errors.trim()}`,
  };
}

/** @param {ChildProcess} child */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** @returns {Promise<number>} a port of 127.0.0.1 that nobody listens on */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
