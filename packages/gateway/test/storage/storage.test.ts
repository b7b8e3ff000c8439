import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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

test('damage in the middle of the file is told once, with what to do, and is known from then on', (t) => {
  const folder = temporaryFolder(t);
  const filled = Storage.open(folder);
  filled.transaction(() => {
    const add = filled.prepare('INSERT INTO events (id, at, type, data) VALUES (?, 0, ?, ?)');
    for (let id = 1; id <= 1_000; id++) add.run(id, 'x', 'y'.repeat(200));
  });
  filled.close();
  const file = path.join(folder, DATABASE_FILE);
  const bytes = readFileSync(file);
  // Whole pages: what is left of a page may look like another one.
  const middle = Math.floor(bytes.length / 8_192) * 4_096;
  bytes.fill(0xa5, middle, middle + 20_480);
  writeFileSync(file, bytes);

  const storage = Storage.open(folder);
  t.after(() => storage.close());
  const told: string[] = [];
  storage.onDamage(({ message }) => told.push(message));
  const read = () => storage.prepare('SELECT max(length(data)) FROM events').get();
  const expected = { code: 'unavailable', message: /^gateway\.db is damaged.*: .* bring back a backup/ };
  assert.throws(read, expected);
  assert.throws(read, expected);
  assert.throws(() => storage.transaction(read), expected);
  assert.deepEqual(told, [storage.damage?.message]);
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
