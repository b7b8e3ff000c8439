/** What tests of the Arduino library stand on: sketches as programs of this machine, and the servers that they talk to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPServer } from '../../../packages/usmp/dist/index.js';
import { serve } from '../../../packages/usmp/dist-test/cli/command.js';
import { findTools } from '../../../scripts/toolchain.js';
import { Program } from '../peers/programs.js';
import { isThere, library } from './workshop.js';

/** The key of all examples. */
export const KEY = 'your-psk-here-16+';
/** The MAC address of the shim. */
export const DEVICE_ID = '24:6f:28:aa:bb:cc';

/** A test with a build in it, where nothing has been built before. Milliseconds. */
const LONGEST_TEST = 280_000;

const [analysis, avr] = [await findTools('analysis'), await findTools('avr')];
const hasCpp = analysis !== undefined && (await isThere('g++'));

/** What all of these tests need, as what is missing of it; empty when nothing is. */
const missing = [
  hasCpp ? '' : 'compilers, valgrind, BearSSL or Mbed TLS',
  avr === undefined ? 'arduino-ctags and the tools for AVR' : '',
  (await library()) === undefined ? 'the source of BearSSL' : '',
].filter((what) => what !== '');

/**
 * A test that needs compilers, and what the library is packed from. Where they cannot be had it is skipped loudly; under `CI=true`
 * that is a failure.
 *
 * @param {string} promise
 * @param {(t: import('node:test').TestContext) => Promise<void>} act
 */
export function arduinoTest(promise, act) {
  test(promise, { timeout: LONGEST_TEST }, async (t) => {
    if (missing.length === 0) return act(t);
    const reason = `${missing.join(', and ')} cannot be had: see above`;
    assert.notEqual(process.env.CI, 'true', reason);
    console.error(`*** NOT TESTED, ${reason}: ${promise}`);
    t.skip(reason);
  });
}

/** `usmp serve`, as a user starts it. @param {import('node:test').TestContext} t @param {string[]} args */
export async function usmpServe(t, ...args) {
  const { server, url } = await serve(t, ['--psk', KEY, ...args]);
  return { server, port: Number(new URL(url).port) };
}

/**
 * A server that remembers what it was told.
 *
 * @param {import('node:test').TestContext} t @param {string} listen
 * @param {import('../../../packages/usmp/dist/index.js').USMPServerOptions} [options]
 */
export async function remember(t, listen, options = { psk: KEY }) {
  let changes = 0;
  /** The only way to see that keys were changed. They are not kept. @param {string} line */
  const dangerKeyLog = (line) => {
    if (line.split(' ')[3] !== '0') changes++;
  };
  const server = new USMPServer({ listen, dangerKeyLog, ...options });
  /** @type {string[]} */
  const messages = [];
  /** @type {import('../../../packages/usmp/dist/index.js').USMPSession[]} */
  const sessions = [];
  /** @type {(string | undefined)[]} */
  const ends = [];
  /** @type {string[]} */
  const refusals = [];
  server.on('refused', ({ reason }) => refusals.push(reason));
  server.on('disconnect', (session, error) => ends.push((error ?? session.error)?.code));
  server.onSession(async (session) => {
    sessions.push(session);
    for await (const message of session) messages.push(Buffer.from(message).toString());
  });
  await server.listen();
  t.after(() => server.close({ timeout: 0 }));
  const port = Number(/:(\d+)$/.exec(server.urls[0])?.[1]);
  return { server, port, messages, sessions, ends, refusals, changesOfKeys: () => changes };
}

/** A sketch that runs. What it prints is `stdout`; `tell` is what main.cpp of the shim obeys. */
export class Sketch extends Program {
  /**
   * @param {import('node:test').TestContext} t @param {string} program
   * @param {{ port?: number, line?: number, nvs?: string, under?: string[] }} world `port` of the server, `line` of a serial+tcp
   *   listener, `nvs` a file that keeps what the sketch stores, `under` a program that runs it, such as valgrind
   */
  constructor(t, program, { port = 0, line, nvs, under = [] }) {
    const [file, ...args] = [...under, program];
    const env = {
      SHIM_SERVER: String(port),
      ...(line === undefined ? {} : { SHIM_LINE: String(line) }),
      ...(nvs === undefined ? {} : { SHIM_NVS: nvs }),
      ASAN_OPTIONS: 'detect_leaks=1',
    };
    super(t, file, args, { env });
  }

  /** What a person types into the serial monitor during setup(). @param {string} line */
  type(line) {
    this.process.stdin.write(`${line}\n`);
  }

  /** @param {string} command */
  async tell(command) {
    this.process.stdin.write(`${command}\n`);
    await this.sees(new RegExp(`^@done ${command}$`, 'm'));
  }

  /** How long one loop() took at most so far. Milliseconds. */
  async longestLoop() {
    this.process.stdin.write('report\n');
    const [, us] = await this.sees(/^@longest (\d+) us$/m);
    return Number(us) / 1_000;
  }

  /** Ends it as pulling the plug does, but for the sanitizers, which have the last word. */
  async quit() {
    this.process.stdin.end();
    const { code, stderr } = await this.ended;
    assert.equal(stderr, '');
    assert.equal(code, 0);
  }
}

/**
 * @param {() => boolean} condition @param {string} what @param {number} patience milliseconds
 */
export async function until(condition, what, patience = 20_000) {
  const deadline = Date.now() + patience;
  while (!condition()) {
    assert(Date.now() < deadline, `${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
