/**
 * Checks requests against zod schemas, with errors that name the field and what it may be.
 *
 * @module
 */

import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { GatewayError } from '../errors.js';

/** What an error tells of a request at most. A message must not grow with what somebody sent. */
const MAX_MESSAGE_LENGTH = 300;
const MAX_NAME_LENGTH = 60;
const MAX_PROBLEMS = 3;

/** Fastify's hook: the validated value takes the place of what came. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const subject = SUBJECTS[httpPart ?? ''] ?? 'request';
  return (data) => {
    // Fastify says null where there is no body.
    const result = schema.safeParse(httpPart === 'body' ? (data ?? undefined) : data, { reportInput: true });
    if (result.success) return { value: result.data };
    return { error: explain(result.error.issues, subject) };
  };
};

const SUBJECTS: Readonly<Record<string, string>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'headers',
};

/** One error for all that is wrong; its `field` is the first. */
function explain(issues: readonly z.core.$ZodIssue[], subject: string): GatewayError {
  const problems = issues.flatMap((issue) => problemsOf(issue, subject));
  const told = problems.slice(0, MAX_PROBLEMS).map(({ field, message }) => `${field}: ${message}`);
  if (problems.length > MAX_PROBLEMS) told.push(`${problems.length - MAX_PROBLEMS} more`);
  return new GatewayError('invalid', shorten(told.join('; '), MAX_MESSAGE_LENGTH), {
    field: problems[0]!.field,
  });
}

function problemsOf(issue: z.core.$ZodIssue, subject: string): { field: string; message: string }[] {
  const field = fieldOf(issue.path, subject);
  if (issue.code === 'unrecognized_keys') {
    const parent = issue.path.length === 0 ? [] : issue.path;
    return issue.keys.map((key) => ({
      field: fieldOf([...parent, key], subject),
      message: `not known in the ${subject}`,
    }));
  }
  if (issue.code === 'invalid_value')
    return [{ field, message: `expected ${issue.values.map((value) => JSON.stringify(value)).join(', ')}` }];
  if (issue.code === 'invalid_type' && issue.input === undefined) return [{ field, message: 'is missing' }];
  return [{ field, message: issue.message.replace(/^(Invalid input|Too (small|big)|Invalid string): /, '') }];
}

/** Such as `tags[0]`. */
function fieldOf(path: readonly PropertyKey[], subject: string): string {
  if (path.length === 0) return subject;
  const written = path.map((part, index) => {
    if (typeof part === 'number') return `[${part}]`;
    const name = shorten(String(part), MAX_NAME_LENGTH);
    return index === 0 ? name : `.${name}`;
  });
  return shorten(written.join(''), MAX_NAME_LENGTH);
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
