/** Runs commands as a person would: the real `bin/usmp-gateway.js` in a process of its own. */

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/usmp-gateway.js', import.meta.url));
const MANY = fileURLToPath(new URL('many.js', import.meta.url));

/** How long anything may take on a busy machine. Milliseconds. */
const DEADLINE = 20_000;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. It does not outlive its test. */
export class RunningCommand {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Outcome>;
  stdout = '';
  stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(t: TestContext, script: string, args: readonly string[], { cwd, env = {} }: RunOptions) {
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('USMP_'));
    this.process = spawn(process.execPath, [script, ...args], {
      cwd,
      env: { ...Object.fromEntries(clean), ...env },
    });
    for (const name of ['stdout', 'stderr'] as const)
      this.process[name].setEncoding('utf8').on('data', (text) => {
        this[name] += text;
        this.#wake();
      });
    // A command that has ended does not read any more.
    this.process.stdin.on('error', () => {});
    this.ended = once(this.process, 'close').then(([code]) => {
      this.#wake();
      return { code, stdout: this.stdout, stderr: this.stderr };
    });
    t.after(async () => {
      this.process.kill('SIGKILL');
      await this.ended;
    });
  }

  /** The first match in what has been, or will be, written. */
  async sees(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    const timer = setTimeout(() => this.#wake(), DEADLINE);
    const until = Date.now() + DEADLINE;
    try {
      for (;;) {
        const match = pattern.exec(this[stream]);
        if (match !== null) return match;
        const isOver = this.process.exitCode !== null || this.process.signalCode !== null;
        if (isOver || Date.now() >= until)
          assert.fail(`${pattern} never came on ${stream}:\n${this.stdout}\n${this.stderr}`);
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Starts a command. */
export function start(t: TestContext, args: readonly string[], options: RunOptions = {}): RunningCommand {
  return new RunningCommand(t, BIN, args, options);
}

/** Runs one to its end. */
export function run(t: TestContext, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const command = start(t, args, options);
  command.process.stdin.end(options.input ?? '');
  return command.ended;
}

/** Runs several, one after the other, in one process. */
export async function runAll(
  t: TestContext,
  commands: readonly (readonly string[])[],
  options: RunOptions = {},
): Promise<Outcome[]> {
  const command = new RunningCommand(t, MANY, [], options);
  command.process.stdin.end(JSON.stringify(commands));
  const { code, stdout, stderr } = await command.ended;
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** The answer of a command with `--json` that has done its work. */
export function answerOf<Answer>({ code, stdout, stderr }: Outcome): Answer {
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

/** A folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'usmp-gateway-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
