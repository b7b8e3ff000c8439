/**
 * The options that say which key to use.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import type { Key } from '../index.js';
import { UsageError } from './exit-codes.js';
import { exposureOf, readKeyFile } from './key-file.js';
import { parseKey } from './key-text.js';

export interface KeyOptions {
  readonly psk?: string;
  readonly pskFile?: string;
}

/** For `--help`. */
export const KEY_HELP = `
Keys are at least 16 bytes: text, or bytes written as hex:… or base64:…
One given by --psk can be seen in the list of processes: prefer --psk-file.
Without either the environment variable USMP_PSK is used.`;

/** Adds `--psk` and `--psk-file`. */
export function addKeyOptions(command: Command): Command {
  return command
    .addOption(new Option('--psk <text>', 'pre-shared key').conflicts(['pskFile', 'keys']))
    .addOption(new Option('--psk-file <file>', 'file that holds the pre-shared key').conflicts('keys'));
}

/**
 * The key that the options or the environment give.
 *
 * @param warn is told about a key file that everybody can read
 * @throws {UsageError} there is none, or it cannot be used
 */
export function resolveKey({ psk, pskFile }: KeyOptions, warn: (message: string) => void): Key {
  if (psk !== undefined) return parseKey(psk, '--psk');
  if (pskFile !== undefined) {
    const key = readKeyFile(pskFile);
    const exposure = exposureOf(pskFile);
    if (exposure !== undefined) warn(exposure);
    return key;
  }
  const { USMP_PSK } = process.env;
  if (USMP_PSK !== undefined) return parseKey(USMP_PSK, 'USMP_PSK');
  throw new UsageError('no key: give --psk-file key.txt (npx usmp keygen --out key.txt makes one)');
}
