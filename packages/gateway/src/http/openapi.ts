/**
 * The OpenAPI document, made of the operations and of the schemas that check requests at run time.
 *
 * @module
 */

import { z } from 'zod';
import { ERROR_STATUS, type GatewayErrorCode } from '../errors.js';
import type { Operation } from './operation.js';
import { components, documentedAs } from './schema-kit.js';
import { ErrorAnswer } from './schemas.js';

type Json = Record<string, unknown>;

const REF = '#/components/schemas/';

const TAGS: Readonly<Record<string, string>> = {
  system: 'The gateway itself',
  devices: 'Registered devices',
  keys: 'Keys of devices; a new one is shown once',
  sessions: 'Sessions that are open now',
  messages: 'Messages to and from devices',
  events: 'What happens',
  refused: 'Devices that were turned away',
  access: 'Tokens for programs, links for browsers',
  page: 'What browsers show',
};

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  400: 'The request is not right; `field` says where.',
  401: 'No token, or one that is not valid.',
  403: 'The role of the token, or where the request comes from, does not allow it.',
  404: 'There is no such thing.',
  409: 'It does not go with what there is.',
  413: 'It is too large.',
  415: 'This Content-Type is not taken here.',
  429: 'Too many requests, or too much that waits. `Retry-After` has the seconds where waiting helps.',
  503: 'Not possible at present.',
  507: 'The disk is full.',
};

/** The document for `operations`. */
export function openApiDocument(operations: readonly Operation[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] ??= {};
    paths[operation.path]![operation.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'USMP gateway',
      version,
      description:
        'Times are ISO 8601, absent values null, sizes bytes. Unknown fields of bodies and queries are errors. A 2xx answer to a change means that it survives a crash.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: namedSchemas(),
      responses: errorResponses(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of `usmp-gateway token create`.' },
        browser: { type: 'apiKey', in: 'cookie', name: 'usmp-gateway', description: 'Of a login link.' },
      },
    },
  };
}

function describe(operation: Operation): Json {
  const { id, tag, summary, description, access, body, bodyType = 'application/json' } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(access === 'open' ? { security: [] } : { security: security(access) }),
    ...(access === 'open' ? {} : { 'x-role': access === 'scrape' ? 'read' : access }),
    parameters: parameters(operation),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: { [bodyType]: { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: { ...errorAnswers(operation), ...answers(operation) },
  };
}

function security(access: Operation['access']): Json[] {
  const ways: Json[] = [{ token: [] }, { browser: [] }];
  return access === 'scrape' ? [{}, ...ways] : ways;
}

function parameters({ params, query, headers }: Operation): Json[] {
  const of = (schema: z.ZodObject | undefined, place: string) =>
    Object.entries(schema?.shape ?? {}).map(([name, field]: [string, z.ZodType]) => {
      const { description, ...documented } = schemaOf(field, 'input');
      const isList = documented.type === 'array';
      return {
        name: place === 'header' ? name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase()) : name,
        in: place,
        required: place === 'path' || !field.safeParse(undefined).success,
        ...(description === undefined ? {} : { description }),
        // Commas within one parameter.
        ...(isList ? { style: 'form', explode: false } : {}),
        schema: documented,
      };
    });
  return [...of(params, 'path'), ...of(query, 'query'), ...of(headers, 'header')];
}

function answers({ answers }: Operation): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, type = 'application/json' }]) => [
      status,
      schema === undefined
        ? { description }
        : { description, content: { [type]: { schema: schemaOf(schema, 'output') } } },
    ]),
  );
}

/** What every operation of its kind may answer, and what this one says. */
function errorsOf(operation: Operation): readonly number[] {
  const { access, query, body, method, page, errors = [] } = operation;
  const statuses = new Set<number>([ERROR_STATUS.rate_limited, ERROR_STATUS.forbidden]);
  const add = (...codes: GatewayErrorCode[]) => {
    for (const code of codes) statuses.add(ERROR_STATUS[code]);
  };
  if (access !== 'open') add('unauthorized');
  // Of all but the page a query that is not known is an error.
  if (page !== true || query !== undefined) add('invalid');
  if (body !== undefined || method === 'POST' || method === 'PATCH') add('too_large', 'unsupported_type');
  add(...errors);
  return [...statuses].sort((a, b) => a - b);
}

function errorAnswers(operation: Operation): Record<string, Json> {
  return Object.fromEntries(
    errorsOf(operation).map((status) => [status, { $ref: `#/components/responses/Error${status}` }]),
  );
}

function errorResponses(): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(ERROR_TEXTS).map(([status, description]) => [
      `Error${status}`,
      { description, content: { 'application/json': { schema: schemaOf(ErrorAnswer, 'output') } } },
    ]),
  );
}

function namedSchemas(): Record<string, unknown> {
  const { schemas } = z.toJSONSchema(components, {
    ...SETTINGS,
    uri: (id) => REF + id,
  });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, tidy(schema)]));
}

/** A reference where the schema has a name. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const bare = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  const name = components.get(bare)?.id;
  if (name !== undefined) return { $ref: REF + name };
  return tidy(z.toJSONSchema(schema, { ...SETTINGS, io }));
}

const SETTINGS: z.core.ToJSONSchemaParams = {
  target: 'draft-2020-12',
  metadata: components,
  override({ zodSchema, jsonSchema }) {
    const documented = documentedAs.get(zodSchema);
    if (documented !== undefined) {
      for (const name of Object.keys(jsonSchema))
        if (name !== 'description') delete jsonSchema[name as keyof typeof jsonSchema];
      Object.assign(jsonSchema, documented);
    }
    // The format says it better than the expression.
    if (jsonSchema.format === 'date-time' || jsonSchema.format === 'base64') delete jsonSchema.pattern;
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  },
};

/** Without what a document of its own would say. */
function tidy(schema: object): Json {
  const { $schema: _, $id: __, id: ___, ...rest } = schema as Json;
  return rest;
}
