/**
 * Pages of long lists. A cursor says behind which row the next page begins, so that rows which come and go meanwhile
 * shift nothing.
 *
 * @module
 */

import { GatewayError } from '../errors.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** What a list is ordered by, of one row. */
export type Position = readonly (string | number | null)[];

/** @throws {GatewayError} `invalid` */
export function pageSize(limit: number = DEFAULT_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new GatewayError('invalid', `limit must be 1 to ${MAX_LIMIT}`, { field: 'limit' });
}

/** @param list which list and order it is for: another one refuses it */
export function encodeCursor(list: string, position: Position): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString('base64url');
}

/** @throws {GatewayError} `invalid` */
export function decodeCursor(cursor: string, list: string): Position {
  const [name, ...position] = parse(cursor);
  const isPosition =
    position.length === 2 && position.every((part) => part === null || /^(string|number)$/.test(typeof part));
  if (name === list && isPosition) return position as Position;
  throw new GatewayError('invalid', 'after must be the "next" of a page of the same list in the same order', {
    field: 'after',
  });
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
