/**
 * Devices as a table (RFC 4180).
 *
 * @module
 */

import { stringify } from 'csv-stringify/sync';
import type { Storage } from '../storage/storage.js';
import { COLUMNS, guarded, PLAIN_COLUMNS } from './csv-columns.js';
import { keyText } from './key-text.js';
import type { KeyVault } from './key-vault.js';

/** Devices read at a time. */
const BATCH = 1_000;

type ExportRow = readonly [
  id: string,
  name: string,
  note: string,
  enabled: number,
  tags: readonly string[],
  keys: readonly (readonly [slot: number, sealed: string, expiresAt: number | null])[],
];

/** @param vault opens the keys; without it there are none in the table */
export function exportCsv(storage: Storage, vault: KeyVault | undefined): string {
  const table: string[][] = [[...(vault === undefined ? PLAIN_COLUMNS : COLUMNS)]];
  for (let rows = rowsAfter(storage, ''); rows.length > 0; rows = rowsAfter(storage, rows.at(-1)![0]))
    for (const row of rows)
      table.push([...plainCells(row), ...(vault === undefined ? [] : keyCells(row, vault))]);
  // Spaces at the ends of a cell that is not quoted are lost when it is read.
  return stringify(table, { quoted_match: /^\s|\s$/ });
}

function rowsAfter(storage: Storage, id: string): readonly ExportRow[] {
  const { page } = storage
    .prepare<{ page: string }>(
      `SELECT json_group_array(json_array(d.id, d.name, d.note, d.enabled,
         json((SELECT json_group_array(tag) FROM device_tags WHERE device = d.id)),
         json((SELECT json_group_array(json_array(slot, hex(sealed), expires_at))
               FROM device_keys WHERE device = d.id)))) AS page
       FROM (SELECT * FROM devices WHERE id > ? ORDER BY id LIMIT ?) d`,
    )
    .get(id, BATCH)!;
  return JSON.parse(page) as ExportRow[];
}

function plainCells([id, name, note, enabled, tags]: ExportRow): string[] {
  return [id, guarded(name), guarded(note), tags.toSorted().join(' '), enabled === 1 ? 'true' : 'false'];
}

function keyCells([id, , , , , keys]: ExportRow, vault: KeyVault): string[] {
  const cellOf = (slot: number): string => {
    const sealed = keys.find((key) => key[0] === slot)?.[1];
    return sealed === undefined ? '' : keyCell(vault.open(id, Buffer.from(sealed, 'hex')));
  };
  const until = keys.find(([slot]) => slot === 1)?.[2] ?? null;
  return [cellOf(0), cellOf(1), until === null ? '' : new Date(until).toISOString()];
}

/** Not guarded: whoever copies a key from the table has to have it as it is. */
function keyCell(key: Uint8Array): string {
  const text = keyText(key);
  return guarded(text) === text ? text : `hex:${Buffer.from(key).toString('hex')}`;
}
