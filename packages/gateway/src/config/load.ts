/**
 * The configuration from all that says something about it: flags, environment, file and defaults, in this order.
 *
 * @module
 */

import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Config, toConfig } from './config.js';
import { type ChosenFile, chooseFile, readConfigFile } from './config-file.js';
import type { FileValue } from './kinds.js';
import { CONFIG_ENV, type ConfigOption, ENV_PREFIX, OPTIONS } from './options.js';
import { configSchema } from './schema.js';
import { nearest } from './suggest.js';
import { type FileContent, type FileProblem, readTOML } from './toml-file.js';
import { resolveUnixURL } from './unix-url.js';

export { addConfigOptions, sourcesOf } from './flags.js';

export interface ConfigSources {
  /** What `--config` names. */
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** By the attributes of commander, such as `httpListen`; others are ignored. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  /** Default is that of the process. */
  readonly cwd?: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** By the path of an option, where its value is from: `gateway.toml:12`, `USMP_GATEWAY_DATA`, `--data`, `default`. */
  readonly origins: ReadonlyMap<string, string>;
  /** Absolute; undefined when there is none. */
  readonly file: string | undefined;
  /** Which file that is and why, for people. */
  readonly fileReason: string;
  /** What is most likely a mistake, but need not be. */
  readonly warnings: readonly string[];
}

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  /** All that is wrong, each with its place: `gateway.toml:12: outbox.expiry: "7x" is no duration: …`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A value, where it is from, and where relative paths in it start. */
interface Given {
  readonly value: unknown;
  readonly origin: string;
  /** In the file. */
  readonly line?: number;
  readonly elementLines?: readonly number[];
  readonly folder: string;
}

interface Problem {
  /** Undefined outside of the file. */
  readonly line?: number | undefined;
  readonly text: string;
}

const DEFAULT_ORIGIN = 'default';

/** @throws {ConfigError} with everything that is wrong */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const cwd = resolve(sources.cwd ?? '.');
  const given = new Map<string, Given>();
  for (const option of OPTIONS) given.set(option.path, outsideOfFile(option, sources, cwd));
  const file = chooseFile(
    { flag: sources.file, env: sources.env[CONFIG_ENV] || undefined },
    dataFolder(given.get('data')!, cwd),
    cwd,
  );
  const content = file === undefined ? undefined : contentOf(file);
  if (file !== undefined && content !== undefined) addFile(given, file, content);

  const parsed = configSchema.safeParse(nested(given));
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => describe(issue, given, file));
  for (const problem of content?.problems ?? [])
    problems.push({ line: problem.line, text: textOf(file!, problem) });
  problems.push(...misplacedData(given.get('data')!, file));
  if (!parsed.success || problems.length > 0) throw new ConfigError(inOrder(problems));
  return {
    config: toConfig(parsed.data),
    origins: new Map([...given].map(([path, { origin }]) => [path, origin])),
    file: file?.file,
    fileReason: file === undefined ? 'no file' : `${file.name}, ${file.reason}`,
    warnings: [...passedOver(file), ...strangeNames(sources.env)],
  };
}

/** What flags, environment or the default say. */
function outsideOfFile(option: ConfigOption, { flags, env }: ConfigSources, cwd: string): Given {
  const flag = flags[option.attribute];
  if (flag !== undefined) return { value: fromFlag(option, flag), origin: option.flag, folder: cwd };
  const text = env[option.env];
  // Empty is what `${NAME:-}` of compose files leaves behind.
  if (text !== undefined && text !== '')
    return { value: option.fromText(text), origin: option.env, folder: cwd };
  return { value: option.default, origin: DEFAULT_ORIGIN, folder: cwd };
}

function fromFlag({ fromText }: ConfigOption, value: string | boolean | readonly string[]): FileValue {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return fromText(value);
  return value.flatMap((text) => fromText(text) as string | string[]);
}

/** Where a file may lie. */
function dataFolder({ value }: Given, cwd: string): string {
  return resolve(cwd, typeof value === 'string' ? value : '');
}

/** @throws {ConfigError} it cannot be read, or is no TOML: there is nothing to compare the rest with */
function contentOf(file: ChosenFile): FileContent {
  const read = readConfigFile(file.file);
  if ('problem' in read) throw new ConfigError([`${file.name}: cannot be read: ${read.problem}`]);
  const content = readTOML(read.text);
  const [first] = content.problems;
  if (first?.column !== undefined) throw new ConfigError([textOf(file, first)]);
  return content;
}

/** Replaces defaults by what the file says. */
function addFile(given: Map<string, Given>, file: ChosenFile, { entries }: FileContent): void {
  for (const [path, { value, line, elementLines }] of entries) {
    if (given.get(path)!.origin !== DEFAULT_ORIGIN) continue;
    given.set(path, {
      value,
      origin: `${file.name}:${line}`,
      line,
      elementLines,
      folder: file.folder,
    });
  }
}

/** As the schema wants it, with absolute paths. */
function nested(given: ReadonlyMap<string, Given>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, table, name, kind } of OPTIONS) {
    const { value, folder } = given.get(path)!;
    const place = (table === '' ? root : (root[table] ?? {})) as Record<string, unknown>;
    if (table !== '') root[table] = place;
    place[name] = kind === 'path' || kind === 'urls' ? withAbsolutePaths(value, kind, folder) : value;
  }
  return root;
}

function withAbsolutePaths(value: unknown, kind: 'path' | 'urls', folder: string): unknown {
  if (Array.isArray(value)) return value.map((element) => withAbsolutePaths(element, kind, folder));
  if (typeof value !== 'string' || value === '' || value.includes('\0')) return value;
  return kind === 'path' ? resolve(folder, value) : resolveUnixURL(value, folder);
}

function describe(
  { path, message }: z.core.$ZodIssue,
  given: ReadonlyMap<string, Given>,
  file: ChosenFile | undefined,
): Problem {
  const index = path.find((part) => typeof part === 'number');
  const name = path.filter((part) => typeof part === 'string').join('.');
  const { origin, line, elementLines } = given.get(name)!;
  const option = index === undefined ? name : `${name}[${index}]`;
  if (line !== undefined) {
    const exact = (index === undefined ? undefined : elementLines?.[index]) ?? line;
    return { line: exact, text: textOf(file!, { line: exact, text: `${option}: ${message}` }) };
  }
  // The name of a flag or of the environment says which option it is.
  return { text: `${origin === DEFAULT_ORIGIN ? option : origin}: ${message}` };
}

function textOf(file: ChosenFile, { line, column, text }: FileProblem): string {
  return `${file.name}:${line}${column === undefined ? '' : `:${column}`}: ${text}`;
}

/** A file that was found in the data folder cannot say that the data is elsewhere. */
function misplacedData({ value, line }: Given, file: ChosenFile | undefined): Problem[] {
  if (!file?.inDataFolder || line === undefined || typeof value !== 'string') return [];
  const data = resolve(file.folder, value);
  if (data === file.folder) return [];
  const text = `data: the file was found in the data folder ${file.folder}, and names another one, ${data}: leave data out, or give the file by --config`;
  return [{ line, text: textOf(file, { line, text }) }];
}

/** Those of the file first, by lines. */
function inOrder(problems: readonly Problem[]): string[] {
  const lineOf = ({ line = Number.MAX_SAFE_INTEGER }: Problem) => line;
  return problems.toSorted((a, b) => lineOf(a) - lineOf(b)).map(({ text }) => text);
}

function passedOver(file: ChosenFile | undefined): readonly string[] {
  if (file?.passedOver === undefined) return [];
  return [
    `${file.passedOver} is not read, as there is ${file.name} in the data folder: name one by --config`,
  ];
}

/** No errors: a cluster sets names of its own for each service, which may begin like ours. */
function strangeNames(env: NodeJS.ProcessEnv): readonly string[] {
  const known = [...OPTIONS.map((option) => option.env), CONFIG_ENV];
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith(ENV_PREFIX) || known.includes(name)) return [];
    const meant = nearest(name, known);
    return meant === undefined ? [] : [`${name} in the environment is no option: did you mean ${meant}?`];
  });
}
