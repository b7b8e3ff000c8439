/**
 * A flag of the command line for every option.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import type { ConfigSources } from './load.js';
import { CONFIG_ENV, type ConfigOption, ENV_PREFIX, OPTIONS } from './options.js';

/** What stands for the value in `--help`. */
const PLACEHOLDERS: Readonly<Record<ConfigOption['kind'], string>> = {
  duration: '<duration>',
  size: '<size>',
  count: '<number>',
  // Without a value it is true.
  boolean: '[true|false]',
  choice: '<choice>',
  endpoint: '<host:port>',
  url: '<url>',
  urls: '<url>',
  path: '<path>',
};

/** For `--help`. */
const HELP = `
Each option can also stand in the configuration file or in the environment: --http-listen is listen of
[http] in the file, and ${ENV_PREFIX}HTTP_LISTEN. Flags come first, then the environment, then the file.`;

/**
 * Adds `--config`, and a flag for every option. Values are checked by `loadConfig`.
 *
 * @param shown names of options for `--help`, which commands that hardly need one leave out; default is all
 */
export function addConfigOptions(command: Command, shown?: readonly string[]): Command {
  command.addOption(
    new Option(
      '--config <file>',
      `configuration file (default: gateway.toml in the data folder, or here; ${CONFIG_ENV})`,
    ),
  );
  for (const option of OPTIONS) {
    const flag = flagOf(option);
    command.addOption(shown === undefined || shown.includes(option.path) ? flag : flag.hideHelp());
  }
  return shown === undefined ? command.addHelpText('after', HELP) : command;
}

/** What `loadConfig` takes, from the flags of a command that `addConfigOptions` has seen. */
export function sourcesOf(flags: Readonly<Record<string, unknown>>, env = process.env): ConfigSources {
  return { file: flags.config as string | undefined, env, flags: flags as ConfigSources['flags'] };
}

function flagOf(option: ConfigOption): Option {
  const { flag, kind, description, allowed } = option;
  const standard = [option.default].flat().join(', ');
  const range = kind === 'choice' || kind === 'duration' || kind === 'size' ? `: ${allowed}` : '';
  const repeatable = kind === 'urls' ? '; repeatable' : '';
  const text = `${description}${range}${repeatable}${standard === '' ? '' : ` (default: ${standard})`}`;
  const made = new Option(`${flag} ${PLACEHOLDERS[kind]}`, text);
  if (kind !== 'urls') return made;
  return made.argParser((value: string, previous: readonly string[] | undefined) => [
    ...(previous ?? []),
    value,
  ]);
}
