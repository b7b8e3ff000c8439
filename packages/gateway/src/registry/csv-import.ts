/**
 * Brings a table of devices into the registry.
 *
 * @module
 */

import type { Storage, Value } from '../storage/storage.js';
import { type ImportRow, Problems, readRows } from './csv-rows.js';
import type { DeviceKeys } from './device-keys.js';
import { isDeviceId, nameKey, randomId, shown } from './device-rules.js';

/** Rows of one INSERT: a statement of its own for each costs twice the time. */
const ROWS = 100;

interface Known {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  /** Of the key in slot 0. */
  readonly fingerprint: string | null;
}

/** A row, and the device that it adds or changes. */
interface Change {
  readonly row: ImportRow;
  readonly id: string;
  readonly name: string;
  /** Of the name. */
  readonly key: string;
  /** Undefined: it is added. */
  readonly known: Known | undefined;
}

/**
 * Within a transaction, which is to be rolled back when this throws.
 *
 * A row is for the device of its id, or without one for that of its name. What its cells leave empty stays as it is, but for
 * note and tags. A key other than the one that a device has is rotated in: the one that it had stays valid until the new one
 * is used, unless the table has an old key. Devices that are added without a key have none until they are given one.
 *
 * @throws {GatewayError} `invalid`
 */
export function importCsv(
  storage: Storage,
  keys: DeviceKeys,
  text: string,
  now: number,
): { added: number; updated: number } {
  const problems = new Problems();
  const rows = readRows(text, problems);
  const changes = match(rows, knownDevices(storage), problems);
  problems.throwIfAny();
  writeDevices(storage, changes, now);
  writeTags(storage, changes);
  writeKeys(storage, keys, changes, now);
  const added = changes.filter(({ known }) => known === undefined).length;
  return { added, updated: changes.length - added };
}

function knownDevices(storage: Storage): readonly Known[] {
  const { all } = storage
    .prepare<{ all: string }>(
      `SELECT json_group_array(json_object('id', d.id, 'name', d.name, 'enabled', json(iif(d.enabled, 'true', 'false')),
         'fingerprint', k.fingerprint)) AS "all"
       FROM devices d LEFT JOIN device_keys k ON k.device = d.id AND k.slot = 0`,
    )
    .get()!;
  return JSON.parse(all) as Known[];
}

function match(rows: readonly ImportRow[], known: readonly Known[], problems: Problems): readonly Change[] {
  const byId = new Map(known.map((device) => [device.id, device]));
  const byName = new Map(known.map((device) => [nameKey(device.name), device]));
  const taken = new Map<string, number>();
  const changes: Change[] = [];
  for (const row of rows) {
    const found =
      row.id !== undefined ? byId.get(row.id) : (byId.get(row.name!) ?? byName.get(nameKey(row.name!)));
    const id = row.id ?? found?.id ?? freeId(row.name!, byId);
    const first = taken.get(id);
    if (first !== undefined) problems.add(row.line, `${id} is on line ${first} already`);
    taken.set(id, row.line);
    const name = row.name ?? found?.name ?? id;
    changes.push({ row, id, name, key: nameKey(name), known: found });
  }
  checkNames(changes, byName, problems);
  return changes;
}

/** A name that is an id says which. */
function freeId(name: string, taken: ReadonlyMap<string, unknown>): string {
  if (isDeviceId(name)) return name;
  for (;;) {
    const id = randomId();
    if (!taken.has(id)) return id;
  }
}

/** As they are when all is imported: devices may exchange their names. */
function checkNames(
  changes: readonly Change[],
  byName: ReadonlyMap<string, Known>,
  problems: Problems,
): void {
  const owners = new Map([...byName].map(([key, { id }]) => [key, `belongs to ${id}`]));
  for (const { known } of changes) if (known !== undefined) owners.delete(nameKey(known.name));
  for (const { row, key, name } of changes) {
    const owner = owners.get(key);
    if (owner !== undefined) problems.add(row.line, `name ${shown(name)} ${owner}`);
    else owners.set(key, `is on line ${row.line} already`);
  }
}

function writeDevices(storage: Storage, changes: readonly Change[], now: number): void {
  const renamed = changes.filter(({ known, name }) => known !== undefined && known.name !== name);
  // Out of each other's way; no name has such a character.
  storage
    .prepare(`UPDATE devices SET name_key = char(1) || id WHERE id IN (SELECT value FROM json_each(?))`)
    .run(JSON.stringify(renamed.map(({ id }) => id)));
  const hasNotes = changes[0]?.row.note !== undefined;
  insertMany(
    storage,
    'INSERT INTO devices (id, name, name_key, note, enabled, created_at, updated_at)',
    mapped(changes, ({ id, name, key, row, known }) => [
      id,
      name,
      key,
      row.note ?? '',
      (row.enabled ?? known?.enabled ?? true) ? 1 : 0,
      now,
      now,
    ]),
    `ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, enabled = excluded.enabled,
       updated_at = excluded.updated_at${hasNotes ? ', note = excluded.note' : ''}`,
  );
}

function* tagRows(changes: readonly Change[]): Generator<Value[]> {
  for (const { id, row } of changes) for (const tag of row.tags ?? []) yield [tag, id];
}

function writeTags(storage: Storage, changes: readonly Change[]): void {
  const changed = changes.filter(({ row, known }) => row.tags !== undefined && known !== undefined);
  storage
    .prepare('DELETE FROM device_tags WHERE device IN (SELECT value FROM json_each(?))')
    .run(JSON.stringify(changed.map(({ id }) => id)));
  insertMany(storage, 'INSERT INTO device_tags (tag, device)', tagRows(changes));
}

function writeKeys(storage: Storage, keys: DeviceKeys, changes: readonly Change[], now: number): void {
  insertMany(
    storage,
    'INSERT INTO device_keys (device, slot, sealed, fingerprint, created_at, expires_at)',
    newKeys(keys, changes, now),
  );
}

/** Rows for the keys of slots that are empty, or are made so here. */
function* newKeys(keys: DeviceKeys, changes: readonly Change[], now: number): Generator<Value[]> {
  const rowOf = (id: string, slot: 0 | 1, key: Uint8Array, expiresAt?: number): Value[] => {
    const { sealed, fingerprint } = keys.seal(id, key);
    return [id, slot, sealed, fingerprint, now, expiresAt ?? null];
  };
  for (const { id, row, known } of changes) {
    if (row.key === undefined) continue;
    if (row.oldKey !== undefined) {
      keys.dropAll(id);
      yield rowOf(id, 1, row.oldKey, row.oldKeyUntil);
    } else if (known !== undefined && known.fingerprint !== null) {
      if (known.fingerprint !== keys.fingerprint(id, row.key)) keys.rotate(id, row.key);
      continue;
    }
    yield rowOf(id, 0, row.key);
  }
}

function* mapped<From, To>(values: Iterable<From>, map: (value: From) => To): Generator<To> {
  for (const value of values) yield map(value);
}

/** Takes the rows one by one: a hundred thousand at once are much work for the garbage collector. */
function insertMany(storage: Storage, insert: string, rows: Iterable<Value[]>, conflict = ''): void {
  let values: Value[] = [];
  let count = 0;
  const write = (columns: number): void => {
    const places = `(${Array(columns).fill('?').join(', ')})`;
    storage.prepare(`${insert} VALUES ${Array(count).fill(places).join(', ')} ${conflict}`).run(...values);
    values = [];
    count = 0;
  };
  for (const row of rows) {
    values.push(...row);
    if (++count === ROWS) write(row.length);
  }
  if (count > 0) write(values.length / count);
}
