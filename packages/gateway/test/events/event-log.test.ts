import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { EventLog } from '#dist/events/event-log.js';
import type { GatewayEvent } from '#dist/model.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';
import { LAMP, startGateway, take, temporaryFolder, until } from '../fleet/bed.js';

function openLog(t: TestContext, folder = temporaryFolder(t)) {
  const storage = Storage.open(folder);
  const queue = new CommitQueue(storage, { storageFailed() {}, storageRecovered() {} });
  const errors: unknown[] = [];
  const events = new EventLog(queue, storage, Date.now, (error) => errors.push(error));
  const close = () => {
    queue.close();
    storage.close();
  };
  t.after(close);
  return { storage, queue, events, errors, close };
}

test('events are told once they are stored, in order', (t) => {
  const { queue, events } = openLog(t);
  const told: GatewayEvent[] = [];
  events.subscribe((event) => told.push(event));
  for (let n = 0; n < 5; n++) events.append('connected', LAMP, { n });
  events.append('gateway-started', undefined, { text: 'naïve \u0000 "quoted" \ud83d\ude00' });
  assert.deepEqual(told, []);
  queue.flush();
  assert.deepEqual(
    told.map(({ id }) => id),
    [1, 2, 3, 4, 5, 6],
  );
  assert.deepEqual(events.since(0, 10), { events: told, gap: false });
  assert.equal(events.lastPublishedId, 6);
});

test('a listener that throws harms no other, and goes on being told', (t) => {
  const { queue, events, errors } = openLog(t);
  const told: number[] = [];
  events.subscribe(() => {
    throw new Error('mine');
  });
  const stop = events.subscribe(({ id }) => told.push(id));
  events.append('connected', LAMP, {});
  events.append('connected', LAMP, {});
  queue.flush();
  stop();
  events.append('connected', LAMP, {});
  queue.flush();
  assert.deepEqual(told, [1, 2]);
  assert.equal(errors.length, 3);
});

test('a listener may end itself, and others, while events are told', (t) => {
  const { queue, events } = openLog(t);
  const told: string[] = [];
  const stops = ['a', 'b'].map((name) =>
    events.subscribe(() => {
      told.push(name);
      for (const stop of stops) stop();
    }),
  );
  events.append('connected', LAMP, {});
  events.append('connected', LAMP, {});
  queue.flush();
  assert.deepEqual(told, ['a', 'b']);
});

test('resuming tells messages and events that came since, merged, page by page, without gap or repeat', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  for (let n = 0; n < 20; n++) {
    await device.send(`in ${n}`);
    if (n % 5 === 0) await bed.submit(`out ${n}`);
  }
  await take(device, 4);
  await until(() => bed.of('message').length === 24 && bed.of('message-state').length === 4);
  const ids = bed.published.map(({ id }) => id);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  for (const limit of [1, 3, 1_000]) {
    const resumed: number[] = [];
    for (;;) {
      const { events, gap } = bed.events.since(resumed.at(-1) ?? 0, limit);
      assert.equal(gap, false);
      if (events.length === 0) break;
      resumed.push(...events.map(({ id }) => id));
    }
    assert.deepEqual(resumed, ids);
  }
});

test('an id that was never given out is a gap', (t) => {
  const { events } = openLog(t);
  assert.deepEqual(events.since(99, 10), { events: [], gap: true });
});

test('ids go on behind the last one after a restart', (t) => {
  const folder = temporaryFolder(t);
  const first = openLog(t, folder);
  first.events.append('connected', LAMP, {});
  first.close();
  const next = openLog(t, folder);
  assert.equal(next.events.lastPublishedId, 1);
  next.events.append('connected', LAMP, {});
  next.queue.flush();
  assert.equal(next.events.lastPublishedId, 2);
});

test('while the storage fails events wait, and are told when it takes them', (t) => {
  const { storage, queue, events } = openLog(t);
  let full = true;
  storage.join({
    beforeCommit() {
      if (full) throw new GatewayError('storage_full', 'full');
    },
    committed() {},
    rolledBack() {},
  });
  const told: number[] = [];
  events.subscribe(({ id }) => told.push(id));
  events.append('storage-failed', undefined, {});
  queue.flush();
  assert.deepEqual(told, []);
  full = false;
  events.append('storage-recovered', undefined, {});
  queue.flush();
  assert.deepEqual(told, [1, 2]);
});

test('the event of a message says what it contains in the form in which it was given', async (t) => {
  const bed = await startGateway(t);
  await bed.outbox.submit(LAMP, Buffer.from('{"on":true}'), { format: 'json' });
  await bed.outbox.submit(LAMP, Buffer.from([0xff]), { format: 'base64' });
  await bed.submit('text');
  assert.deepEqual(
    bed.of('message').map(({ data }) => data.json ?? data.base64 ?? data.text),
    [{ on: true }, '/w==', 'text'],
  );
});
