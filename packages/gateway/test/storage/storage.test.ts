import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { DATABASE_FILE, Storage } from '#dist/storage/storage.js';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'usmp-storage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('one at a time has a data folder, and the next one after it', (t) => {
  const folder = path.join(temporaryFolder(t), 'new');
  const first = Storage.open(folder);
  assert.throws(() => Storage.open(folder), { code: 'conflict', message: /another process uses/ });
  first.close();
  Storage.open(folder).close();
  if (process.platform === 'win32') return;
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(path.join(folder, DATABASE_FILE)).mode & 0o777, 0o600);
});

test('what is no database is left as it is, with what to do', (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, DATABASE_FILE), 'no database'.repeat(1_000));
  assert.throws(() => Storage.open(folder), { code: 'unavailable', message: /move it away/ });
});

test('a database of a later release is not touched', (t) => {
  const folder = temporaryFolder(t);
  const storage = Storage.open(folder);
  storage.transaction(() => storage.prepare('PRAGMA user_version = 1000').run());
  storage.close();
  assert.throws(() => Storage.open(folder), {
    code: 'unavailable',
    message: /version is 1000.*update the gateway/,
  });
});

test('a transaction that throws leaves nothing, and one within another is part of it', (t) => {
  const storage = Storage.open(temporaryFolder(t));
  const add = (name: string) => storage.prepare('INSERT INTO meta (name, value) VALUES (?, 1)').run(name);
  const count = () => storage.prepare<{ n: number }>('SELECT count(*) AS n FROM meta').get()!.n;
  const before = count();
  assert.throws(
    () =>
      storage.transaction(() => {
        storage.transaction(() => add('a'));
        add('b');
        throw new Error('enough');
      }),
    /enough/,
  );
  assert.equal(count(), before);
  storage.transaction(() => add('a'));
  assert.equal(count(), before + 1);
  storage.close();
});
