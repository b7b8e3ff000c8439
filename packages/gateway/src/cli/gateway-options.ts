/**
 * What all commands on a gateway have in common: the options that say which one, `--json`, and how an action begins and
 * ends.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { CONFIG_ENV, findOption } from '../config/options.js';
import type { ApiClient } from './api-client.js';
import { EXIT_CODES_HELP, errorAnswer, exitCodeOf } from './exit-codes.js';
import { findGateway, type Needs, TOKEN_VARIABLE } from './find-gateway.js';
import { Output } from './output.js';
import { quoted } from './words.js';

export interface GatewayFlags {
  readonly data?: string;
  readonly config?: string;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly json?: true;
}

/** What an action works with. */
export interface Work<Flags = object> {
  readonly api: ApiClient;
  readonly out: Output;
  readonly flags: GatewayFlags & Flags;
}

const HELP = `
Without --url the command talks to the gateway that runs on the data folder; when none does, it
works on the folder itself. With --url the token is in ${TOKEN_VARIABLE}, or in the file that
--token-file names.
${EXIT_CODES_HELP}`;

/** A command of a gateway: its name with arguments, and one line of what it does. */
export function gatewayCommand(parent: Command, name: string, summary: string): Command {
  return parent
    .command(name)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`);
}

/** Sets what the command does; `action` gets the arguments behind what it works with. */
export function onGateway<Flags, Arguments extends unknown[]>(
  command: Command,
  needs: Needs | ((flags: Flags) => Needs),
  action: (work: Work<Flags>, ...given: Arguments) => Promise<void>,
): void {
  withInput<Flags, undefined, Arguments>(
    command,
    needs,
    () => undefined,
    (work, _, ...given) => action(work, ...given),
  );
}

/**
 * The same with something to check or to read beforehand: while a command waits for standard input it must not hold the
 * data folder.
 */
export function withInput<Flags, Input, Arguments extends unknown[]>(
  command: Command,
  needs: Needs | ((flags: Flags) => Needs),
  read: (flags: Flags & GatewayFlags, out: Output, ...given: never[]) => Input | Promise<Input>,
  action: (work: Work<Flags>, input: Input, ...given: Arguments) => Promise<void>,
): void {
  addGatewayOptions(command).action(async (...all: unknown[]) => {
    const flags = all.at(-2) as GatewayFlags & Flags;
    const given = all.slice(0, -2) as Arguments;
    const out = new Output(flags.json === true);
    try {
      const input = await read(flags, out, ...(given as unknown[] as never[]));
      const needed = typeof needs === 'function' ? needs(flags) : needs;
      const api = await findGateway(flags, needed, (message) => out.notice(message));
      try {
        await action({ api, out, flags }, input, ...given);
      } finally {
        await api.close();
      }
    } catch (error) {
      if (!out.json) throw error;
      out.answer(errorAnswer(error), () => '');
      process.exitCode = exitCodeOf(error);
    }
  });
}

function addGatewayOptions(command: Command): Command {
  return command
    .option('--json', 'print the answer of the API as JSON, errors too')
    .option('--data <folder>', 'data folder of the gateway (default: ./usmp-gateway-data, or as configured)')
    .option('--config <file>', 'its configuration file')
    .addOption(new Option('--url <url>', 'address of a gateway elsewhere').conflicts(['data', 'config']))
    .option('--token-file <file>', 'file with the token for --url')
    .addHelpText('after', HELP);
}

/** The options that a command in another terminal needs to talk to the same gateway, for a shell. */
export function sameGateway({ data, config, url, tokenFile }: GatewayFlags): string {
  const env = url === undefined ? process.env : {};
  const given = [
    ['--data', data ?? env[DATA_ENV]],
    ['--config', config ?? env[CONFIG_ENV]],
    ['--url', url],
    ['--token-file', tokenFile],
  ];
  return given.map(([name, value]) => (value ? ` ${name} ${quoted(value)}` : '')).join('');
}

const DATA_ENV = findOption('data')!.env;
