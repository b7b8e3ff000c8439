/**
 * What export and import of devices have in common.
 *
 * @module
 */

export const PLAIN_COLUMNS = ['id', 'name', 'note', 'tags', 'enabled'] as const;
/** `old_key_until`: ISO 8601; empty when the old key ends with the use of the new one. */
export const KEY_COLUMNS = ['key', 'old_key', 'old_key_until'] as const;
export const COLUMNS = [...PLAIN_COLUMNS, ...KEY_COLUMNS] as const;

export type Column = (typeof COLUMNS)[number];

/** What a spreadsheet takes for a formula. */
const FORMULA = /^[=+\-@\t\r]/;
/** What `guarded` guards; also what looks as if it had done so, which would lose its quote otherwise. */
const GUARDED = /^'+[=+\-@\t\r]/;

/** For a cell: what somebody else wrote into a name or a note is never a formula. */
export function guarded(text: string): string {
  return FORMULA.test(text) || GUARDED.test(text) ? `'${text}` : text;
}

/** What `guarded` was given. */
export function unguarded(cell: string): string {
  return GUARDED.test(cell) ? cell.slice(1) : cell;
}
