/**
 * The command line `usmp-gateway`: all commands, and how one ends.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addConfigCommand } from './config-command.js';
import { addDevice } from './device-command.js';
import { addDeviceTables } from './device-tables.js';
import { addEvents } from './events-command.js';
import { describeError, EXIT, exitCodeOf } from './exit-codes.js';
import { addMasterKey } from './master-key-command.js';
import { addMessage } from './message-command.js';
import { addRefused } from './refused-command.js';
import { addSend } from './send-command.js';
import { addSession } from './session-command.js';
import { addStart } from './start-command.js';
import { addLoginLink, addStatus } from './status-command.js';
import { addToken } from './token-command.js';

const { version, description } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);

const COMMANDS = [
  addStart,
  addConfigCommand,
  addStatus,
  addLoginLink,
  addDevice,
  addDeviceTables,
  addSession,
  addSend,
  addMessage,
  addEvents,
  addRefused,
  addToken,
  addMasterKey,
];

/** All commands. It throws where commander would end the process. */
export function makeProgram(): Command {
  const program = new Command('usmp-gateway')
    .description(description)
    .version(version)
    .exitOverride()
    .addHelpText(
      'after',
      `
Example:
  npx usmp-gateway start
  npx usmp-gateway device add --name lamp
  npx usmp-gateway send lamp hello`,
    );
  for (const add of COMMANDS) add(program);
  return program;
}

/** Leaves the exit code in `process.exitCode`, so that whatever is still being written gets out. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    await makeProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed what there is to say.
      process.exitCode =
        error.exitCode === 0 ? EXIT.done : error.code === 'usmp.config' ? error.exitCode : EXIT.usage;
    } else {
      process.stderr.write(`${describeError(error)}\n`);
      process.exitCode = exitCodeOf(error);
    }
  }
}
