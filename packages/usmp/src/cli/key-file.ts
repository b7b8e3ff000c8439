/**
 * Files that hold keys.
 *
 * @module
 */

import { readFileSync, statSync } from 'node:fs';
import type { Key } from '../index.js';
import { UsageError } from './exit-codes.js';
import { parseKey } from './key-text.js';

/** Bit of a file mode: everybody on this machine may read the file. */
const READABLE_BY_OTHERS = 0o004;

/**
 * The key in a file, without the one line end that editors leave behind it.
 *
 * @throws {UsageError} it cannot be read, or holds none
 */
export function readKeyFile(file: string): Key {
  const text = readTextFile(file).replace(/\r?\n$/, '');
  if (text === '') throw new UsageError(`${file} is empty: make a key with npx usmp keygen --out FILE`);
  return parseKey(text, file);
}

/** @throws {UsageError} it cannot be read */
export function readTextFile(file: string): string {
  return readBytes(file).toString('utf8');
}

/** @throws {UsageError} it cannot be read */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${explain(error as NodeJS.ErrnoException)}`);
  }
}

/** What to tell the owner of a key file that others can read too; undefined when they cannot. */
export function exposureOf(file: string): string | undefined {
  const status = statSync(file, { throwIfNoEntry: false });
  if (process.platform === 'win32' || !status?.isFile()) return undefined;
  if ((status.mode & READABLE_BY_OTHERS) === 0) return undefined;
  return `${file} can be read by every user of this machine: chmod 600 it`;
}

/** What is wrong with a file, for people. */
export function explain(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
      return 'no permission';
    case 'EISDIR':
      return 'it is a folder';
    case 'EEXIST':
      return 'it exists already';
    default:
      return error.message;
  }
}
