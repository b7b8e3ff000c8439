/**
 * Configuration files as text: the template of all options, and what is in force.
 *
 * @module
 */

import { fileValues } from './config.js';
import type { FileValue } from './kinds.js';
import type { LoadedConfig } from './load.js';
import { type ConfigOption, OPTIONS } from './options.js';

/** Width of comments. Columns. */
const WIDTH = 100;

/** All options with their defaults, all of them commented out, so that it changes nothing. */
export function template(): string {
  const head = `# Configuration of usmp-gateway. Every line that is commented out has the default: remove the # to change it.
# Each option can also be given in the environment (USMP_GATEWAY_HTTP_LISTEN for listen of [http]) and by
# flag (--http-listen); flags come first, then the environment, then this file. Relative paths start from
# the folder of this file. "usmp-gateway config check" finds mistakes. SIGHUP makes a running gateway read
# the file again: options marked (live) apply at once, others at the next start.
`;
  return head + inTables((option) => [...explain(option), `#${assignment(option, option.default)}`]);
}

/** What is in force, each with where it is from. Reading it gives the same configuration. */
export function effective({ config, origins, fileReason }: LoadedConfig): string {
  const values = fileValues(config);
  return `# ${fileReason}\n${inTables((option) => [
    `# from ${origins.get(option.path)}`,
    assignment(option, values.get(option.path)!),
  ])}`;
}

/** The same for programs. */
export function effectiveJSON({ config, origins, file }: LoadedConfig) {
  const values = fileValues(config);
  const options = OPTIONS.map(({ path }) => [path, { value: values.get(path), from: origins.get(path) }]);
  return { file: file ?? null, options: Object.fromEntries(options) as Record<string, unknown> };
}

/** A value in TOML. Its strings are those of JSON, but for one character. */
export function toTOML(value: FileValue): string {
  if (Array.isArray(value)) return `[${value.map(toTOML).join(', ')}]`;
  return typeof value === 'string' ? JSON.stringify(value).replaceAll('\x7f', '\\u007f') : String(value);
}

function inTables(linesOf: (option: ConfigOption) => readonly string[]): string {
  let table = '';
  const lines: string[] = [];
  for (const option of OPTIONS) {
    if (option.table !== table) lines.push('', `[${option.table}]`);
    lines.push('', ...linesOf(option));
    table = option.table;
  }
  return `${lines.join('\n')}\n`;
}

function explain({ description, allowed, live }: ConfigOption): string[] {
  return [...comment(description), ...comment(`Allowed: ${allowed}${live ? ' (live)' : ''}`)];
}

function assignment({ name }: ConfigOption, value: FileValue): string {
  return `${name} = ${toTOML(value)}`;
}

function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
