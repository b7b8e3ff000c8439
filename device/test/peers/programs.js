/**
 * The programs of device/posix: built once for each choice of switches, and run as a person would.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findTools } from '../../../scripts/toolchain.js';

export const DEVICE = fileURLToPath(new URL('../../', import.meta.url));

/** How long anything may take on a busy machine. Milliseconds. */
export const DEADLINE = 20_000;

/** How long a program may run: longer than anything that a test waits for. Milliseconds. */
const LIFETIME = 60_000;

const BUILD_TIME = 180_000;

/** Compilers, make and the libraries; undefined where they cannot be had, which is said on stderr. */
export const tools = await findTools('analysis');

/**
 * A test that needs compilers. Where there are none it is skipped loudly; under `CI=true`, where nothing may be left out, it
 * fails.
 *
 * @param {string} promise
 * @param {(t: import('node:test').TestContext) => Promise<void>} run
 */
export function testWithTools(promise, run) {
  test(promise, { timeout: BUILD_TIME + LIFETIME }, async (t) => {
    if (tools !== undefined) return run(t);
    const missing = 'compilers, make, BearSSL or Mbed TLS are missing';
    assert.notEqual(process.env.CI, 'true', missing);
    console.error(`*** NOT TESTED, ${missing}: ${promise}`);
    t.skip(missing);
  });
}

/** @type {Map<string, Promise<{ client: string, server: string }>>} */
const builds = new Map();

/**
 * Paths of the programs over a backend and with a longest message, built if need be. Those for long messages also have more of
 * them under way, as who has the memory for the one has it for the other; and they watch over themselves (AddressSanitizer, UBSan).
 * The warnings that only an optimiser can give, it gives once: for BearSSL and short messages.
 *
 * @param {'bearssl' | 'psa' | 'mbedtls'} crypto
 */
export function build(crypto = 'bearssl', maxMessage = 452) {
  const folder = `build/posix-${crypto}-${maxMessage}`;
  let programs = builds.get(folder);
  if (programs === undefined) {
    const more = maxMessage > 452 ? ' -DUSMP_SEND_QUEUE=4 -DUSMP_MAX_UNDER_WAY=32 -DUSMP_MAX_HELD=32' : '';
    const watch = '-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer';
    const switches = [
      ...[`CRYPTO=${crypto}`, `BUILD=${folder}`, `CPPFLAGS=-DUSMP_MAX_MESSAGE=${maxMessage}${more}`],
      ...(maxMessage > 452
        ? [`CC=${tools.clang}`, `CFLAGS=-O0 -g -Werror ${watch}`]
        : [`CFLAGS=${crypto === 'bearssl' ? '-O1' : '-O0'} -g -Werror`]),
    ];
    programs = alone(path.join(DEVICE, `${folder}.lock`), () => make(switches)).then(() => ({
      client: path.join(DEVICE, folder, 'usmp-client'),
      server: path.join(DEVICE, folder, 'usmp-server'),
    }));
    builds.set(folder, programs);
  }
  return programs;
}

/** @param {readonly string[]} args */
export function make(args, folder = DEVICE) {
  return execute('make', ['-C', folder, '-s', '-j2', ...args]);
}

/**
 * Runs a program of the machine to its end.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import('node:child_process').ExecFileOptions} options
 * @returns {Promise<string>} what it printed
 * @throws {Error} it failed; with what it printed
 */
export function execute(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: BUILD_TIME, ...options }, (error, stdout, stderr) => {
      if (error === null) resolve(`${stdout}${stderr}`);
      else reject(new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error }));
    });
  });
}

/**
 * Test files run at the same time, and two makes in one folder would meet each other's half of a file.
 *
 * @template T
 * @param {string} lock a folder that is there while somebody works
 * @param {() => Promise<T>} work
 */
export async function alone(lock, work) {
  await mkdir(path.dirname(lock), { recursive: true });
  while (!(await mkdir(lock).then(() => true, isTaken))) {
    const age = await stat(lock).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    // Left behind by a run that was interrupted.
    if (age > BUILD_TIME) await rmdir(lock).catch(() => {});
    await delay(50);
  }
  try {
    return await work();
  } finally {
    await rmdir(lock).catch(() => {});
  }
}

/** @param {NodeJS.ErrnoException} error */
function isTaken(error) {
  if (error.code === 'EEXIST') return false;
  throw error;
}

/** A running program. It does not outlive its test. */
export class Program {
  stdout = '';
  stderr = '';
  /** @type {Set<() => void>} */
  #onOutput = new Set();
  #over = false;

  /**
   * @param {Pick<import('node:test').TestContext, 'after'>} t
   * @param {string} file
   * @param {readonly string[]} args
   * @param {{ env?: Record<string, string>, lifetime?: number }} options `lifetime` in milliseconds, after which it is killed
   */
  constructor(t, file, args, { env = {}, lifetime: longest = LIFETIME } = {}) {
    const { USMP_PSK: _, ...inherited } = process.env;
    this.process = spawn(file, args, { env: { ...inherited, ...env } });
    for (const stream of /** @type {const} */ (['stdout', 'stderr'])) {
      this.process[stream].setEncoding('utf8').on('data', (text) => {
        this[stream] += text;
        this.#tell();
      });
    }
    // A program that has ended does not read any more.
    this.process.stdin.on('error', () => {});
    let overdue = false;
    const lifetime = setTimeout(() => {
      overdue = true;
      this.process.kill('SIGKILL');
    }, longest);
    /** @type {Promise<{ code: number | null, signal: NodeJS.Signals | null, stdout: string, stderr: string }>} */
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => {
        clearTimeout(lifetime);
        this.#over = true;
        if (overdue) reject(new Error(`did not end by itself:\n${this.stdout}\n${this.stderr}`));
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
        this.#tell();
      });
    });
    this.ended.catch(() => {});
    t.after(async () => {
      if (this.process.exitCode !== null || this.process.signalCode !== null) return;
      const exit = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await exit;
    });
  }

  /**
   * The first match in what has been, or will be, written.
   *
   * @param {RegExp} pattern
   * @param {'stdout' | 'stderr'} stream
   * @returns {Promise<RegExpExecArray>}
   */
  async sees(pattern, stream = 'stdout') {
    const until = Date.now() + DEADLINE;
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (this.#over || Date.now() > until) {
        assert.fail(
          `${pattern} never came on ${stream}:\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`,
        );
      }
      await this.#moreOutput(until - Date.now());
    }
  }

  /** @param {NodeJS.Signals} signal */
  kill(signal) {
    this.process.kill(signal);
  }

  #tell() {
    for (const listener of [...this.#onOutput]) listener();
  }

  /** @param {number} patience milliseconds */
  #moreOutput(patience) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onOutput.delete(done);
        resolve(undefined);
      };
      const timer = setTimeout(done, patience);
      this.#onOutput.add(done);
    });
  }
}

/**
 * Runs a program to its end, with what is written to its standard input.
 *
 * @param {Pick<import('node:test').TestContext, 'after'>} t
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, input?: string }} options
 */
export function run(t, file, args, options = {}) {
  const program = new Program(t, file, args, options);
  program.process.stdin.end(options.input ?? '');
  return program.ended;
}

/**
 * Until it works.
 *
 * @template T
 * @param {() => T | Promise<T>} work
 */
export async function retry(work) {
  const until = Date.now() + DEADLINE;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > until) throw error;
      await delay(20);
    }
  }
}
