/**
 * The registry of devices.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Device, DeviceCounters } from '../model.js';
import type { Storage } from '../storage/storage.js';
import { exportCsv } from './csv-export.js';
import { importCsv } from './csv-import.js';
import { DeviceKeys } from './device-keys.js';
import { countDevices, countTags, type DevicePage, type DeviceQuery, listDevices } from './device-list.js';
import { DEVICE_JSON, readDevice } from './device-rows.js';
import {
  isDeviceId,
  nameKey,
  parseId,
  parseName,
  parseNote,
  parseTags,
  randomId,
  shown,
} from './device-rules.js';
import { checkKey, keyText, newKey } from './key-text.js';
import type { KeyVault } from './key-vault.js';

export type { DevicePage, DeviceQuery, DeviceSort } from './device-list.js';

export interface NewDevice {
  /** Random unless given, beginning with 02. */
  readonly id?: string;
  /** The id unless given. */
  readonly name?: string;
  readonly note?: string;
  readonly tags?: readonly string[];
  readonly enabled?: boolean;
  /** The one that the device has already; a new one is made unless given. */
  readonly key?: Uint8Array;
}

export type DevicePatch = Partial<Pick<Device, 'name' | 'note' | 'tags' | 'enabled'>>;

/** A device and the key it was given, the one time that it is shown. */
export interface DeviceWithKey {
  readonly device: Device;
  /** As `parseKey` reads it: text, or `hex:…` when the key is no text. */
  readonly key: string;
}

/** `revoked`: it has no valid key. */
export type DeviceStatus = 'unknown' | 'disabled' | 'revoked' | 'valid';

/**
 * Devices and their keys. What changes them is stored, and survives a power cut, when a method returns; only what sessions
 * leave behind (`keyUsed`, `connected`, `addCounters`, `expireKeys`) may be lost in one.
 *
 * Ids may be given in letters of either case. All methods that take one throw `not_found` where there is no such device,
 * unless they say otherwise, and all throw what the storage throws.
 */
export class Devices {
  readonly #storage: Storage;
  readonly #vault: KeyVault;
  readonly #now: () => number;
  readonly #keys: DeviceKeys;

  constructor(storage: Storage, vault: KeyVault, now: () => number = Date.now) {
    this.#storage = storage;
    this.#vault = vault;
    this.#now = now;
    this.#keys = new DeviceKeys(storage, vault, now);
  }

  /** @throws {GatewayError} `invalid`; `conflict`: the id or the name is taken */
  add(device: NewDevice): DeviceWithKey {
    const key = device.key ?? Buffer.from(newKey());
    checkKey(key);
    const note = parseNote(device.note ?? '');
    const tags = parseTags(device.tags ?? []);
    return this.#storage.transaction(() => {
      const id = device.id === undefined ? this.#freeId() : parseId(device.id);
      const name = parseName(device.name ?? id, id);
      if (this.#exists(id))
        throw new GatewayError('conflict', `${id} is registered already`, { field: 'id' });
      this.#checkNameFree(name, id);
      const now = this.#now();
      this.#storage
        .prepare(
          `INSERT INTO devices (id, name, name_key, note, enabled, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(id, name, nameKey(name), note, device.enabled === false ? 0 : 1, now, now);
      this.#insertTags(id, tags);
      this.#keys.insert(id, 0, key);
      return { device: this.#read(id), key: keyText(key) };
    });
  }

  get(idOrName: string): Device | undefined {
    // No name looks like the id of another device, so that this leaves nothing open.
    const [column, value] = isDeviceId(idOrName)
      ? ['id', idOrName.toLowerCase()]
      : ['name_key', nameKey(idOrName)];
    const row = this.#storage
      .prepare<{ device: string }>(`SELECT ${DEVICE_JSON} AS device FROM devices d WHERE d.${column} = ?`)
      .get(value!);
    return row && readDevice(row.device);
  }

  /** @throws {GatewayError} `not_found` */
  require(idOrName: string): Device {
    const device = this.get(idOrName);
    if (device !== undefined) return device;
    throw new GatewayError('not_found', `there is no device ${shown(idOrName)}`);
  }

  /** @throws {GatewayError} `invalid` */
  list(query: DeviceQuery = {}): DevicePage {
    return listDevices(this.#storage, query);
  }

  count(): number {
    return countDevices(this.#storage);
  }

  /**
   * Changes what the patch has.
   *
   * @throws {GatewayError} `invalid`; `conflict`: the name is taken
   */
  update(id: string, patch: DevicePatch): Device {
    return this.#change(id, (device) => {
      const name = patch.name === undefined ? device.name : parseName(patch.name, device.id);
      const note = patch.note === undefined ? device.note : parseNote(patch.note);
      const tags = patch.tags === undefined ? undefined : parseTags(patch.tags);
      this.#checkNameFree(name, device.id);
      this.#storage
        .prepare('UPDATE devices SET name = ?, name_key = ?, note = ?, enabled = ? WHERE id = ?')
        .run(name, nameKey(name), note, (patch.enabled ?? device.enabled) ? 1 : 0, device.id);
      if (tags === undefined) return;
      this.#storage.prepare('DELETE FROM device_tags WHERE device = ?').run(device.id);
      this.#insertTags(device.id, tags);
    });
  }

  /**
   * Gives the device a new key, valid at once. The old one stays valid until the new one is used, or until `oldUntil`
   * (milliseconds since 1970; one in the past ends it now). A new one that was never used is replaced, and the old one
   * stays.
   *
   * @throws {GatewayError} `invalid`
   */
  rotate(id: string, options: { readonly key?: Uint8Array; readonly oldUntil?: number } = {}): DeviceWithKey {
    const { key = Buffer.from(newKey()), oldUntil } = options;
    checkKey(key);
    if (oldUntil !== undefined && !Number.isSafeInteger(oldUntil))
      throw new GatewayError('invalid', 'oldUntil must be a time', { field: 'oldUntil' });
    const device = this.#change(id, (device) => this.#keys.rotate(device.id, key, oldUntil));
    return { device, key: keyText(key) };
  }

  /** Ends the old key of a rotation now; nothing, where there is none. */
  dropOldKey(id: string): Device {
    return this.#change(id, (device) => void this.#keys.drop(device.id, 1));
  }

  /** Deletes all its keys. It stays registered, and `rotate` gives it a new one. */
  revoke(id: string): Device {
    return this.#change(id, (device) => this.#keys.dropAll(device.id));
  }

  remove(id: string): void {
    this.#storage.transaction(() => {
      const device = this.require(id);
      // Its tags and keys go with it.
      this.#storage.prepare('DELETE FROM devices WHERE id = ?').run(device.id);
    });
  }

  /** The valid keys, new one first; none of a device that is unknown, disabled or revoked. Takes an id in lower case. */
  keysOf(id: string): readonly Uint8Array[] {
    return this.#keys.valid(id);
  }

  /** Why `keysOf` returns none. Never throws `not_found`. */
  statusOf(id: string): DeviceStatus {
    const row = this.#storage
      .prepare<{ enabled: number }>('SELECT enabled FROM devices WHERE id = ?')
      .get(id.toLowerCase());
    if (row === undefined) return 'unknown';
    if (row.enabled === 0) return 'disabled';
    return this.#keys.hasValid(id.toLowerCase()) ? 'valid' : 'revoked';
  }

  /**
   * A session has opened under a key, `keyIndex` as `keysOf` has it. Under the new one it ends the old one: `rotated`.
   * Nothing, where the device or the key is gone.
   */
  keyUsed(id: string, keyIndex: number): { rotated: boolean } {
    return this.#storage.transaction(() => this.#keys.used(id, keyIndex === 0 ? 0 : 1), 'crash');
  }

  /** Deletes old keys whose time is over. Returns the ids of their devices. */
  expireKeys(): readonly string[] {
    return this.#storage.transaction(() => this.#keys.expire(), 'crash');
  }

  /** A session has opened; it is counted here, and not in `addCounters`. Nothing, where the device is gone. */
  connected(
    id: string,
    session: { readonly at: number; readonly address: string; readonly transport: string },
  ): void {
    const { at, address, transport } = session;
    this.#storage
      .prepare(
        `UPDATE devices SET connected_at = ?, seen_at = ?, address = ?, transport = ?, sessions = sessions + 1
         WHERE id = ?`,
      )
      .run(at, at, address, transport, id);
  }

  /** Adds what came since the last time; `delta.sessions` is ignored. Nothing, where the device is gone. */
  addCounters(id: string, delta: Omit<DeviceCounters, 'sessions'>, seenAt: number): void {
    this.#storage
      .prepare(
        `UPDATE devices SET messages_in = messages_in + ?, messages_out = messages_out + ?,
           bytes_in = bytes_in + ?, bytes_out = bytes_out + ?, seen_at = ? WHERE id = ?`,
      )
      .run(delta.messagesIn, delta.messagesOut, delta.bytesIn, delta.bytesOut, seenAt, id);
  }

  /** Tags in use, with the number of devices that have them. */
  tags(): { tag: string; devices: number }[] {
    return countTags(this.#storage);
  }

  /** A table of all devices; with their keys only when asked for. `importCsv` reads it. */
  exportCsv(options: { readonly keys: boolean }): string {
    return exportCsv(this.#storage, options.keys ? this.#vault : undefined);
  }

  /**
   * Adds the devices of a table and changes those that are registered: all of it, or nothing.
   *
   * @throws {GatewayError} `invalid`: the message has a line for each problem, such as `line 7: …`
   */
  importCsv(text: string): { added: number; updated: number } {
    return this.#storage.transaction(() => importCsv(this.#storage, this.#keys, text, this.#now()));
  }

  #change(id: string, work: (device: Device) => void): Device {
    return this.#storage.transaction(() => {
      const device = this.require(id);
      work(device);
      this.#storage.prepare('UPDATE devices SET updated_at = ? WHERE id = ?').run(this.#now(), device.id);
      return this.#read(device.id);
    });
  }

  #read(id: string): Device {
    return this.get(id)!;
  }

  #exists(id: string): boolean {
    return this.#storage.prepare('SELECT 1 FROM devices WHERE id = ?').get(id) !== undefined;
  }

  #freeId(): string {
    for (;;) {
      const id = randomId();
      if (!this.#exists(id)) return id;
    }
  }

  #checkNameFree(name: string, id: string): void {
    const row = this.#storage
      .prepare<{ id: string }>('SELECT id FROM devices WHERE name_key = ? AND id <> ?')
      .get(nameKey(name), id);
    if (row !== undefined)
      throw new GatewayError('conflict', `the name ${shown(name)} belongs to ${row.id}`, { field: 'name' });
  }

  #insertTags(id: string, tags: readonly string[]): void {
    const insert = this.#storage.prepare('INSERT INTO device_tags (tag, device) VALUES (?, ?)');
    for (const tag of tags) insert.run(tag, id);
  }
}
