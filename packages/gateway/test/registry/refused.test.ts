import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { admitRefused } from '#dist/registry/admission.js';
import { RefusedList } from '#dist/registry/refused.js';
import { gatewayError, openRegistry, START, text } from './support.js';

const ID = '02:00:00:00:00:01';

function refusal(changes: { deviceId?: string | undefined; address?: string } = {}) {
  const message = 'register it';
  return {
    deviceId: ID,
    address: '192.0.2.1',
    transport: 'tcp',
    reason: 'unknown-device',
    message,
    ...changes,
  };
}

function openList(t: TestContext, keep = 100) {
  const registry = openRegistry(t);
  const refused = new RefusedList(registry.storage, keep, () => registry.clock.now);
  registry.closers.unshift(() => refused.close());
  return { ...registry, refused };
}

test('repeats are counted in one entry, also over a restart, and are no news', (t) => {
  const { refused, storage, clock } = openList(t);
  assert.equal(refused.note(refusal()), true);
  clock.now += 5;
  assert.equal(refused.note(refusal()), false);
  refused.flush();
  clock.now += 5;
  const later = new RefusedList(storage, 100, () => clock.now);
  assert.equal(later.note(refusal()), false);
  assert.equal(later.note(refusal({ address: '192.0.2.2' })), true);
  const { entries, total } = later.list();
  assert.equal(total, 2);
  const [{ id, ...entry }] = [entries[1]!];
  assert.deepEqual(entry, { ...refusal(), firstAt: START, lastAt: START + 10, count: 3 });
  assert.equal(later.get(id)?.count, 3);
  later.close();
});

test('the list keeps those that were refused last, and memory no more than that', (t) => {
  const { refused, clock } = openList(t, 10);
  for (let n = 0; n < 50; n++) {
    clock.now++;
    refused.note(refusal({ address: `192.0.2.${n}` }));
    if (n === 20) refused.flush();
  }
  const addresses = refused.list().entries.map(({ address }) => address);
  assert.deepEqual(
    addresses,
    Array.from({ length: 10 }, (_, n) => `192.0.2.${49 - n}`),
  );
  refused.setKeep(3);
  assert.equal(refused.list().total, 3);
});

test('a flood of refusals is not a flood of news', (t) => {
  const { refused } = openList(t, 1_000);
  let news = 0;
  for (let n = 0; n < 500; n++) if (refused.note(refusal({ address: `${n}` }))) news++;
  assert.equal(news, 50);
  assert.equal(refused.list().total, 500);
  assert.equal(refused.note(refusal({ address: 'next second' })), true);
});

test('pages have each entry once, the last one first', (t) => {
  const { refused } = openList(t);
  for (let n = 0; n < 25; n++) refused.note(refusal({ address: `${n}` }));
  const found: string[] = [];
  let after: string | undefined;
  do {
    const page = refused.list({ limit: 10, ...(after !== undefined && { after }) });
    found.push(...page.entries.map(({ address }) => address));
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(
    found,
    Array.from({ length: 25 }, (_, n) => `${24 - n}`),
  );
  assert.throws(() => refused.list({ after: 'x' }), gatewayError('invalid', /after must be/));
});

test('entries can be removed, one or all', (t) => {
  const { refused } = openList(t);
  for (let n = 0; n < 5; n++) refused.note(refusal({ address: `${n}` }));
  const { id } = refused.list().entries[0]!;
  assert.deepEqual([refused.remove(id), refused.remove(id)], [true, false]);
  assert.equal(refused.clear(), 4);
  assert.deepEqual(refused.list(), { entries: [], next: undefined, total: 0 });
});

test('what cannot be written waits, and the list still shows what it has', (t) => {
  const { refused, storage } = openList(t);
  refused.note(refusal());
  refused.flush();
  refused.note(refusal());
  storage.prepare('PRAGMA query_only = ON').get();
  assert.throws(() => refused.flush(), gatewayError('unavailable', /cannot be used/));
  assert.equal(refused.list().entries[0]!.count, 1);
  storage.prepare('PRAGMA query_only = OFF').get();
  assert.equal(refused.list().entries[0]!.count, 2);
});

test('an unknown device is let in in one step: registered with its key, and gone from the list', (t) => {
  const { refused, storage, devices } = openList(t);
  refused.note(refusal());
  refused.note(refusal({ address: '192.0.2.2' }));
  refused.note(refusal({ deviceId: undefined }));
  const [nobody, entry] = refused.list().entries;
  const key = Buffer.from('the key it has already');
  assert.throws(
    () => admitRefused(storage, devices, refused, entry!.id, { name: '' }),
    gatewayError('invalid', /name is empty/),
  );
  assert.equal(refused.list().total, 3);
  const admitted = admitRefused(storage, devices, refused, entry!.id, { name: 'lamp', key });
  assert.equal(admitted.device.id, ID);
  assert.deepEqual(text(devices.keysOf(ID)), text([key]));
  assert.equal(refused.list().total, 1);
  const admitAgain = (id: number) => () => admitRefused(storage, devices, refused, id);
  assert.throws(admitAgain(entry!.id), gatewayError('not_found', /no refused device/));
  assert.throws(admitAgain(nobody!.id), gatewayError('invalid', /did not say which device/));
});
