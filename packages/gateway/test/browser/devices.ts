/** Devices that connect to the gateway: in the process of the test, and in processes of their own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import { USMPClient, type USMPClientOptions, type USMPSession } from 'usmp';
import { type Scope, until } from '../operation/gateway-process.js';
import { skipLoudly } from './chromium.js';

const PEERS = new URL('../../../../device/test/peers/programs.js', import.meta.url);

/** Connects, and does not outlive its test. */
export async function connectDevice(
  t: Scope,
  url: string,
  deviceId: string,
  psk: string,
  options: Partial<USMPClientOptions> = {},
): Promise<{ client: USMPClient; session: USMPSession }> {
  const client = new USMPClient({ url, psk, deviceId, ...options });
  t.after(() => client.disconnect());
  return { client, session: await client.connect() };
}

/** Tries to connect, and gives back the code of the error. */
export async function fails(url: string, deviceId: string, psk: string): Promise<string> {
  const client = new USMPClient({ url, psk, deviceId });
  return client.connect().then(
    async () => {
      await client.disconnect();
      return 'connected';
    },
    (error) => error.code,
  );
}

/** The client in C, built if need be. Undefined: the test is skipped, as there are no compilers. */
export async function clientInC(t: TestContext, promise: string): Promise<string | undefined> {
  const { tools, build } = await import(PEERS.href);
  if (tools !== undefined) return (await build()).client;
  skipLoudly(t, 'compilers, make or BearSSL are missing', promise);
  return undefined;
}

/** A program that is a device: it prints what it receives, and may be stopped and continued. */
export class DeviceProgram {
  readonly #child;
  readonly #exited: Promise<unknown>;
  #output = '';

  constructor(t: TestContext, file: string, args: readonly string[]) {
    this.#child = spawn(file, args, { cwd: tmpdir(), stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (this.#output += text));
    this.#child.stdin.on('error', () => {});
    this.#exited = once(this.#child, 'close');
    t.after(async () => {
      this.#child.kill('SIGKILL');
      await this.#exited;
    });
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Waits until it has printed something. */
  prints(text: string): Promise<unknown> {
    return until(`the device prints ${JSON.stringify(text)}`, () => this.#output.includes(text));
  }

  /** Its process stands still: it neither reads nor answers. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
