/**
 * Seals all keys of devices under a new master key.
 *
 * In the order that leaves, wherever it is interrupted, a state that `MasterKey.load` opens:
 * 1. the new key is on the disk as `master.key.new`;
 * 2. one transaction seals all keys anew and stores the check value of the new master key;
 * 3. `master.key.new` becomes `master.key`.
 * Before the commit of 2 the check value says `master.key` is right, after it `master.key.new`.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import { KeyVault } from './key-vault.js';
import { keyFiles, MASTER_KEY_VARIABLE, MasterKey, NEXT_KEY_VARIABLE, storeCheck } from './master-key.js';

/** Keys sealed anew at a time. */
const BATCH = 1_000;

export interface MasterKeyRotation {
  /** Keys of devices that were sealed anew. */
  readonly keys: number;
  /** What is left to the operator; undefined when nothing is. */
  readonly remaining: string | undefined;
}

interface SealedRow {
  device: string;
  slot: number;
  sealed: Buffer;
}

/**
 * Changes the master key of a database, and of the vault that works on it. A master key that comes from the environment is
 * replaced by `USMP_GATEWAY_MASTER_KEY_NEW`, which the operator then has to put in its place.
 *
 * @throws {GatewayError} `invalid`: the new key is missing or cannot be used; `unavailable`, `storage_full`: the old one
 * stays, unless the message says otherwise
 */
export function rotateMasterKey(
  storage: Storage,
  vault: KeyVault,
  env: Readonly<Record<string, string | undefined>>,
): MasterKeyRotation {
  if (vault.master.origin === 'environment') return rotateInEnvironment(storage, vault, env);
  const { current, next } = keyFiles(storage.folder);
  // One that is there seals the keys already when a rename failed, or may do so when a commit failed: it must not be lost.
  if (next.exists() && MasterKey.parse(next.read(), 'file', next.path).check === vault.master.check)
    next.renameTo(current);
  if (!next.exists()) next.write(`${MasterKey.random('file').text()}\n`);
  const master = MasterKey.parse(next.read(), 'file', next.path);
  const keys = sealAnew(storage, vault, master);
  try {
    next.renameTo(current);
  } catch (error) {
    throw new GatewayError(
      'unavailable',
      `the keys are sealed with the new master key, but it could not be moved from ${next.path} to ${current.path} (${(error as Error).message}): leave both files, the next start does it`,
      { cause: error },
    );
  }
  return { keys, remaining: undefined };
}

function rotateInEnvironment(
  storage: Storage,
  vault: KeyVault,
  env: Readonly<Record<string, string | undefined>>,
): MasterKeyRotation {
  const text = env[NEXT_KEY_VARIABLE];
  if (text === undefined || text === '')
    throw new GatewayError(
      'invalid',
      `the master key comes from ${MASTER_KEY_VARIABLE}: give the next one in ${NEXT_KEY_VARIABLE}`,
    );
  const master = MasterKey.parse(text, 'environment', NEXT_KEY_VARIABLE);
  if (master.check === vault.master.check)
    throw new GatewayError('invalid', `${NEXT_KEY_VARIABLE} is the master key that is used already`);
  const keys = sealAnew(storage, vault, master);
  const remaining = `put the value of ${NEXT_KEY_VARIABLE} into ${MASTER_KEY_VARIABLE} before the next start, and unset ${NEXT_KEY_VARIABLE}`;
  return { keys, remaining };
}

function sealAnew(storage: Storage, vault: KeyVault, master: MasterKey): number {
  const next = new KeyVault(master);
  const count = storage.transaction(() => {
    let count = 0;
    for (let rows = sealedAfter(storage); rows.length > 0; rows = sealedAfter(storage, rows.at(-1))) {
      for (const { device, slot, sealed } of rows) {
        const key = vault.open(device, sealed);
        storage
          .prepare('UPDATE device_keys SET sealed = ?, fingerprint = ? WHERE device = ? AND slot = ?')
          .run(next.seal(device, key), next.fingerprint(device, key), device, slot);
      }
      count += rows.length;
    }
    storeCheck(storage, master);
    return count;
  });
  vault.replaceMaster(master);
  return count;
}

function sealedAfter(storage: Storage, last?: SealedRow): SealedRow[] {
  return storage
    .prepare<SealedRow>(
      `SELECT device, slot, sealed FROM device_keys WHERE (device, slot) > (?, ?)
       ORDER BY device, slot LIMIT ?`,
    )
    .all(last?.device ?? '', last?.slot ?? 0, BATCH);
}
