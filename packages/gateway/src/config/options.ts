/**
 * The options as a list, with the names that are derived from their paths.
 *
 * @module
 */

import type { z } from 'zod';
import { type OptionFacts, optionFacts } from './kinds.js';
import { configSchema } from './schema.js';

/** Names of the environment begin with it. */
export const ENV_PREFIX = 'USMP_GATEWAY_';

/** The one name that says which file to read. */
export const CONFIG_ENV = `${ENV_PREFIX}CONFIG`;

export interface ConfigOption extends OptionFacts {
  /** `http.tls_cert`. */
  readonly path: string;
  /** `http`; empty for those at the top. */
  readonly table: string;
  /** `tls_cert`. */
  readonly name: string;
  /** `USMP_GATEWAY_HTTP_TLS_CERT`. */
  readonly env: string;
  /** `--http-tls-cert`. */
  readonly flag: string;
  /** What commander calls it: `httpTlsCert`. */
  readonly attribute: string;
}

/** In the order of the schema. */
export const OPTIONS: readonly ConfigOption[] = collect('', configSchema);

/** The names of the tables, in that order. */
export const TABLES: readonly string[] = [
  ...new Set(OPTIONS.map(({ table }) => table).filter((table) => table !== '')),
];

const byPath = new Map(OPTIONS.map((option) => [option.path, option]));

export function findOption(path: string): ConfigOption | undefined {
  return byPath.get(path);
}

function collect(table: string, schema: z.ZodObject): ConfigOption[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    const facts = optionFacts.get(member as z.ZodType);
    if (facts !== undefined) return [named(table, name, facts)];
    return collect(name, (member as z.ZodPrefault<z.ZodObject>).unwrap());
  });
}

function named(table: string, name: string, facts: OptionFacts): ConfigOption {
  const path = table === '' ? name : `${table}.${name}`;
  const words = path.split(/[._]/);
  return {
    ...facts,
    path,
    table,
    name,
    env: ENV_PREFIX + words.join('_').toUpperCase(),
    flag: `--${words.join('-')}`,
    attribute: camelCase(words),
  };
}

/** `maxPerAddress` of `max_per_address`. */
export function camelCase(words: readonly string[]): string {
  return words.map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('');
}
