/**
 * `--danger-keylog`: writes the keys of sessions to a file, for looking into traffic with `usmp decode`.
 *
 * @module
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { LocalError } from './exit-codes.js';

/** Readable by its owner alone. */
const MODE = 0o600;

export interface KeyLogOptions {
  readonly dangerKeylog?: string;
}

/** Adds `--danger-keylog`. */
export function addKeyLogOption(command: Command): Command {
  return command.option(
    '--danger-keylog <file>',
    'append the keys of all sessions to a file for "usmp decode": whoever reads it can read and forge everything',
  );
}

/**
 * The option of servers and clients that the command line asks for; nothing without it.
 *
 * @param warn is told what this means
 * @throws {LocalError} the file cannot be written
 */
export function keyLogOf(
  { dangerKeylog: file }: KeyLogOptions,
  warn: (message: string) => void,
): { dangerKeyLog?: (line: string) => void } {
  if (file === undefined) return {};
  append(file, '');
  warn(`the keys of all sessions are written to ${file}: delete it when you are done`);
  let broken = false;
  return {
    dangerKeyLog(line) {
      if (broken) return;
      try {
        append(file, `${line}\n`);
      } catch (error) {
        // The sessions matter more than the log.
        broken = true;
        warn((error as Error).message);
      }
    },
  };
}

/** Opened for each line, so that the file can be moved away. */
function append(file: string, text: string): void {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'a', MODE);
    if (text !== '') writeSync(handle, text);
  } catch (error) {
    throw new LocalError(`cannot write the key log: ${(error as Error).message}`);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
