/** Runs commands as a person would: the real `bin/usmp.js` in a process of its own. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const USMP = path.join(PACKAGE_ROOT, 'bin/usmp.js');
export const KEY = 'a key for tests, 16+';

/** How long anything may take on a busy machine. Milliseconds. */
const DEADLINE = 10_000;

/** How long a command may run: longer than anything that a test waits for. Milliseconds. */
const LIFETIME = 15_000;

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Instead of `bin/usmp.js`. */
  readonly script?: string;
}

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. It does not outlive its test. */
export class Command {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Outcome>;
  stdout = '';
  stderr = '';
  readonly #onOutput = new Set<() => void>();

  constructor(t: TestContext, args: readonly string[], { env = {}, cwd, script = USMP }: RunOptions = {}) {
    const { USMP_PSK: _, ...inherited } = process.env;
    this.process = spawn(process.execPath, [script, ...args], { cwd, env: { ...inherited, ...env } });
    this.process.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      for (const listener of this.#onOutput) listener();
    });
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
      for (const listener of this.#onOutput) listener();
    });
    // A command that has ended does not read any more.
    this.process.stdin.on('error', () => {});
    let overdue = false;
    const lifetime = setTimeout(() => {
      overdue = true;
      this.#end();
    }, LIFETIME);
    this.ended = new Promise((resolve, reject) => {
      this.process.on('close', (code, signal) => {
        clearTimeout(lifetime);
        if (overdue) reject(new Error(`did not end by itself:\n${this.stdout}\n${this.stderr}`));
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
        for (const listener of this.#onOutput) listener();
      });
    });
    this.ended.catch(() => {});
    t.after(() => this.#end());
  }

  /** The first match in what has been, or will be, written. */
  async sees(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    let over = false;
    const end = () => {
      over = true;
    };
    this.ended.then(end, end);
    const until = Date.now() + DEADLINE;
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (over || Date.now() > until) {
        throw new Error(
          `${pattern} never came on ${stream}:\n--- stdout\n${this.stdout}\n--- stderr\n${this.stderr}`,
        );
      }
      await this.#moreOutput();
    }
  }

  /** The events that `--json` has printed so far. */
  get events(): Record<string, unknown>[] {
    const lines = this.stdout.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Kindly first: a command may have something to put away. */
  async #end(): Promise<void> {
    const { process } = this;
    process.kill('SIGTERM');
    const timer = setTimeout(() => process.kill('SIGKILL'), 2_000);
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
    clearTimeout(timer);
    for (const stream of [process.stdin, process.stdout, process.stderr]) stream.destroy();
  }

  #moreOutput(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onOutput.delete(done);
        resolve();
      };
      const timer = setTimeout(done, DEADLINE);
      this.#onOutput.add(done);
    });
  }
}

/** Runs a command to its end, with what is written to its standard input. */
export function run(
  t: TestContext,
  args: readonly string[],
  options: RunOptions & { readonly input?: string } = {},
): Promise<Outcome> {
  const command = new Command(t, args, options);
  command.process.stdin.end(options.input ?? '');
  return command.ended;
}

/** The arguments of `usmp connect` with the right key. */
export function connectArgs(url: string, ...args: string[]): string[] {
  return ['connect', url, '--psk', KEY, ...args];
}

/** Starts `usmp serve` on a free port and waits until it listens. */
export async function serve(
  t: TestContext,
  args: readonly string[],
  options?: RunOptions,
): Promise<{ server: Command; url: string }> {
  const server = new Command(t, ['serve', '--listen', 'tcp://127.0.0.1:0', ...args], options);
  const [, url] = await server.sees(/(tcp:\/\/127\.0\.0\.1:\d+)/);
  return { server, url };
}

/** A folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'usmp-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
