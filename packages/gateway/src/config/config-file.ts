/**
 * Which configuration file is read, and reading it.
 *
 * @module
 */

import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { CONFIG_ENV } from './options.js';

/** Name of the file that is looked for. */
export const CONFIG_FILE = 'gateway.toml';

/** Far above any configuration, and far below what would fill the memory when the path is a mistake. Bytes. */
const MAX_FILE = 1_048_576;

export interface ChosenFile {
  /** Absolute. */
  readonly file: string;
  /** As people know it. */
  readonly name: string;
  /** Its folder, which relative paths in it start from. */
  readonly folder: string;
  /** Why this one. */
  readonly reason: string;
  /** Whether it lies in the data folder, where it was found. */
  readonly inDataFolder: boolean;
  /** Another one that is not read for it. */
  readonly passedOver: string | undefined;
}

/**
 * The file that was named, else that of the data folder, else that of the working directory; undefined for none.
 *
 * @param data the data folder as far as it is known without a file, absolute
 */
export function chooseFile(
  named: { readonly flag: string | undefined; readonly env: string | undefined },
  data: string,
  cwd: string,
): ChosenFile | undefined {
  const { flag, env } = named;
  if (flag !== undefined) return chosen(resolve(cwd, flag), flag, 'given by --config');
  if (env !== undefined) return chosen(resolve(cwd, env), env, `given by ${CONFIG_ENV}`);
  const [inData, inCwd] = [join(data, CONFIG_FILE), join(cwd, CONFIG_FILE)];
  const hasCwd = isThere(inCwd);
  if (data !== cwd && isThere(inData)) {
    const file = chosen(inData, shortName(inData, cwd), 'found in the data folder', true);
    return hasCwd ? { ...file, passedOver: inCwd } : file;
  }
  return hasCwd ? chosen(inCwd, CONFIG_FILE, 'found in the working directory', data === cwd) : undefined;
}

/** The text of a file, or why there is none. */
export function readConfigFile(file: string): { readonly text: string } | { readonly problem: string } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return { problem: reasonOf(error as NodeJS.ErrnoException) };
  }
  if (bytes.length > MAX_FILE)
    return { problem: 'it has more than 1 MiB, and is no configuration of a gateway' };
  try {
    // Without the mark that some editors of Windows put at the start.
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { problem: 'it is not UTF-8: save it as that' };
  }
}

/** Why a file cannot be read, in words. */
export function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'ENOTDIR':
      return 'a part of its path is no folder';
    case 'EISDIR':
      return 'it is a folder';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it: give it the right to, or run the gateway as another user';
    default:
      return error.message;
  }
}

/** Also when it cannot be looked at, so that reading it says why. */
function isThere(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

function chosen(file: string, name: string, reason: string, inDataFolder = false): ChosenFile {
  return { file, name, folder: dirname(file), reason, inDataFolder, passedOver: undefined };
}

/** Relative where it lies below the working directory. */
function shortName(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short.startsWith('..') || isAbsolute(short) ? file : short;
}
