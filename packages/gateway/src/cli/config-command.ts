/**
 * `usmp-gateway config`: write a configuration file, check one, and show what is in force.
 *
 * @module
 */

import { writeFileSync } from 'node:fs';
import { type Command, CommanderError } from 'commander';
import { CONFIG_FILE } from '../config/config-file.js';
import { addConfigOptions, ConfigError, type LoadedConfig, loadConfig, sourcesOf } from '../config/load.js';
import { problemsOfFiles } from '../config/named-files.js';
import { effective, effectiveJSON, template } from '../config/write.js';

/** Exit codes, as those of `usmp`. */
const FAILED = 1;
const USAGE = 2;

/** Of commander, by attributes. */
type Flags = Readonly<Record<string, unknown>>;

export function addConfigCommand(program: Command): void {
  const config = program
    .command('config')
    .summary('write, check and show the configuration')
    .description('Writes, checks and shows the configuration.');
  addInit(config);
  addCheck(config);
  addShow(config);
}

function addInit(config: Command): void {
  config
    .command('init')
    .summary('write a file with all options')
    .description('Writes a file of all options with their defaults, commented out. Never overwrites one.')
    .argument('[file]', 'where to; - for the terminal', CONFIG_FILE)
    .option('--json', 'print the name of the file as JSON, errors too')
    .action(init);
}

function addCheck(config: Command): void {
  const command = config
    .command('check')
    .summary('say all that is wrong')
    .description(
      'Says all that is wrong with the configuration: file, environment and flags. Exit code 2 then.',
    )
    .argument('[file]', 'the same as --config')
    .option('--json', 'print what is wrong as JSON');
  addConfigOptions(command).action(check);
}

function addShow(config: Command): void {
  const command = config
    .command('show')
    .summary('print what is in force')
    .description('Prints the configuration that is in force, and where each value is from.')
    .argument('[file]', 'the same as --config')
    .option('--json', 'print it as JSON, errors too');
  addConfigOptions(command).action(show);
}

function init(file: string, { json }: Flags, command: Command): void {
  const text = template();
  if (file === '-') {
    if (json === true) fail(command, USAGE, 'a template is no JSON: name a file, or leave out --json');
    print(command, text);
    return;
  }
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      fail(command, USAGE, `${file} is there already: name another file, or remove it first`);
    if (code === 'ENOENT') fail(command, USAGE, `${file}: there is no such folder: make it first`);
    fail(command, FAILED, `${file} cannot be written: ${message}`);
  }
  print(command, json === true ? inJSON({ file }) : `wrote ${file}: all options, with their defaults\n`);
}

function check(file: string | undefined, flags: Flags, command: Command): void {
  const loaded = load(file, flags, command);
  const problems = problemsOfFiles(loaded);
  if (problems.length > 0) failConfig(command, problems);
  const { fileReason, warnings } = loaded;
  print(
    command,
    flags.json === true
      ? inJSON({ file: loaded.file ?? null, warnings })
      : `${fileReason}: nothing is wrong with the configuration\n`,
  );
}

function show(file: string | undefined, flags: Flags, command: Command): void {
  const loaded = load(file, flags, command);
  print(command, flags.json === true ? inJSON(effectiveJSON(loaded)) : effective(loaded));
}

function load(file: string | undefined, flags: Flags, command: Command): LoadedConfig {
  if (file !== undefined && flags.config !== undefined)
    fail(command, USAGE, `two files are given, ${file} and ${flags.config}: give one`);
  try {
    const loaded = loadConfig(sourcesOf(file === undefined ? flags : { ...flags, config: file }));
    for (const warning of loaded.warnings) command.configureOutput().writeErr!(`warning: ${warning}\n`);
    return loaded;
  } catch (error) {
    if (error instanceof ConfigError) failConfig(command, error.problems);
    throw error;
  }
}

/** Each problem in a line that editors can jump to. */
function failConfig(command: Command, problems: readonly string[]): never {
  end(command, USAGE, problems.join('\n'), problems.join('\n'));
}

function fail(command: Command, exitCode: number, message: string): never {
  end(command, exitCode, message, `usmp-gateway: ${message}`);
}

/** With `--json` as the API answers errors, on standard output. */
function end(command: Command, exitCode: number, message: string, text: string): never {
  if (command.opts<Flags>().json !== true) command.error(text, { exitCode, code: 'usmp.config' });
  print(command, inJSON({ error: { code: exitCode === USAGE ? 'invalid' : 'failed', message } }));
  throw new CommanderError(exitCode, 'usmp.config', text);
}

function inJSON(answer: object): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}

function print(command: Command, text: string): void {
  command.configureOutput().writeOut!(text);
}
