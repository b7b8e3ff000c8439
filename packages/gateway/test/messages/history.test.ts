import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '#dist/messages/history.js';
import type { Message } from '#dist/model.js';
import { Storage } from '#dist/storage/storage.js';
import { LAMP, PUMP, startGateway, temporaryFolder, until } from '../fleet/bed.js';

function received(id: number, deviceId: string, text: string): Message {
  return {
    ...{ id, deviceId, direction: 'in', at: 1_000 + id, state: 'received', payload: Buffer.from(text) },
    ...{ format: 'text', sentAt: undefined, doneAt: undefined, expiresAt: undefined, redeliver: false },
    sessionId: undefined,
  };
}

/** A history over ids far apart, so that several blocks of the index are read. */
function filled(t: Parameters<typeof temporaryFolder>[0]) {
  const storage = Storage.open(temporaryFolder(t));
  t.after(() => storage.close());
  const history = new History(storage);
  const ids: number[] = [];
  storage.transaction(() => {
    for (let id = 10; id < 30_000; id += 501) {
      ids.push(id);
      history.insertIn(received(id, ids.length % 10 === 0 ? LAMP : PUMP, `value ${id}`));
    }
  });
  return { history, ids };
}

function pages(
  history: History,
  query: Parameters<History['list']>[0],
  cursor: 'before' | 'after',
): number[] {
  const ids: number[] = [];
  for (
    let next: number | undefined = cursor === 'after' ? 0 : Number.MAX_SAFE_INTEGER;
    next !== undefined;
  ) {
    const page = history.list({ ...query, [cursor]: next });
    ids.push(...page.messages.map(({ id }) => id));
    next = page.next;
  }
  return ids;
}

test('pages tell every message once, newest first or oldest first', (t) => {
  const { history, ids } = filled(t);
  for (const limit of [1, 7, 1_000]) {
    assert.deepEqual(pages(history, { limit }, 'before'), ids.toReversed());
    assert.deepEqual(pages(history, { limit }, 'after'), ids);
  }
  assert.equal(history.list().messages.length, ids.length);
  assert.equal(history.list({ before: 10 }).next, undefined);
});

test('the messages of one device are found wherever they are', (t) => {
  const { history, ids } = filled(t);
  const lamps = ids.filter((_, n) => (n + 1) % 10 === 0);
  for (const limit of [1, 3, 100]) {
    assert.deepEqual(pages(history, { deviceId: LAMP, limit }, 'before'), lamps.toReversed());
    assert.deepEqual(pages(history, { deviceId: LAMP, limit }, 'after'), lamps);
  }
  assert.deepEqual(history.list({ deviceId: '02:00:00:00:00:99' }), { messages: [], next: undefined });
});

test('a search finds bytes of payloads', (t) => {
  const { history, ids } = filled(t);
  const found = ids.filter((id) => String(id).includes('50'));
  assert.deepEqual(pages(history, { search: '50', limit: 2 }, 'after'), found);
  assert.deepEqual(pages(history, { search: 'value 10', deviceId: PUMP }, 'before').at(-1), 10);
  assert.deepEqual(history.list({ state: 'queued' }).messages, []);
  assert.deepEqual(history.list({ direction: 'out' }).messages, []);
});

test('what a device sends is stored as text or bytes, with the session that brought it', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  await device.send('21.5 °C');
  await device.send(new Uint8Array([0xff, 0x00]));
  await device.send('');
  await until(() => bed.of('message').length === 3);
  const { messages } = bed.history.list({ deviceId: LAMP, after: 0 });
  assert.deepEqual(
    messages.map(({ format, payload }) => [format, Buffer.from(payload).toString('latin1')]),
    [
      ['text', Buffer.from('21.5 °C').toString('latin1')],
      ['base64', '\xff\0'],
      ['text', ''],
    ],
  );
  assert.equal(messages[0]?.sessionId, bed.fleet.session(LAMP)?.id);
  assert.equal(bed.history.totals.messages, 3);
});

test('without a history messages are published and not stored', async (t) => {
  const bed = await startGateway(t, { historyEnabled: false });
  const device = await bed.connect();
  await device.send('gone');
  await until(() => bed.of('message').length === 1);
  assert.deepEqual(bed.history.list().messages, []);
});
