/**
 * The command line `usmp`.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addConnect } from './connect.js';
import { addDecode } from './decode.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { addKeygen } from './keygen.js';
import { addPing } from './ping.js';
import { describeError } from './remedies.js';
import { addServe } from './serve.js';
import { addSimulate } from './simulate.js';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

await run(process.argv.slice(2));

/** Leaves the exit code in `process.exitCode`, so that whatever is still being written gets out. */
async function run(args: readonly string[]): Promise<void> {
  process.stdout.on('error', onOutputError);
  process.stderr.on('error', () => {});
  const program = new Command('usmp')
    .description(description)
    .version(version)
    .exitOverride()
    .addHelpText(
      'after',
      `
Example:
  npx usmp keygen --out key.txt
  npx usmp serve --psk-file key.txt --echo
  npx usmp connect tcp://127.0.0.1:9000 --psk-file key.txt --send hello`,
    );
  for (const add of [addServe, addConnect, addPing, addSimulate, addKeygen, addDecode]) add(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed what there is to say.
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    } else {
      process.stderr.write(`usmp: ${describeError(error)}\n`);
      process.exitCode = exitCodeOf(error);
    }
  }
}

/** Commands that go on end by stopSignal() as well. That nobody reads any more (`usmp … | head`) is nothing to tell. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || process.exitCode !== undefined) return;
  process.stderr.write(`usmp: cannot write what there is to say: ${error.message}\n`);
  process.exitCode = EXIT.failed;
}
