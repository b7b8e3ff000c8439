/** A database that is damaged where the start does not come by. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DATABASE_FILE, Storage } from '#dist/storage/storage.js';
import { startHere } from './gateway-here.js';
import { temporaryFolder } from './gateway-process.js';

test('a database that turns out to be damaged is told by /readyz, by the answers, by the metrics, and once by the log, with what to do', async (t) => {
  const folder = temporaryFolder(t);
  const storage = Storage.open(folder);
  storage.transaction(() => {
    const add = storage.prepare('INSERT INTO events (id, at, type, data) VALUES (?, ?, ?, ?)');
    for (let id = 1; id <= 1_000; id++) add.run(id, Date.now(), 'x', JSON.stringify('y'.repeat(200)));
  });
  storage.close();
  const file = join(folder, DATABASE_FILE);
  const bytes = readFileSync(file);
  // Whole pages: what is left of a page may look like another one.
  const middle = Math.floor(bytes.length / 8_192) * 4_096;
  bytes.fill(0xa5, middle, middle + 20_480);
  writeFileSync(file, bytes);

  const { get, log } = await startHere(t, folder);
  const remedy = /gateway\.db is damaged.*: stop the gateway and bring back a backup/;
  for (let round = 0; round < 2; round++) {
    const { status, body } = await get('/api/v1/events/log?limit=1000');
    assert.equal(status, 503);
    assert.match(body.error.message, remedy);
  }
  const readiness = await get('/readyz');
  assert.equal(readiness.status, 503);
  assert.match(readiness.body.reasons.join(), remedy);
  assert.match((await get('/metrics')).text, /^usmp_gateway_storage_ok 0$/m);
  const errors = log.filter((line) => JSON.parse(line).level === 'error');
  assert.equal(errors.length, 1);
  assert.match(errors[0]!, remedy);
  const warnings = log.filter((line) => JSON.parse(line).level === 'warn');
  for (const line of warnings) assert.doesNotMatch(line, /stack/, 'it has said what to do');
});
