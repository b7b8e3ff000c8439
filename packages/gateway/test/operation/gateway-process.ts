/** The built gateway as an operator runs it: a process of its own, which can be signalled, killed and started again. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../bin/usmp-gateway.js', import.meta.url));

/** What things end with: a test, or a file of them. */
export type Scope = Pick<TestContext, 'after'>;

/** For whatever is waited for. Milliseconds; other tests run beside these. */
export const DEADLINE = 20_000;

/** Waits until `check` gives something other than undefined or false. */
export async function until<Result>(
  what: string,
  check: () => Result | undefined | false | Promise<Result | undefined | false>,
  interval = 20,
): Promise<Result> {
  for (const late = performance.now() + DEADLINE; performance.now() < late; await delay(interval)) {
    const result = await check();
    if (result !== undefined && result !== false) return result;
  }
  assert.fail(`${what}: not within ${DEADLINE / 1_000} s`);
}

export function temporaryFolder(t: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-operation-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface StartOptions {
  readonly folder: string;
  readonly listen?: readonly string[];
  readonly httpListen?: string;
  readonly flags?: readonly string[];
  /** A command that runs the gateway as its own process, by `exec`. */
  readonly through?: readonly string[];
  /** That command mounts something for it alone. */
  readonly ownMounts?: boolean;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is checked against its description elsewhere.
  readonly body: any;
}

export interface CallOptions {
  readonly key?: string;
  /** For an answer of the public address, without the token of run.json. */
  readonly url?: string;
}

export class GatewayProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly #folder: string;
  readonly #ownMounts: boolean;
  readonly #agent = new Agent({ keepAlive: true });
  #stdout = '';
  #stderr = '';
  #run: { url: string; token: string } | undefined;

  private constructor({
    folder,
    listen,
    httpListen,
    flags = [],
    through = [],
    ownMounts = false,
  }: StartOptions) {
    this.#folder = folder;
    this.#ownMounts = ownMounts;
    const command = [
      ...through,
      ...[process.execPath, PROGRAM, 'start', '--data', folder],
      ...(listen ?? ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0']).flatMap((url) => ['--listen', url]),
      ...['--http-listen', httpListen ?? '127.0.0.1:0', '--log-format', 'json'],
      ...['--http-rate-limit', '10000000', ...flags],
    ];
    // Nothing of the environment of whoever runs the tests is to configure it.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('USMP_GATEWAY_')),
    );
    this.child = spawn(command[0]!, command.slice(1), {
      env,
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text) => (this.#stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text) => (this.#stderr += text));
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#agent.destroy();
      return { code, signal };
    });
  }

  /** Starts it without waiting for anything. */
  static spawn(t: Scope, options: StartOptions): GatewayProcess {
    const gateway = new GatewayProcess(options);
    t.after(() => gateway.kill());
    return gateway;
  }

  /** Starts it and waits until it has said where it listens. */
  static async start(t: Scope, options: StartOptions): Promise<GatewayProcess> {
    const gateway = GatewayProcess.spawn(t, options);
    await gateway.ready();
    return gateway;
  }

  async ready(): Promise<void> {
    await until('the gateway listens', () => {
      assert.equal(this.child.exitCode, null, `it ended at the start: ${this.#stderr}`);
      return this.#stdout.includes('dashboard ');
    });
    this.#run = this.runFileFacts();
  }

  runFileFacts(): { readonly pid: number; readonly url: string; readonly token: string } {
    return JSON.parse(readFileSync(this.runFile, 'utf8'));
  }

  /** What it has written to standard error: its log. */
  get log(): string {
    return this.#stderr;
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** A file of the data folder as it sees it, which may have file systems of its own. */
  file(name: string): string {
    const file = join(this.#folder, name);
    return this.#ownMounts ? join(`/proc/${this.child.pid}/root`, file) : file;
  }

  get runFile(): string {
    return this.file('run.json');
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Where devices connect. */
  get urls(): readonly string[] {
    return [...this.#stdout.matchAll(/^listening (.+)$/gm)].map(([, url]) => url!);
  }

  url(scheme: string): string {
    return this.urls.find((url) => url.startsWith(`${scheme}:`))!;
  }

  /** Of the API that others reach, which stays open while it stops. */
  get publicURL(): string {
    return /^api (http\S+)\/api\/v1$/m.exec(this.#stdout)![1]!;
  }

  /** `host:port` of it. */
  get httpListen(): string {
    return new URL(this.publicURL).host;
  }

  /** One request, with the token of the command line. */
  call(method: string, path: string, body?: unknown, { key, url }: CallOptions = {}): Promise<Answer> {
    const { promise, resolve, reject } = withResolvers<Answer>();
    const sent = request(`${url ?? this.#run!.url}${path}`, {
      method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#run!.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('error', reject);
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode!, body: text === '' ? undefined : JSON.parse(text) });
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  /** The same, where the answer has to be this one. Returns its body. */
  async expect(status: number, method: string, path: string, body?: unknown, options?: CallOptions) {
    const answer = await this.call(method, path, body, options);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}\n${this.log}`);
    return answer.body;
  }

  /** Registers a device; returns its key. */
  async addDevice(id: string): Promise<string> {
    return (await this.expect(201, 'POST', '/api/v1/devices', { id })).key;
  }

  /** All stored messages, oldest first. */
  async messages(): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = await this.expect(200, 'GET', `/api/v1/messages?after=${after}&limit=1000`);
      messages.push(...page.messages);
      after = page.next;
    }
    return messages;
  }

  /** Events in the log of events after an id. */
  async events(after = 0): Promise<{ id: number; type: string; device: string | null; data: unknown }[]> {
    return (await this.expect(200, 'GET', `/api/v1/events/log?after=${after}&limit=1000`)).events;
  }

  /** An event stream: `read` is called with each piece of it. Resolves when it has ended, however that was. */
  stream(lastEventId: number, read: (piece: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const sent = request(`${this.#run!.url}/api/v1/events`, {
        headers: { authorization: `Bearer ${this.#run!.token}`, 'last-event-id': String(lastEventId) },
      });
      sent.on('error', () => resolve());
      sent.on('response', (response) => {
        response.setEncoding('utf8').on('data', read);
        response.on('close', resolve);
        response.on('error', () => {});
      });
      sent.end();
    });
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM, and what `exited` says then. */
  stop() {
    this.child.kill('SIGTERM');
    return this.exited;
  }

  /** Checks that it has ended as a start that failed: with an exit code, a message, and nothing left behind. */
  async assertFailed(message: RegExp, code = 1): Promise<void> {
    assert.deepEqual(await this.exited, { code, signal: null }, this.#stderr);
    assert.match(this.#stderr, message);
    assert.doesNotMatch(this.#stderr, /\n {4}at /, 'no stack for what an operator can put right');
    assert.equal(this.#stdout, '', 'it has said that it listens');
    assert.equal(existsSync(this.runFile), false, 'run.json is left');
  }
}

export interface StoredMessage {
  readonly id: number;
  readonly device: string;
  readonly direction: 'in' | 'out';
  readonly state: string;
  readonly text?: string;
}

function withResolvers<Result>() {
  let resolve!: (result: Result) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Result>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}
