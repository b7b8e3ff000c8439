/**
 * How bodies are read: JSON or CSV, as the route says, in valid UTF-8.
 *
 * @module
 */

import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { GatewayError } from '../errors.js';

/** Of operations that take none. */
export const NoBody = z.strictObject({}).optional();

/** The same for the query. */
export const NoQuery = z.strictObject({});

/** Takes bodies of that type alone. */
export function addBodyParsers(app: FastifyInstance, type: 'application/json' | 'text/csv'): void {
  app.removeAllContentTypeParsers();
  // Refuses "__proto__" and "constructor": { "prototype" … }.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<Buffer>(type, { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0 && type === 'application/json') return done(null, undefined);
    const text = decode(body);
    if (text === undefined)
      return done(new GatewayError('invalid', 'the body is not valid UTF-8', { field: 'body' }));
    if (type === 'text/csv') return done(null, text);
    return parseJson(request, text, (error, value) =>
      error === null
        ? done(null, value)
        : done(new GatewayError('invalid', jsonProblem(text), { field: 'body' })),
    );
  });
}

function decode(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** What is wrong with a text that was refused, which Fastify does not say; without more of it, as it may have a key. */
function jsonProblem(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    return `the body is not valid JSON: ${(error as Error).message.replace(/, (\.{3})?".*/s, '')}`;
  }
  return 'the body has a field named __proto__ or constructor.prototype, which is not taken';
}
