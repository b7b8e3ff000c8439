import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { activityOf } from '#dist/messages/activity.js';
import { History } from '#dist/messages/history.js';
import type { Message } from '#dist/model.js';
import { Storage } from '#dist/storage/storage.js';

const MINUTE = 60_000;
const HERE = '02:00:00:00:00:01';
const OTHER = '02:00:00:00:00:02';

test('messages of a device are counted by minute, in both directions, over all blocks of ids', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-gateway-activity-'));
  const storage = Storage.open(folder);
  t.after(() => {
    storage.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const history = new History(storage);
  assert.deepEqual(activityOf(storage, HERE, 5 * MINUTE), { minutes: [], from: 5 * MINUTE });
  storage.transaction(() => {
    // Ten messages a minute and 9,000 ids: three blocks.
    for (let id = 1; id <= 9_000; id += 10)
      history.insertIn(
        message(id, (id * MINUTE) / 100, id % 3 === 0 ? 'out' : 'in', id % 2 === 0 ? OTHER : HERE),
      );
  });
  const { minutes, from } = activityOf(storage, HERE, 30.5 * MINUTE);
  assert.equal(from, 30 * MINUTE);
  assert.equal(minutes[0]!.at, 30 * MINUTE);
  assert.equal(minutes.at(-1)!.at, 89 * MINUTE);
  const total = minutes.reduce((sum, { messagesIn, messagesOut }) => sum + messagesIn + messagesOut, 0);
  assert.equal(total, 600);
  assert.ok(minutes.every(({ messagesIn, messagesOut }) => messagesIn >= 6 && messagesOut >= 3));
  assert.deepEqual(activityOf(storage, OTHER, 0).minutes, []);
});

test('of a device that says very much the latest minutes are told, whole', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-gateway-activity-'));
  const storage = Storage.open(folder);
  t.after(() => {
    storage.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const history = new History(storage);
  storage.transaction(() => {
    for (let id = 1; id <= 25_000; id++) history.insertIn(message(id, id * 12, 'in', HERE));
  });
  const { minutes, from } = activityOf(storage, HERE, 0);
  assert.equal(from, minutes[0]!.at);
  assert.equal(from, 2 * MINUTE);
  assert.equal(minutes[0]!.messagesIn, 5_000);
});

function message(id: number, at: number, direction: 'in' | 'out', deviceId: string): Message {
  return {
    ...{ id, deviceId, direction, at, payload: new Uint8Array(2), format: 'base64', redeliver: false },
    state: direction === 'in' ? 'received' : 'confirmed',
    ...{ sentAt: undefined, doneAt: undefined, expiresAt: undefined, sessionId: undefined },
  };
}
