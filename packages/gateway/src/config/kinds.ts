/**
 * The kinds of options: how a value is read, what is said of a wrong one, and how it is written again.
 *
 * @module
 */

import { ArgumentError, USMPServer } from 'usmp';
import { z } from 'zod';
import { type Endpoint, formatEndpoint, parseEndpoint } from './endpoint.js';
import {
  DURATION_EXAMPLES,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_EXAMPLES,
} from './units.js';

/** A value as the file has it. */
export type FileValue = string | number | boolean | readonly string[];

/** What is known of an option beside its name. */
export interface OptionFacts {
  readonly kind: 'duration' | 'size' | 'count' | 'boolean' | 'choice' | 'endpoint' | 'url' | 'urls' | 'path';
  /** What it does, with the unit of a count; a sentence without a full stop. */
  readonly description: string;
  readonly default: FileValue;
  /** For people: `1s to 7d`. */
  readonly allowed: string;
  /** Whether SIGHUP applies a change; others take a restart. */
  readonly live: boolean;
  /** A value of the file for the text of a flag or of the environment; what it cannot be made of stays text. */
  readonly fromText: (text: string) => FileValue;
  /** The reverse of reading. */
  readonly format: (value: never) => FileValue;
}

/** Where the facts of each option are kept. */
export const optionFacts = z.registry<OptionFacts>();

/** Says what is wrong with a value, or with one element of a list. */
type Refuse = (problem: string, index?: number) => undefined;

interface Common {
  readonly description: string;
  readonly live?: boolean;
}

/** Milliseconds; `""` is read as undefined where it is allowed. */
export function duration<Optional extends boolean = false>(
  facts: Common & { min: string; max: string; default: string; optional?: Optional },
) {
  const { min, max, optional } = facts;
  type Value = number | (Optional extends true ? undefined : never);
  const read = (value: unknown, refuse: Refuse): Value | undefined => {
    if (value === '' && optional) return undefined;
    const milliseconds = typeof value === 'string' ? parseDuration(value) : undefined;
    if (milliseconds === undefined)
      return refuse(`${show(value)} is no duration: write it like ${DURATION_EXAMPLES}`);
    return within(milliseconds, parseDuration(min)!, parseDuration(max)!)
      ? milliseconds
      : refuse(`${show(value)} is out of range: ${min} to ${max}`);
  };
  return option<Value>(
    {
      live: false,
      kind: 'duration',
      allowed: optional ? `${min} to ${max}, or ""` : `${min} to ${max}`,
      fromText: asIs,
      format: (value: number | undefined) => (value === undefined ? '' : formatDuration(value)),
      ...facts,
    },
    read,
  );
}

/** Bytes. */
export function size(facts: Common & { min: string; max: string; default: string }) {
  const { min, max } = facts;
  const read = (value: unknown, refuse: Refuse) => {
    const bytes = typeof value === 'string' ? parseSize(value) : undefined;
    if (bytes === undefined) return refuse(`${show(value)} is no size: write it like ${SIZE_EXAMPLES}`);
    return within(bytes, parseSize(min)!, parseSize(max)!)
      ? bytes
      : refuse(`${show(value)} is out of range: ${min} to ${max}`);
  };
  return option(
    { live: false, kind: 'size', allowed: `${min} to ${max}`, fromText: asIs, format: formatSize, ...facts },
    read,
  );
}

/** A whole number. With `none` that one stands for no limit, and is read as undefined. */
export function count<None extends number | undefined = undefined>(
  facts: Common & { min: number; max: number; default: number; none?: None },
) {
  const { min, max, none } = facts;
  const range = `${grouped(min)} to ${grouped(max)}`;
  const allowed = none === undefined ? range : `${range}, or ${none} for no limit`;
  type Value = number | (None extends number ? undefined : never);
  const read = (value: unknown, refuse: Refuse): Value | undefined => {
    if (typeof value !== 'number' || !Number.isInteger(value))
      return refuse(`${show(value)} is no whole number: ${allowed}`);
    if (value === none) return undefined;
    return within(value, min, max) ? value : refuse(`${value} is out of range: ${allowed}`);
  };
  return option<Value>(
    {
      live: false,
      kind: 'count',
      allowed,
      fromText: (text) => (/^[0-9][0-9_]*$/.test(text) ? Number(text.replaceAll('_', '')) : text),
      format: (value: number | undefined) => value ?? none!,
      ...facts,
    },
    read,
  );
}

export function boolean(facts: Common & { default: boolean }) {
  const fromText = (text: string) => (text === 'true' ? true : text === 'false' ? false : text);
  return option<boolean>(
    {
      live: false,
      kind: 'boolean',
      allowed: 'true, false',
      fromText,
      format: (value: boolean) => value,
      ...facts,
    },
    (value, refuse) =>
      typeof value === 'boolean' ? value : refuse(`${show(value)} must be true or false, without quotes`),
  );
}

export function choice<const Choice extends string>(
  facts: Common & { choices: readonly Choice[]; default: Choice },
) {
  const { choices } = facts;
  return option<Choice>(
    { live: false, kind: 'choice', allowed: choices.join(', '), fromText: asIs, format: asIs, ...facts },
    (value, refuse) =>
      choices.find((known) => known === value) ??
      refuse(`${show(value)} must be one of ${choices.map((known) => `"${known}"`).join(', ')}`),
  );
}

/** `HOST:PORT`. */
export function endpoint(facts: Common & { default: string }) {
  return option<Endpoint>(
    { live: false, kind: 'endpoint', allowed: 'HOST:PORT', fromText: asIs, format: formatEndpoint, ...facts },
    (value, refuse) =>
      (typeof value === 'string' ? parseEndpoint(value) : undefined) ??
      refuse(`${show(value)} must be HOST:PORT, like "127.0.0.1:8080", "[::1]:8080" or "0.0.0.0:8080"`),
  );
}

/** An absolute path; `""` is read as undefined where it is allowed. */
export function path<Optional extends boolean = false>(
  facts: Common & { default: string; optional?: Optional },
) {
  type Value = string | (Optional extends true ? undefined : never);
  return option<Value>(
    {
      live: false,
      kind: 'path',
      allowed: facts.optional ? 'a path, "" for none' : 'a path',
      fromText: asIs,
      format: (value: string | undefined) => value ?? '',
      ...facts,
    },
    (value, refuse): Value | undefined => {
      if (value === '' && facts.optional) return undefined;
      if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
      return refuse(`${show(value)} is no path: write it in quotes, like "/etc/usmp-gateway/file"`);
    },
  );
}

/** Address that others reach an HTTP server at, without a slash at its end; `""` is read as undefined. */
export function httpURL(facts: Common & { default: string }) {
  return option<string | undefined>(
    {
      live: false,
      kind: 'url',
      allowed: 'http:// or https:// and host, "" for none',
      fromText: asIs,
      format: (value: string | undefined) => value ?? '',
      ...facts,
    },
    (value, refuse) => {
      if (value === '') return undefined;
      const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
      if (url === undefined || !['http:', 'https:'].includes(url.protocol))
        return refuse(`${show(value)} is no address: write it like "https://gateway.example"`);
      // Not quoted: it may be in somebody's log.
      if (url.username || url.password) return refuse('it holds a name or a password: leave them out');
      if (url.search || url.hash) return refuse(`${show(value)} holds more than scheme, host, port and path`);
      return url.href.replace(/\/+$/, '');
    },
  );
}

/** URLs that servers of `usmp` listen on, at least one. */
export function listenURLs(facts: Common & { default: readonly string[] }) {
  return option<readonly string[]>(
    {
      live: false,
      kind: 'urls',
      allowed: 'URLs, at least one',
      fromText: (text) => text.split(/[\s,]+/).filter((part) => part !== ''),
      format: (value: readonly string[]) => value,
      ...facts,
    },
    (value, refuse) => {
      const urls: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (urls.length === 0) return refuse('it is empty: give at least one URL, like "tcp://0.0.0.0:9000"');
      for (const [index, url] of urls.entries()) {
        const objection = listenObjection(url, urls.slice(0, index));
        if (objection !== undefined) refuse(objection, Array.isArray(value) ? index : undefined);
      }
      return urls as readonly string[];
    },
  );
}

function listenObjection(url: unknown, before: readonly unknown[]): string | undefined {
  if (typeof url !== 'string') return `${show(url)} is no URL: write it like "tcp://0.0.0.0:9000"`;
  // Port 0 is another one each time.
  if (before.includes(url) && !url.endsWith(':0')) return `${show(url)} stands there twice`;
  try {
    // Only checks its options: nothing is opened before listen().
    new USMPServer({ listen: url, psk: 'never used by anybody' });
    return undefined;
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    throw error;
  }
}

/** A schema that reads one option, from the text of its default where there is none. */
function option<Value>(
  facts: OptionFacts & Record<string, unknown>,
  read: (value: unknown, refuse: Refuse) => Value | undefined,
) {
  return z
    .unknown()
    .transform((value, context): Value => {
      let refused = false;
      const refuse: Refuse = (message, index) => {
        refused = true;
        const path = index === undefined ? [] : [index];
        // Checks of options against each other go on.
        context.issues.push({ code: 'custom', message, input: value, path, continue: true });
      };
      const result = read(value, refuse) as Value;
      return refused ? z.NEVER : result;
    })
    .prefault(facts.default)
    .register(optionFacts, facts);
}

function asIs(text: string): string {
  return text;
}

function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

function grouped(value: number): string {
  return value.toLocaleString('en');
}

/** A value in an error message: in one line, and not all of a long one. */
function show(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 80 ? `${JSON.stringify(value.slice(0, 80))}…` : JSON.stringify(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'a table' : String(value);
}
