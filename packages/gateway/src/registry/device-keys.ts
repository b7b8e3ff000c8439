/**
 * The one or two keys of each device: slot 0 has the new one, slot 1 the old one while both are valid.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { KeyVault } from './key-vault.js';

/** A row of `device_keys`, ready to be stored. */
export interface SealedKey {
  readonly sealed: Uint8Array;
  readonly fingerprint: string;
}

export class DeviceKeys {
  readonly #storage: Storage;
  readonly #vault: KeyVault;
  readonly #now: () => number;

  constructor(storage: Storage, vault: KeyVault, now: () => number) {
    this.#storage = storage;
    this.#vault = vault;
    this.#now = now;
  }

  /** The valid keys of an enabled device, new one first. Part of each handshake: one look-up, one decryption a key. */
  valid(id: string): readonly Uint8Array[] {
    // Both in one row: `get` takes a quarter of the time of `all`.
    const row = this.#storage
      .prepare<{ fresh: Buffer | null; old: Buffer | null }>(
        `SELECT max(iif(k.slot = 0, k.sealed, NULL)) AS fresh, max(iif(k.slot = 1, k.sealed, NULL)) AS old
         FROM devices d JOIN device_keys k ON k.device = d.id
         WHERE d.id = ? AND d.enabled = 1 AND (k.expires_at IS NULL OR k.expires_at > ?)`,
      )
      .get(id, this.#now())!;
    return [row.fresh, row.old]
      .filter((sealed) => sealed !== null)
      .map((sealed) => this.#vault.open(id, sealed));
  }

  seal(id: string, key: Uint8Array): SealedKey {
    return { sealed: this.#vault.seal(id, key), fingerprint: this.fingerprint(id, key) };
  }

  /** What tells the keys of a device apart, without telling them. */
  fingerprint(id: string, key: Uint8Array): string {
    return this.#vault.fingerprint(id, key);
  }

  /** Stores a key in an empty slot. */
  insert(id: string, slot: 0 | 1, key: Uint8Array, expiresAt?: number): void {
    const { sealed, fingerprint } = this.seal(id, key);
    this.#storage
      .prepare(
        `INSERT INTO device_keys (device, slot, sealed, fingerprint, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)`,
      )
      .run(id, slot, sealed, fingerprint, this.#now(), expiresAt ?? null);
  }

  /**
   * Puts a key in front. What stood there becomes the old one, unless there is an old one that the device may still have:
   * then it is dropped, as the device never used it.
   *
   * @param oldUntil when the old one ends; undefined: when the new one is used, or as was said before. In the past: now
   * @throws {GatewayError} `invalid`: it is the key that the device has
   */
  rotate(id: string, key: Uint8Array, oldUntil?: number): void {
    const now = this.#now();
    this.#dropExpired(id, now);
    const slots = this.#storage
      .prepare<{ slot: number; fingerprint: string }>(
        'SELECT slot, fingerprint FROM device_keys WHERE device = ? ORDER BY slot',
      )
      .all(id);
    const fingerprint = this.fingerprint(id, key);
    if (slots.some((row) => row.slot === 0 && row.fingerprint === fingerprint))
      throw new GatewayError('invalid', 'this is the key that the device has: give another one', {
        field: 'key',
      });
    if (slots.some(({ slot }) => slot === 1)) this.drop(id, 0);
    else this.#storage.prepare('UPDATE device_keys SET slot = 1 WHERE device = ? AND slot = 0').run(id);
    this.insert(id, 0, key);
    if (oldUntil === undefined) return;
    this.#storage
      .prepare('UPDATE device_keys SET expires_at = ? WHERE device = ? AND slot = 1')
      .run(oldUntil, id);
    this.#dropExpired(id, now);
  }

  /** False: the slot was empty. */
  drop(id: string, slot: 0 | 1): boolean {
    return (
      this.#storage.prepare('DELETE FROM device_keys WHERE device = ? AND slot = ?').run(id, slot).changes > 0
    );
  }

  dropAll(id: string): void {
    this.#storage.prepare('DELETE FROM device_keys WHERE device = ?').run(id);
  }

  /** Whether there is one that has not ended. */
  hasValid(id: string): boolean {
    return (
      this.#storage
        .prepare(
          'SELECT 1 FROM device_keys WHERE device = ? AND (expires_at IS NULL OR expires_at > ?) LIMIT 1',
        )
        .get(id, this.#now()) !== undefined
    );
  }

  /** A session has opened under a key. The first one under the new key ends the old one. */
  used(id: string, slot: 0 | 1): { rotated: boolean } {
    this.#storage
      .prepare('UPDATE device_keys SET used_at = ? WHERE device = ? AND slot = ?')
      .run(this.#now(), id, slot);
    return { rotated: slot === 0 && this.drop(id, 1) };
  }

  /** Deletes old keys whose time is over, and says whose. */
  expire(): readonly string[] {
    const now = this.#now();
    const ids = this.#storage
      .prepare<{ device: string }>('SELECT device FROM device_keys WHERE slot = 1 AND expires_at <= ?')
      .all(now)
      .map(({ device }) => device);
    for (const id of ids) this.#dropExpired(id, now);
    return ids;
  }

  #dropExpired(id: string, now: number): void {
    this.#storage
      .prepare('DELETE FROM device_keys WHERE device = ? AND slot = 1 AND expires_at <= ?')
      .run(id, now);
  }
}
