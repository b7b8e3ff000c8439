/**
 * The command line `usmp`.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addConnect } from './connect.js';
import { EXIT, exitCodeOf } from './exit-codes.js';
import { addKeygen } from './keygen.js';
import { addPing } from './ping.js';
import { describeError } from './remedies.js';
import { addServe } from './serve.js';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

await run(process.argv.slice(2));

/** Leaves the exit code in `process.exitCode`, so that whatever is still being written gets out. */
async function run(args: readonly string[]): Promise<void> {
  // Nobody reads any more (`usmp … | head`): no reason for a stack trace. Commands that go on stop by stopSignal().
  process.stdout.on('error', () => {});
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
  for (const add of [addServe, addConnect, addPing, addKeygen]) add(program);
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
