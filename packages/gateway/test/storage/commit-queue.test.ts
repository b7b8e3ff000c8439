import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';

interface Bed {
  readonly queue: CommitQueue;
  readonly told: string[];
  insert(id: number): void;
  ids(): number[];
}

function open(t: TestContext): Bed & { storage: Storage } {
  const folder = mkdtempSync(path.join(tmpdir(), 'usmp-queue-'));
  const storage = Storage.open(folder);
  const told: string[] = [];
  const queue = new CommitQueue(storage, {
    storageFailed: (error) => void told.push(`failed ${error.code}`),
    storageRecovered: () => void told.push('recovered'),
    writeFailed: (error) => void told.push(`given up: ${(error as Error).message}`),
  });
  t.after(() => {
    queue.close();
    storage.close();
    rmSync(folder, { recursive: true });
  });
  return {
    ...{ storage, queue, told },
    insert: (id) => void storage.prepare("INSERT INTO events VALUES (?, 0, 'x', NULL, '{}')").run(id),
    ids: () =>
      storage
        .prepare<{ id: number }>('SELECT id FROM events ORDER BY id')
        .all()
        .map(({ id }) => id),
  };
}

test('writes are stored in their order, and told in it', async (t) => {
  const { queue, insert, ids } = open(t);
  const told: number[] = [];
  const add = (id: number) =>
    queue.push(
      () => insert(id),
      () => told.push(id),
    );
  add(queue.nextId());
  add(queue.nextId());
  const last = queue.nextId();
  assert.deepEqual(ids(), []);
  await queue.acknowledge(
    () => insert(last),
    () => told.push(last),
  );
  assert.deepEqual(
    [ids(), told],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
});

test('a write that fails by itself harms no other, whether somebody waits for it or not', async (t) => {
  const { queue, told, insert, ids } = open(t);
  queue.push(() => insert(1));
  queue.push(() => insert(1));
  queue.push(() => insert(2));
  const [first, second] = await Promise.allSettled([
    queue.acknowledge(() => insert(2)),
    queue.acknowledge(() => insert(3)),
  ]);
  assert.deepEqual([first.status, second.status, ids()], ['rejected', 'fulfilled', [1, 2, 3]]);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /given up: .*UNIQUE/);
});

test('while the storage fails nobody is promised anything, what came in stays, and it goes on by itself', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { queue, told, insert, ids } = open(t);
  let isFull = true;
  const write = (id: number) => () => {
    if (isFull) throw new GatewayError('storage_full', 'no room');
    insert(id);
  };
  queue.push(write(1));
  await assert.rejects(queue.acknowledge(write(2)), { code: 'storage_full' });
  await assert.rejects(queue.acknowledge(write(3)), { code: 'storage_full' });
  queue.push(write(4));
  assert.deepEqual([told, queue.full, queue.length], [['failed storage_full'], true, 2]);
  const drained = queue.drained();
  t.mock.timers.tick(1_000);
  assert.deepEqual([told.length, ids()], [1, []]);
  isFull = false;
  t.mock.timers.tick(1_000);
  await drained;
  assert.deepEqual([told, ids(), queue.full], [['failed storage_full', 'recovered'], [1, 4], false]);
});

test('ids go on behind the highest that was ever stored, also when its row is gone', async (t) => {
  const { storage, queue, insert } = open(t);
  const id = queue.nextId();
  await queue.acknowledge(() => insert(id));
  await queue.acknowledge(() => storage.prepare('DELETE FROM events').run());
  const next = new CommitQueue(storage, { storageFailed() {}, storageRecovered() {} });
  assert.equal(next.nextId(), id + 1);
});
