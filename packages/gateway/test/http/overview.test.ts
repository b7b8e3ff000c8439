import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bed, openBed } from './bed.js';

test('devices are found by their state, page by page', async (t) => {
  const bed = await openBed(t);
  for (let number = 1; number <= 9; number++) bed.devices.add({ id: idOf(number), name: `lamp ${number}` });
  for (const number of [1, 2, 3]) bed.fleet.connect(idOf(number));
  for (const number of [3, 4]) refuse(bed, idOf(number));
  refuse(bed, '02:00:00:00:00:ff');
  bed.devices.update(idOf(9), { enabled: false });
  assert.deepEqual(await found(bed, 'online'), [1, 2, 3]);
  assert.deepEqual(await found(bed, 'offline'), [4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await found(bed, 'refused'), [4]);
  assert.deepEqual(await found(bed, 'disabled'), [9]);
  assert.equal((await bed.ask('GET', '/api/v1/status')).json.refusedEntries, 3);
  const unknown = await bed.ask('GET', '/api/v1/devices?state=gone');
  assert.equal(unknown.json.error.field, 'state');
});

test('tags are counted', async (t) => {
  const bed = await openBed(t);
  bed.devices.add({ tags: ['roof', 'attic'] });
  bed.devices.add({ tags: ['attic'] });
  assert.deepEqual((await bed.ask('GET', '/api/v1/tags')).json.tags, [
    { tag: 'attic', devices: 2 },
    { tag: 'roof', devices: 1 },
  ]);
});

test('events are read backwards, without messages unless they are asked for', async (t) => {
  const bed = await openBed(t);
  const { id } = bed.devices.add({ name: 'lamp' }).device;
  for (let number = 0; number < 5; number++) {
    bed.events.append('device-changed', id, { number });
    await bed.outbox.submit(id, Buffer.from(`${number}`), { format: 'text' });
  }
  const seen: number[] = [];
  for (let before: number | null = Number.MAX_SAFE_INTEGER; before !== null; ) {
    const { json } = await bed.ask('GET', `/api/v1/events/log?types=device-changed&limit=2&before=${before}`);
    seen.push(...json.events.map(({ data }: { data: { number: number } }) => data.number));
    before = json.next;
  }
  assert.deepEqual(seen, [4, 3, 2, 1, 0]);
  const all = await bed.ask(
    'GET',
    '/api/v1/events/log?types=device-changed,message&limit=3&before=9007199254740991',
  );
  assert.deepEqual(
    all.json.events.map(({ type }: { type: string }) => type),
    ['message', 'device-changed', 'message'],
  );
  const both = await bed.ask('GET', '/api/v1/events/log?after=1&before=2');
  assert.equal(both.status, 400);
});

test('the configuration is told as the file has it, with what changes it', async (t) => {
  const bed = await openBed(t);
  const { options } = (await bed.ask('GET', '/api/v1/config')).json;
  const expiry = options.find(({ name }: { name: string }) => name === 'outbox.expiry');
  assert.equal(expiry.value, '7d');
  assert.equal(expiry.flag, '--outbox-expiry');
  assert.equal(expiry.variable, 'USMP_GATEWAY_OUTBOX_EXPIRY');
  assert.equal(expiry.live, true);
});

async function found(bed: Bed, state: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let after = ''; ; ) {
    const { json } = await bed.ask('GET', `/api/v1/devices?state=${state}&limit=2${after}`);
    numbers.push(...json.devices.map(({ name }: { name: string }) => Number(name.slice('lamp '.length))));
    if (json.next === null) {
      assert.equal(json.total, numbers.length);
      return numbers;
    }
    after = `&after=${json.next}`;
  }
}

function idOf(number: number): string {
  return `02:00:00:00:00:0${number}`;
}

function refuse({ refused }: Bed, deviceId: string): void {
  refused.note({
    deviceId,
    address: '192.0.2.9',
    transport: 'tcp',
    reason: 'wrong-key',
    message: 'wrong key',
  });
}
