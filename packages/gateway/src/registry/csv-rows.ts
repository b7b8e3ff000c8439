/**
 * Reads a table of devices: every line is right, or all that is wrong is told at once.
 *
 * @module
 */

import { CsvError, parse } from 'csv-parse/sync';
import { GatewayError } from '../errors.js';
import { COLUMNS, type Column, unguarded } from './csv-columns.js';
import { parseId, parseName, parseNote, parseTags, shown } from './device-rules.js';
import { parseKey } from './key-text.js';

/** Problems that are told in full. */
const MAX_PROBLEMS = 20;

/** One device of a table; undefined is what the table does not say. */
export interface ImportRow {
  readonly line: number;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly note: string | undefined;
  readonly tags: readonly string[] | undefined;
  readonly enabled: boolean | undefined;
  readonly key: Uint8Array | undefined;
  readonly oldKey: Uint8Array | undefined;
  readonly oldKeyUntil: number | undefined;
}

/** What is wrong with a table, by line. */
export class Problems {
  readonly #problems: { readonly line: number; readonly problem: string }[] = [];

  add(line: number, problem: string): void {
    this.#problems.push({ line, problem });
  }

  /** @throws {GatewayError} `invalid`: there is a problem */
  throwIfAny(): void {
    if (this.#problems.length === 0) return;
    const inOrder = this.#problems.sort((one, other) => one.line - other.line);
    const told = inOrder.slice(0, MAX_PROBLEMS).map(({ line, problem }) => `line ${line}: ${problem}`);
    const more = inOrder.length - told.length;
    if (more > 0) told.push(`and ${more} more`);
    throw new GatewayError('invalid', ['nothing was imported', ...told].join('\n'));
  }
}

/**
 * The rows of a table, those that are right; the others are told to `problems`.
 *
 * @throws {GatewayError} `invalid`: it is no CSV, or its header cannot be used
 */
export function readRows(text: string, problems: Problems): readonly ImportRow[] {
  const [header, ...records] = readRecords(text);
  if (header === undefined) throw new GatewayError('invalid', 'the file is empty');
  const columns = readHeader(header);
  const rows: ImportRow[] = [];
  for (const record of records) {
    try {
      rows.push(readRow(record, columns));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      problems.add(record.line, error.message);
    }
  }
  return rows;
}

interface CsvRecord {
  /** On which it begins. */
  readonly line: number;
  readonly cells: readonly string[];
}

function readRecords(text: string): readonly CsvRecord[] {
  try {
    const records = parse(text, { bom: true, relax_column_count: true, trim: true });
    // Empty lines are records here, so that they count.
    let line = 1;
    const counted = records.map((cells) => {
      const record = { line, cells };
      line += 1 + innerLines(cells);
      return record;
    });
    return counted.filter(({ cells }) => cells.length > 1 || cells[0] !== '');
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new GatewayError('invalid', `nothing was imported\nline ${error.lines}: ${csvProblem(error.code)}`);
  }
}

/** What the parser itself says may show a cell, which may be a key. */
function csvProblem(code: string): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quoted cell does not end: its closing " is missing';
  if (code === 'INVALID_OPENING_QUOTE')
    return 'a " in the middle of a cell: quote the cell and write "" for it';
  if (code === 'CSV_INVALID_CLOSING_QUOTE')
    return 'a " that does not end its cell: write "" for one that belongs to it';
  return `this is no CSV (${code})`;
}

function innerLines(cells: readonly string[]): number {
  let count = 0;
  for (const cell of cells) if (cell.includes('\n')) count += cell.split('\n').length - 1;
  return count;
}

function readHeader({ line, cells }: CsvRecord): readonly Column[] {
  const problems = new Problems();
  const names = cells.map((cell) => cell.toLowerCase());
  names.forEach((name, index) => {
    if (!(COLUMNS as readonly string[]).includes(name))
      problems.add(line, `unknown column ${shown(cells[index]!)}, must be one of ${COLUMNS.join(', ')}`);
    else if (names.indexOf(name) !== index) problems.add(line, `column ${name} is there twice`);
  });
  if (!names.includes('id') && !names.includes('name'))
    problems.add(line, 'there must be a column id or a column name');
  problems.throwIfAny();
  return names as Column[];
}

function readRow({ line, cells }: CsvRecord, columns: readonly Column[]): ImportRow {
  if (cells.length !== columns.length)
    throw new GatewayError('invalid', `${cells.length} cells, the header has ${columns.length}`);
  const cell = (column: Column): string | undefined => {
    const index = columns.indexOf(column);
    return index < 0 ? undefined : cells[index]!;
  };
  const id = unlessEmpty(cell('id'), parseId);
  const name = unlessEmpty(cell('name'), (text) => parseName(unguarded(text), id));
  if (id === undefined && name === undefined) throw new GatewayError('invalid', 'neither id nor name');
  const key = unlessEmpty(cell('key'), (text) => parseKey(text));
  const oldKey = unlessEmpty(cell('old_key'), (text) => parseKey(text, 'old_key'));
  const oldKeyUntil = unlessEmpty(cell('old_key_until'), readTime);
  if (oldKey !== undefined && (key === undefined || Buffer.from(key).equals(oldKey)))
    throw new GatewayError('invalid', `old_key ${key === undefined ? 'without' : 'is the same as'} key`);
  if (oldKeyUntil !== undefined && oldKey === undefined)
    throw new GatewayError('invalid', 'old_key_until without old_key');
  const [note, tags] = [cell('note'), cell('tags')];
  return {
    line,
    id,
    name,
    note: note === undefined ? undefined : parseNote(unguarded(note)),
    tags: tags === undefined ? undefined : parseTags(tags.split(/[\s;]+/).filter((tag) => tag !== '')),
    enabled: unlessEmpty(cell('enabled'), readEnabled),
    key,
    oldKey,
    oldKeyUntil,
  };
}

function unlessEmpty<Result>(cell: string | undefined, read: (text: string) => Result): Result | undefined {
  return cell === undefined || cell === '' ? undefined : read(cell);
}

function readEnabled(text: string): boolean {
  if (/^(true|yes|1)$/i.test(text)) return true;
  if (/^(false|no|0)$/i.test(text)) return false;
  throw new GatewayError('invalid', `enabled is ${shown(text)}, must be true or false`);
}

function readTime(text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new GatewayError(
    'invalid',
    `old_key_until is ${shown(text)}, must be a time like 2026-12-31T00:00:00Z`,
  );
}
