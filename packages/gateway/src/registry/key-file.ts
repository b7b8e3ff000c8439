/**
 * Files that hold a key: only their owner may read them, and what is written is on the disk when `write` returns.
 *
 * @module
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { GatewayError } from '../errors.js';

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;
/** Longer than any key. Bytes. */
const MAX_SIZE = 4_096;

export interface KeyFile {
  readonly path: string;
  exists(): boolean;
  /** @throws {GatewayError} `unavailable`: others can read it, or we cannot */
  read(): string;
  /** Makes the file; there must be none. */
  write(text: string): void;
  /** In place of what is there. */
  renameTo(target: KeyFile): void;
  /** Nothing, where there is none. */
  remove(): void;
}

export function keyFile(path: string): KeyFile {
  return {
    path,
    exists: () => existsSync(path),
    read: () => explained(path, 'read', () => readOwn(path)),
    write: (text) => explained(path, 'written', () => writeNew(path, text)),
    renameTo: (target) =>
      explained(target.path, 'written', () => {
        renameSync(path, target.path);
        syncFolder(path);
      }),
    remove: () => explained(path, 'removed', () => rmSync(path, { force: true })),
  };
}

function readOwn(path: string): string {
  const { mode, size } = statSync(path);
  // Windows has no such modes; there the folder's access list decides.
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    throw new GatewayError(
      'unavailable',
      `${path} can be read by others (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): run chmod 600 ${quoted(path)}`,
    );
  if (size > MAX_SIZE) throw new GatewayError('unavailable', `${path} is ${size} bytes, which no key is`);
  return readFileSync(path, 'utf8');
}

function writeNew(path: string, text: string): void {
  const file = openSync(path, 'wx', OWNER_ONLY);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  syncFolder(path);
}

/** So that the name, too, survives a power cut. */
function syncFolder(path: string): void {
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function explained<Result>(path: string, what: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new GatewayError('storage_full', `${path} cannot be written, the disk is full: make room`, {
        cause: error,
      });
    const remedy =
      code === 'EACCES' || code === 'EPERM' ? ': it must belong to the user who runs the gateway' : '';
    throw new GatewayError('unavailable', `${path} cannot be ${what} (${code ?? message})${remedy}`, {
      cause: error,
    });
  }
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
