/**
 * Pages of devices: filtered, sorted, each page found by an index however far down it is.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Device } from '../model.js';
import type { Storage, Value } from '../storage/storage.js';
import { DEVICE_JSON, readDevices } from './device-rows.js';
import { nameKey } from './device-rules.js';
import { decodeCursor, encodeCursor, type Position, pageSize } from './paging.js';

export interface DeviceQuery {
  /** Part of the name, the id, a tag or the note, whatever the case of its letters. */
  readonly search?: string;
  readonly tag?: string;
  readonly enabled?: boolean;
  /** These alone, such as those online. */
  readonly ids?: readonly string[];
  /** All but these. */
  readonly exceptIds?: readonly string[];
  /** Default: name. */
  readonly sort?: DeviceSort;
  readonly descending?: boolean;
  /** `next` of the page before. */
  readonly after?: string;
  /** 1 to 1,000, default 100. */
  readonly limit?: number;
}

export interface DevicePage {
  readonly devices: readonly Device[];
  /** For `after`; undefined on the last page. */
  readonly next: string | undefined;
  /** On all pages together. */
  readonly total: number;
}

export const DEVICE_SORTS = ['name', 'id', 'createdAt', 'seenAt'] as const;
export type DeviceSort = (typeof DEVICE_SORTS)[number];

interface Order {
  readonly sort: DeviceSort;
  readonly column: string;
  readonly direction: 'ASC' | 'DESC';
  readonly limit: number;
}

interface Found {
  readonly devices: readonly Device[];
  readonly total: number;
}

interface SortKey {
  readonly column: string;
  readonly valueOf: (device: Device) => string | number | null;
}

const ORDERS: Readonly<Record<DeviceSort, SortKey>> = {
  name: { column: 'name_key', valueOf: ({ name }) => nameKey(name) },
  id: { column: 'id', valueOf: ({ id }) => id },
  createdAt: { column: 'created_at', valueOf: ({ createdAt }) => createdAt },
  seenAt: { column: 'seen_at', valueOf: ({ lastSeenAt }) => lastSeenAt ?? null },
};

/** A condition and what is bound in it. */
interface Condition {
  readonly sql: string;
  readonly values: readonly Value[];
}

/** @throws {GatewayError} `invalid` */
export function listDevices(storage: Storage, query: DeviceQuery): DevicePage {
  const { sort = 'name', descending = false, after } = query;
  if (!DEVICE_SORTS.includes(sort))
    throw new GatewayError('invalid', `sort must be one of ${DEVICE_SORTS.join(', ')}`, { field: 'sort' });
  const list = `devices ${sort} ${descending ? 'down' : 'up'}`;
  const limit = pageSize(query.limit);
  const from = after === undefined ? undefined : decodeCursor(after, list);
  // One more than the page has: whether there is a next one.
  const order = { ...ORDERS[sort], sort, direction: descending ? 'DESC' : 'ASC', limit: limit + 1 } as const;
  const { devices, total } = isSelective(query)
    ? readSelected(storage, filterOf(query), order, from)
    : readInOrder(storage, filterOf(query), order, from);
  const page = devices.slice(0, limit);
  const last = page.at(-1);
  const more = devices.length > limit && last !== undefined;
  return {
    devices: page,
    next: more ? encodeCursor(list, [order.valueOf(last), last.id]) : undefined,
    total,
  };
}

export function countDevices(storage: Storage, filter: Condition = { sql: 'true', values: [] }): number {
  return storage
    .prepare<{ n: number }>(`SELECT count(*) AS n FROM devices d WHERE ${filter.sql}`)
    .get(...filter.values)!.n;
}

const MOST_TAGS = 1_000;

/** Tags in the order of their letters, with the number of devices that have them. */
export function countTags(storage: Storage): { tag: string; devices: number }[] {
  return storage
    .prepare<{ tag: string; devices: number }>(
      'SELECT tag, count(*) AS devices FROM device_tags GROUP BY tag ORDER BY tag LIMIT ?',
    )
    .all(MOST_TAGS)
    .map(({ tag, devices }) => ({ tag, devices }));
}

/** Whether what it finds is few, or has to be looked for in all devices anyway. */
function isSelective({ search, tag, enabled, ids, exceptIds }: DeviceQuery): boolean {
  const named = ids ?? exceptIds;
  return (search ?? '') !== '' || tag !== undefined || enabled === false || named !== undefined;
}

/** Finds all that the filter lets through once, then counts, sorts and cuts. */
function readSelected(storage: Storage, filter: Condition, order: Order, from: Position | undefined): Found {
  const { column, direction, limit } = order;
  const beyond = direction === 'DESC' ? '<' : '>';
  // Never seen: before all times.
  const position = from === undefined ? [] : [from[0] ?? 0, from[1]!];
  const { page, total } = storage
    .prepare<{ page: string; total: number }>(
      `WITH hits AS MATERIALIZED (SELECT d.id AS id, coalesce(d.${column}, 0) AS k FROM devices d WHERE ${filter.sql})
       SELECT (SELECT count(*) FROM hits) AS total,
         (SELECT json_group_array(${DEVICE_JSON}) FROM
            (SELECT id FROM hits ${from === undefined ? '' : `WHERE (k, id) ${beyond} (?, ?)`}
             ORDER BY k ${direction}, id ${direction} LIMIT ?) h CROSS JOIN devices d ON d.id = h.id) AS page`,
    )
    .get(...filter.values, ...position, limit)!;
  return { devices: readDevices(page), total };
}

/** Goes through an index from the position on. */
function readInOrder(storage: Storage, filter: Condition, order: Order, from: Position | undefined): Found {
  const devices: Device[] = [];
  for (const part of partsOf(order, from)) {
    const missing = order.limit - devices.length;
    if (missing > 0) devices.push(...readPart(storage, [filter, part], order, missing));
  }
  return { devices, total: countDevices(storage, filter) };
}

/**
 * The conditions for the rows behind a position, in the order of the list. Devices that were never seen come before all
 * others, as NULL does in SQLite; no single condition finds the rest of both by the index.
 */
function partsOf({ sort, column, direction }: Order, from: Position | undefined): readonly Condition[] {
  const descending = direction === 'DESC';
  const beyond = descending ? '<' : '>';
  const all: Condition = { sql: 'true', values: [] };
  if (sort === 'name' || sort === 'id')
    return from === undefined ? [all] : [{ sql: `d.${column} ${beyond} ?`, values: [from[0]!] }];
  const rest = (): Condition => ({ sql: `(d.${column}, d.id) ${beyond} (?, ?)`, values: from! });
  if (sort === 'createdAt') return [from === undefined ? all : rest()];
  const seen: Condition = { sql: 'd.seen_at IS NOT NULL', values: [] };
  const never: Condition = { sql: 'd.seen_at IS NULL', values: [] };
  if (from === undefined) return descending ? [seen, never] : [never, seen];
  if (from[0] !== null) return descending ? [rest(), never] : [rest()];
  const restNever: Condition = { sql: `d.seen_at IS NULL AND d.id ${beyond} ?`, values: [from[1]!] };
  return descending ? [restNever] : [restNever, seen];
}

function readPart(
  storage: Storage,
  conditions: readonly Condition[],
  { column, direction }: Order,
  limit: number,
): Device[] {
  const where = conditions.map(({ sql }) => sql).join(' AND ');
  const { page } = storage
    .prepare<{ page: string }>(
      `SELECT json_group_array(${DEVICE_JSON}) AS page FROM
         (SELECT * FROM devices d WHERE ${where}
          ORDER BY d.${column} ${direction}, d.id ${direction} LIMIT ?) d`,
    )
    .get(...conditions.flatMap(({ values }) => values), limit)!;
  return readDevices(page);
}

function filterOf({ search, tag, enabled, ids, exceptIds }: DeviceQuery): Condition {
  const sql = ['true'];
  const values: Value[] = [];
  if (search !== undefined && search !== '') {
    const text = pattern(search);
    sql.push(
      String.raw`(d.id LIKE ? ESCAPE '\' OR d.name_key LIKE ? ESCAPE '\' OR d.note LIKE ? ESCAPE '\'
        OR d.id IN (SELECT device FROM device_tags WHERE tag LIKE ? ESCAPE '\'))`,
    );
    values.push(text, pattern(nameKey(search)), text, text);
  }
  if (tag !== undefined) {
    sql.push('d.id IN (SELECT device FROM device_tags WHERE tag = ?)');
    values.push(tag);
  }
  if (enabled !== undefined) {
    sql.push('d.enabled = ?');
    values.push(enabled ? 1 : 0);
  }
  if (ids !== undefined) {
    sql.push('d.id IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(ids));
  }
  if (exceptIds !== undefined) {
    sql.push('d.id NOT IN (SELECT value FROM json_each(?))');
    values.push(JSON.stringify(exceptIds));
  }
  return { sql: sql.join(' AND '), values };
}

/** For LIKE: what contains exactly this. */
function pattern(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}
