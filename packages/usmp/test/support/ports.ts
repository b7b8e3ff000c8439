/** Serial ports without hardware: pseudo-terminals made by socat, with a cable between them that can treat bytes badly. */

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const PROGRAMS_SCRIPT = new URL('../../../../scripts/programs.js', import.meta.url);

/** A test that needs socat. Where that cannot be had it is skipped loudly, and fails under `CI=true`. */
export function testWithPorts(
  promise: string,
  run: (t: TestContext, bench: PortBench) => Promise<void>,
): void {
  test(promise, async (t) => {
    const { findProgram } = await import(PROGRAMS_SCRIPT.href);
    const socat: string | undefined = await findProgram('socat');
    if (socat !== undefined) return run(t, await PortBench.make(t, socat));
    assert.notEqual(process.env.CI, 'true', 'socat is missing');
    console.error(`*** NOT TESTED, socat is missing: ${promise}`);
    t.skip('socat is missing');
  });
}

/** Makes ports whose names are in a folder of the test. */
export class PortBench {
  readonly #t: TestContext;
  readonly #socat: string;
  readonly folder: string;

  static async make(t: TestContext, socat: string): Promise<PortBench> {
    const folder = await mkdtemp(join(tmpdir(), 'usmp-ports-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    return new PortBench(t, socat, folder);
  }

  constructor(t: TestContext, socat: string, folder: string) {
    this.#t = t;
    this.#socat = socat;
    this.folder = folder;
  }

  /** A port that the test itself holds the other end of, or something else that socat knows. */
  async plug(name: string, otherEnd = 'stdio'): Promise<Port> {
    const path = join(this.folder, name);
    const port = new Port(path, spawn(this.#socat, [`pty,raw,echo=0,link=${path}`, otherEnd]));
    this.#t.after(() => port.unplug());
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

  write(bytes: Uint8Array): void {
    if (this.process.stdin.writable) this.process.stdin.write(bytes);
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
    device.onBytes((bytes) => server.write(this.up(bytes)));
    server.onBytes((bytes) => device.write(this.down(bytes)));
  }
}

export const unharmed: Treatment = (bytes) => bytes;
