/**
 * A registry in a folder of its own, with a clock that stands still.
 *
 * @module
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GatewayError, type GatewayErrorCode } from '#dist/errors.js';
import { Devices } from '#dist/registry/devices.js';
import { KeyVault } from '#dist/registry/key-vault.js';
import { MasterKey } from '#dist/registry/master-key.js';
import { Storage } from '#dist/storage/storage.js';

export const START = Date.UTC(2026, 10, 26);

/** A folder that is removed after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-registry-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Registry {
  readonly storage: Storage;
  readonly vault: KeyVault;
  readonly devices: Devices;
  /** Milliseconds since 1970. */
  readonly clock: { now: number };
  /** Called after the test, before the storage is closed. */
  readonly closers: (() => void)[];
}

export function openRegistry(t: TestContext, folder = temporaryFolder(t)): Registry {
  const storage = Storage.open(folder);
  const closers = [() => storage.close()];
  t.after(() => {
    for (const close of closers) close();
  });
  const clock = { now: START };
  const vault = new KeyVault(MasterKey.load(storage, {}));
  return { storage, vault, devices: new Devices(storage, vault, () => clock.now), clock, closers };
}

/** For `assert.throws`. */
export function gatewayError(code: GatewayErrorCode, message: RegExp) {
  return (error: unknown): true => {
    if (!(error instanceof GatewayError)) throw error;
    if (error.code !== code) throw new Error(`code is ${error.code}: ${error.message}`);
    if (!message.test(error.message)) throw new Error(`message is: ${error.message}`);
    return true;
  };
}

export function text(keys: readonly Uint8Array[]): string[] {
  return keys.map((key) => Buffer.from(key).toString());
}
