/**
 * The command line `usmp-gateway`.
 *
 * @module
 */

import { EXIT } from './exit-codes.js';
import { run } from './program.js';

process.stdout.on('error', onOutputError);
process.stderr.on('error', () => {});
await run(process.argv.slice(2));

/** Commands that go on end by stopSignal() as well. That nobody reads any more (`… | head`) is nothing to tell. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || process.exitCode !== undefined) return;
  process.stderr.write(`usmp-gateway: cannot write what there is to say: ${error.message}\n`);
  process.exitCode = EXIT.failed;
}
