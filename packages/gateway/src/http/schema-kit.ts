/**
 * What all schemas of the API share: their names in the OpenAPI document, and values as they stand in a URL.
 *
 * @module
 */

import { z } from 'zod';

/** Schemas that have a name in the OpenAPI document. */
export const components = z.registry<{ id: string; description?: string }>();

/** How a value of a URL is documented, where that is not how it is checked. */
export const documentedAs = new Map<z.core.$ZodType, Record<string, unknown>>();

/** Gives a schema its name. */
export function named<Schema extends z.ZodType>(id: string, description: string, schema: Schema): Schema {
  components.add(schema, { id, description });
  return schema;
}

/** A time in an answer, or in a body. */
export const Time = z.iso.datetime({ offset: true, error: 'a time like 2026-11-26T17:00:00Z' });

/** How times are answered. */
export function time(at: number): string {
  return new Date(at).toISOString();
}

/** The same where there may be none. */
export function timeOrNull(at: number | undefined): string | null {
  return at === undefined ? null : time(at);
}

/** A number of a URL. */
export function integer(minimum: number, maximum: number) {
  const schema = z
    .string({ error: 'expected once' })
    .refine((text) => /^[0-9]{1,16}$/.test(text) && +text >= minimum && +text <= maximum, {
      error: `expected a whole number, ${minimum} to ${maximum}`,
    })
    .transform(Number);
  documentedAs.set(schema, { type: 'integer', minimum, maximum });
  return schema;
}

/** `true` or `false` in a URL. */
export const flag = z
  .enum(['true', 'false'], { error: 'expected true or false' })
  .transform((text) => text === 'true');
documentedAs.set(flag, { type: 'boolean' });

/** Several values in one parameter, with commas between them. */
export function commaList<const Values extends readonly string[]>(values: Values) {
  const list = z
    .string({ error: 'expected once' })
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(values)).max(values.length));
  documentedAs.set(list, { type: 'array', items: { type: 'string', enum: [...values] } });
  return list;
}

/** Text of a URL. */
export function text(maximum: number) {
  const error = `expected 1 to ${maximum} characters`;
  return z.string({ error: 'expected once' }).min(1, { error }).max(maximum, { error });
}

/** How many entries of a list are answered at most. */
export const MAX_PAGE = 1_000;

/** How many when nobody says. */
export const DEFAULT_PAGE = 100;

export const limit = integer(1, MAX_PAGE)
  .optional()
  .describe(`How many to answer at most; ${DEFAULT_PAGE} by default.`);

/** Ids of messages, events and refused devices. */
export const MAX_ID = Number.MAX_SAFE_INTEGER;
