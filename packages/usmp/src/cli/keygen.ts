/**
 * `usmp keygen`: makes a key.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { LocalError } from './exit-codes.js';
import { explain } from './key-file.js';

const KEY_BYTES = 32;

export function addKeygen(program: Command): void {
  program
    .command('keygen')
    .summary('make a key')
    .description(
      'Makes a random key: 43 characters that are used as they stand, so that they paste into a sketch.',
    )
    .option('--out <file>', 'write it to a new file that only you can read')
    .addHelpText('after', '\nExample:\n  npx usmp keygen --out key.txt')
    .action(keygen);
}

function keygen({ out }: { out?: string }): void {
  const key = randomBytes(KEY_BYTES).toString('base64url');
  if (out === undefined) {
    process.stdout.write(`${key}\n`);
    return;
  }
  try {
    writeFileSync(out, `${key}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const why = explain(error as NodeJS.ErrnoException);
    throw new LocalError(`cannot write ${out}: ${why}; choose another name`);
  }
  process.stdout.write(`npx usmp serve --psk-file ${quoted(out)}\n`);
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
