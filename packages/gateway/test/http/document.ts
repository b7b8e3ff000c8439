/** The OpenAPI file of the package, and checks of answers against it, by another validator than the gateway's. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer } from './bed.js';

interface Content {
  readonly schema: object;
}

interface Response {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, Content>>;
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly 'x-role'?: 'read' | 'send' | 'admin';
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { readonly type?: string; readonly enum?: readonly unknown[] };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

export const documented: Document = JSON.parse(
  readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'),
);

const ajv = new Ajv2020({ strict: true, validateFormats: false, allErrors: true });
ajv.addSchema(JSON.parse(toDefs({ $id: 'document', $defs: documented.components.schemas })));

const byId = new Map(
  Object.entries(documented.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => [
      operation.operationId,
      { path, method: method.toUpperCase(), ...operation },
    ]),
  ),
);

/** Path, method and what else the file says of an operation. */
export function operationOf(id: string) {
  const operation = byId.get(id);
  assert.ok(operation, `${id} is not in the OpenAPI file`);
  return operation;
}

export const operationIds: readonly string[] = [...byId.keys()];

const validators = new Map<string, ReadonlyMap<string, ValidateFunction>>();

/** By content type; none where nothing is answered but the status. */
export function answerValidator(operationId: string, status: number): ReadonlyMap<string, ValidateFunction> {
  const key = `${operationId} ${status}`;
  let validator = validators.get(key);
  if (validator === undefined) {
    const response = operationOf(operationId).responses[status];
    assert.ok(response, `${operationId} answers ${status}, which the OpenAPI file does not have`);
    const { content = {} } = response.$ref === undefined ? response : resolve(response.$ref);
    validator = new Map(Object.entries(content).map(([type, { schema }]) => [type, compile(schema)]));
    validators.set(key, validator);
  }
  return validator;
}

/** Fails unless the answer is one that the file has. */
export function checkAnswer(operationId: string, answer: Answer): void {
  const validator = answerValidator(operationId, answer.status);
  const type = answer.headers.get('content-type')?.split(';', 1)[0];
  const told = `${operationId} ${answer.status}: ${answer.text.slice(0, 500)}`;
  if (validator.size === 0) return assert.equal(answer.text, '', told);
  const validate = validator.get(type ?? '');
  assert.ok(validate, `${told} has the content type ${type}`);
  const value = type === 'application/json' ? answer.json : answer.text;
  assert.ok(validate(value), `${told}\n${ajv.errorsText(validate.errors)}`);
}

const compiled = new Map<string, ValidateFunction>();

/** Each once: most operations answer errors alike. */
function compile(schema: object): ValidateFunction {
  const text = toDefs(schema);
  let validate = compiled.get(text);
  if (validate === undefined) {
    validate = ajv.compile(JSON.parse(text));
    compiled.set(text, validate);
  }
  return validate;
}

/** As JSON, with references that lead to one schema of all. */
function toDefs(schema: object): string {
  return JSON.stringify(schema).replaceAll('"#/components/schemas/', '"document#/$defs/');
}

function resolve(reference: string): Response {
  const response = documented.components.responses[reference.split('/').at(-1)!];
  assert.ok(response, `${reference} is not there`);
  return response;
}
