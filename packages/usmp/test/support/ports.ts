/** Serial ports without hardware: pseudo-terminals made by socat, with a cable between them that can treat bytes badly. */

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scope } from '../server/live.js';
import { findProgram, hasProgram } from './programs.js';

/** A test that needs socat. Where that cannot be had it is skipped loudly, and fails under `CI=true`. */
export function testWithPorts(
  promise: string,
  run: (t: TestContext, bench: PortBench) => Promise<void>,
): void {
  test(promise, async (t) => {
    if (await hasProgram(t, 'socat', promise)) await run(t, await PortBench.make(t));
  });
}

/** Makes ports whose names are in a folder of the test. */
export class PortBench {
  readonly #scope: Scope;
  readonly #socat: string;
  readonly folder: string;

  /** Where socat can be had. */
  static async make(scope: Scope): Promise<PortBench> {
    const socat = await findProgram('socat');
    assert.ok(socat, 'socat is missing');
    const folder = await mkdtemp(join(tmpdir(), 'usmp-ports-'));
    scope.after(() => rm(folder, { recursive: true, force: true }));
    return new PortBench(scope, socat, folder);
  }

  private constructor(scope: Scope, socat: string, folder: string) {
    this.#scope = scope;
    this.#socat = socat;
    this.folder = folder;
  }

  /** A port that the test itself holds the other end of, or something else that socat knows. */
  async plug(name: string, otherEnd = 'stdio'): Promise<Port> {
    const path = join(this.folder, name);
    const port = new Port(path, spawn(this.#socat, [`pty,raw,echo=0,link=${path}`, otherEnd]));
    this.#scope.after(() => port.unplug());
    for (;;) {
      if (await isThere(path)) return port;
      assert.equal(port.process.exitCode, null, 'socat has ended');
      await delay(5);
    }
  }

  /** Two ports with a cable between them. */
  async cable(): Promise<Cable> {
    return new Cable(await this.plug('server'), await this.plug('device'));
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** One port. What a program writes to it comes out here, and the other way round. */
export class Port {
  readonly path: string;
  readonly process: ChildProcessWithoutNullStreams;

  constructor(path: string, process: ChildProcessWithoutNullStreams) {
    this.path = path;
    this.process = process;
    process.stdin.on('error', () => {});
  }

  get url(): string {
    return `serial:${this.path}?baud=115200`;
  }

  onBytes(listener: (bytes: Uint8Array) => void): void {
    this.process.stdout.on('data', listener);
  }

  /** What comes out waits meanwhile. */
  pauseUntil(drained: Promise<unknown>): void {
    const { stdout } = this.process;
    stdout.pause();
    void drained.then(() => stdout.resume());
  }

  write(bytes: Uint8Array): void {
    if (this.process.stdin.writable) this.process.stdin.write(bytes);
  }

  /** Undefined while it takes more, else resolves when it does again, or is gone. */
  get drained(): Promise<unknown> | undefined {
    const { stdin } = this.process;
    if (stdin.writableLength < MUCH || stdin.destroyed) return undefined;
    return Promise.race([once(stdin, 'drain'), once(stdin, 'close')]).catch(() => {});
  }

  /** The port vanishes, and its name. */
  async unplug(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await exit;
    await rm(this.path, { force: true });
  }
}

/** What becomes of bytes on their way. */
export type Treatment = (bytes: Uint8Array) => Uint8Array;

/**
 * What a cable holds before it makes a port wait. Less would not do: socat does not read while it waits for its own output,
 * so two directions that are full wait for each other.
 */
const MUCH = 2 ** 20;

/** Carries bytes between two ports. */
export class Cable {
  readonly server: Port;
  readonly device: Port;
  /** From the device to the server, and back. */
  up: Treatment = unharmed;
  down: Treatment = unharmed;

  constructor(server: Port, device: Port) {
    this.server = server;
    this.device = device;
    device.onBytes((bytes) => carry(this.up(bytes), device, server));
    server.onBytes((bytes) => carry(this.down(bytes), server, device));
  }
}

function carry(bytes: Uint8Array, from: Port, to: Port): void {
  to.write(bytes);
  const { drained } = to;
  if (drained !== undefined) from.pauseUntil(drained);
}

export const unharmed: Treatment = (bytes) => bytes;
