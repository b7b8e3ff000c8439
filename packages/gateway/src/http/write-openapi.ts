/**
 * Writes the OpenAPI document of the package: `node packages/gateway/dist/http/write-openapi.js`.
 *
 * @module
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { openApiDocument } from './openapi.js';
import { OPERATIONS } from './operations.js';

const folder = new URL('../../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
const document = openApiDocument(OPERATIONS, version);
writeFileSync(new URL('openapi.json', folder), `${JSON.stringify(document, null, 2)}\n`);
