import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { EventLog } from '#dist/events/event-log.js';
import { History } from '#dist/messages/history.js';
import { Retention, type RetentionLimits } from '#dist/messages/retention.js';
import { Totals } from '#dist/messages/totals.js';
import type { Message, MessageState } from '#dist/model.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';
import { LAMP, temporaryFolder } from '../fleet/bed.js';

const UNLIMITED = { maxAge: 1e12, maxMessages: 1e12, maxBytes: 1e12, maxEvents: 1e12 };

function setUp(t: TestContext, folder = temporaryFolder(t)) {
  const storage = Storage.open(folder);
  t.after(() => storage.close());
  const history = new History(storage);
  const clock = { now: 0 };
  let limits: RetentionLimits = { history: { enabled: true, ...UNLIMITED }, events: UNLIMITED };
  const retention = new Retention({ storage, limits: () => limits, now: () => clock.now });
  const add = (id: number, state: MessageState = 'received', more: Partial<Message> = {}) =>
    history.insertIn({
      ...{ id, deviceId: LAMP, direction: state === 'received' ? 'in' : 'out', at: id, state },
      ...{ payload: Buffer.alloc(10), format: 'base64', sentAt: undefined, doneAt: undefined },
      ...{ expiresAt: undefined, redeliver: false, sessionId: undefined },
      ...more,
    });
  const fill = (count: number) =>
    storage.transaction(() => {
      for (let id = 1; id <= count; id++) add(id);
    });
  const limit = (history: Partial<RetentionLimits['history']>, events = {}) => {
    limits = { history: { enabled: true, ...UNLIMITED, ...history }, events: { ...UNLIMITED, ...events } };
  };
  const sweep = () => {
    while (retention.step());
  };
  const ids = () =>
    storage
      .prepare<{ id: number }>('SELECT id FROM messages ORDER BY id')
      .all()
      .map(({ id }) => id);
  return { storage, history, clock, retention, add, fill, limit, sweep, ids };
}

test('no more messages stay than the limit of their number says, the newest', (t) => {
  const { fill, limit, sweep, ids, history } = setUp(t);
  fill(1_000);
  limit({ maxMessages: 990 });
  sweep();
  assert.deepEqual([ids().length, ids()[0]], [990, 11]);
  assert.deepEqual(history.totals, { messages: 990, bytes: 9_900 });
});

test('no more bytes stay than their limit says', (t) => {
  const { fill, limit, sweep, ids } = setUp(t);
  fill(100);
  limit({ maxBytes: 305 });
  sweep();
  assert.equal(ids().length, 30);
});

test('messages that are too old go', (t) => {
  const { fill, limit, sweep, ids, clock } = setUp(t);
  fill(100);
  clock.now = 1_050;
  limit({ maxAge: 1_000 });
  sweep();
  assert.equal(ids()[0], 50);
});

test('what waits, or may leave once more, is never deleted, and is once it is done', (t) => {
  const { storage, add, limit, sweep, ids, history, retention } = setUp(t);
  storage.transaction(() => {
    add(1, 'queued');
    add(2, 'sent', { redeliver: true });
    add(3, 'sent');
    add(4, 'confirmed');
    for (let id = 5; id < 600; id++) add(id);
  });
  limit({ maxMessages: 0 });
  sweep();
  assert.deepEqual(ids(), [1, 2]);
  assert.deepEqual(history.totals, { messages: 2, bytes: 20 });
  assert.equal(retention.step(), false);
});

test('a step deletes a few at a time', (t) => {
  const { fill, limit, retention, ids } = setUp(t);
  fill(5_000);
  limit({ maxMessages: 0 });
  const before = ids().length;
  retention.step();
  assert.equal(before - ids().length, 200);
  let most = 0;
  for (let left = ids().length; left > 0; left = ids().length) {
    retention.step();
    most = Math.max(most, left - ids().length);
  }
  assert.ok(most <= 2_000);
});

test('totals survive a restart without counting, and a transaction that fails does not change them', (t) => {
  const folder = temporaryFolder(t);
  const first = setUp(t, folder);
  first.fill(10);
  assert.throws(() =>
    first.storage.transaction(() => {
      first.add(11);
      throw new Error('no');
    }),
  );
  first.limit({ maxMessages: 8 });
  first.sweep();
  first.storage.close();
  const next = setUp(t, folder);
  assert.deepEqual(next.history.totals, { messages: 8, bytes: 80 });
  assert.equal(Totals.of(next.storage).forgotten, 2);
});

test('events go by age and number, and who resumes before them is told of the gap', (t) => {
  const { storage, limit, sweep, clock } = setUp(t);
  const queue = new CommitQueue(storage, { storageFailed() {}, storageRecovered() {} });
  const events = new EventLog(queue, storage, () => clock.now);
  for (let n = 1; n <= 100; n++) {
    clock.now = n;
    events.append('connected', LAMP, { n });
  }
  queue.flush();
  limit({}, { maxEvents: 90 });
  sweep();
  assert.equal(events.since(0, 1_000).events.length, 90);
  limit({}, { maxAge: 50 });
  sweep();
  const { events: left, gap } = events.since(0, 1_000);
  assert.deepEqual([left.length, left[0]?.id, gap], [51, 50, true]);
  assert.equal(events.since(49, 10).gap, false);
  queue.close();
});
