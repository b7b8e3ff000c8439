import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openApiDocument } from '#dist/http/openapi.js';
import { routeOf } from '#dist/http/operation.js';
import { OPERATIONS } from '#dist/http/operations.js';
import { openBed } from './bed.js';
import { answerValidator, documented } from './document.js';

test('the OpenAPI file in the package is what the schemas say: else node packages/gateway/dist/http/write-openapi.js', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(documented, JSON.parse(JSON.stringify(openApiDocument(OPERATIONS, version))));
});

test('every route of the app is in the OpenAPI file, and the other way round', async (t) => {
  const { app } = await openBed(t);
  const inFile = Object.entries(documented.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(inFile.toSorted(), OPERATIONS.map(({ method, path }) => `${method} ${path}`).toSorted());
  for (const { method, path } of OPERATIONS)
    assert.ok(app.hasRoute({ method, url: routeOf(path) }), `${method} ${path} is no route`);
  // One line for each route, with its methods in parentheses.
  const routes = app.printRoutes().match(/\([A-Z, ]+\)/g) ?? [];
  assert.equal(routes.flatMap((methods) => methods.split(',')).length, OPERATIONS.length);
});

test('every schema of the OpenAPI file compiles, and every reference leads somewhere', () => {
  for (const { path, method, operationId } of Object.values(operationsById())) {
    const { responses } = documented.paths[path]![method]!;
    for (const status of Object.keys(responses)) answerValidator(operationId, Number(status));
  }
  for (const [, name] of JSON.stringify(documented).matchAll(/"#\/components\/schemas\/(\w+)"/g))
    assert.ok(documented.components.schemas[name!], `${name} is not there`);
});

test('the running gateway answers the same document', async (t) => {
  const { ask } = await openBed(t);
  assert.deepEqual((await ask('GET', '/api/v1/openapi.json', { as: null })).json, documented);
});

test('every operation has an id of its own, and says what it does', () => {
  const ids = OPERATIONS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { summary } of OPERATIONS) assert.match(summary, /^[A-Z].*[^.]$/);
});

function operationsById() {
  return Object.entries(documented.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => ({ path, method, operationId })),
  );
}
