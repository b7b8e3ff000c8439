/**
 * Files that hold keys or tokens.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { LocalError, UsageError } from './exit-codes.js';

/** Bit of a file mode: everybody on this machine may read the file. */
const READABLE_BY_OTHERS = 0o004;

/** Far above any key or token. Bytes. */
const MAX_SECRET = 4_096;

/**
 * A new file that only its owner can read. It is made before what it is for is made: a new key that could not be written
 * would be lost.
 */
export class SecretFile {
  readonly path: string;
  readonly #descriptor: number;

  /** @throws {LocalError} it is there already, or cannot be made */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'wx', 0o600);
    } catch (error) {
      throw new LocalError(
        `cannot write ${path}: ${explain(error as NodeJS.ErrnoException)}; choose another name`,
      );
    }
  }

  /** @throws {LocalError} */
  write(text: string): void {
    try {
      writeFileSync(this.#descriptor, text);
      closeSync(this.#descriptor);
    } catch (error) {
      throw new LocalError(`cannot write ${this.path}: ${explain(error as NodeJS.ErrnoException)}`);
    }
  }

  /** There is nothing to write into it. */
  discard(): void {
    closeSync(this.#descriptor);
    rmSync(this.path, { force: true });
  }
}

/**
 * What a file holds, without the one line end that editors leave behind it.
 *
 * @throws {UsageError}
 */
export function readSecretFile(file: string): string {
  return secretIn(readInput(file), file);
}

/**
 * What standard input holds, likewise.
 *
 * @throws {UsageError}
 */
export async function readSecretFromStdin(): Promise<string> {
  return secretIn(await readStdin(), 'standard input');
}

/** All of standard input. */
export async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @throws {UsageError} it cannot be read */
export function readInput(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${explain(error as NodeJS.ErrnoException)}`);
  }
}

/** What to tell the owner of a file that others can read too; undefined when they cannot. */
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
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return error.message;
  }
}

function secretIn(bytes: Buffer, where: string): string {
  if (bytes.length > MAX_SECRET)
    throw new UsageError(`${where} has ${bytes.length} bytes, and holds no key or token`);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (text === '') throw new UsageError(`${where} is empty`);
  return text;
}
