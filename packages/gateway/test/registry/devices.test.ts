import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKey } from '#dist/registry/key-text.js';
import { gatewayError, openRegistry, START, text } from './support.js';

const ID = '02:00:00:00:00:01';
const OLD = Buffer.from('the first key of it');
const NEW = Buffer.from('the second key of it');

test('a device without more has a random local id, which is its name, and a key that is text', (t) => {
  const { devices } = openRegistry(t);
  const { device, key } = devices.add({});
  assert.match(device.id, /^02(:[0-9a-f]{2}){5}$/);
  assert.equal(device.name, device.id);
  assert.match(key, /^\w[\w-]{31}$/);
  assert.deepEqual(text(devices.keysOf(device.id)), [key]);
  assert.deepEqual(devices.get(device.id), device);
  assert.equal(device.createdAt, START);
});

test('a device is found by its id and its name in letters of either case', (t) => {
  const { devices } = openRegistry(t);
  const { device } = devices.add({ id: 'AA:BB:CC:DD:EE:FF', name: 'Küche' });
  assert.equal(device.id, 'aa:bb:cc:dd:ee:ff');
  for (const name of ['aa:BB:cc:dd:ee:ff', 'KÜCHE', 'ku\u0308che'])
    assert.deepEqual(devices.require(name), device);
  assert.equal(devices.get('kuche'), undefined);
  assert.throws(() => devices.require('lamp'), gatewayError('not_found', /no device "lamp"/));
});

test('ids and names are unique, names whatever the case of their letters', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, name: 'Ölheizung' });
  assert.throws(() => devices.add({ id: ID }), gatewayError('conflict', /is registered already/));
  assert.throws(
    () => devices.add({ name: 'ÖLHEIZUNG' }),
    gatewayError('conflict', /the name "ÖLHEIZUNG" belongs to 02:00:00:00:00:01/),
  );
  const other = devices.add({ name: 'lamp' }).device;
  assert.throws(
    () => devices.update(other.id, { name: 'ölheizung' }),
    gatewayError('conflict', /belongs to/),
  );
  assert.equal(devices.update(other.id, { name: 'Lamp' }).name, 'Lamp');
  assert.equal(devices.count(), 2);
});

test('names, notes, tags and ids that would mislead or harm are refused, and nothing is stored', (t) => {
  const { devices } = openRegistry(t);
  const refused: [Parameters<typeof devices.add>[0], RegExp][] = [
    [{ id: 'aabbccddeeff' }, /not a device id: write it like/],
    [{ name: '  ' }, /name is empty/],
    [{ name: 'x'.repeat(65) }, /65 characters, at most 64/],
    [{ name: 'a\nb' }, /U\+000A/],
    [{ name: 'a\u202eb' }, /U\+202E/],
    [{ name: '\ud800' }, /U\+D800/],
    [{ name: 'a\u00a0b' }, /U\+00A0/],
    [{ name: '02:00:00:00:00:09' }, /looks like the id of another device/],
    [{ name: 'Export' }, /a word of the API/],
    [{ note: 'x'.repeat(1_001) }, /1001 characters, at most 1000/],
    [{ note: 'a\0b' }, /U\+0000/],
    [{ tags: ['Upper'] }, /tag "Upper" must be/],
    [{ tags: ['ok', 'with space'] }, /tag "with space" must be/],
    [{ tags: [''] }, /tag "" must be/],
    [{ tags: Array.from({ length: 17 }, (_, n) => `t${n}`) }, /17 tags, at most 16/],
    [{ key: Buffer.from('only-13-bytes') }, /key is 13 bytes, at least 16/],
    [{ key: Buffer.alloc(257) }, /key is 257 bytes, at most 256/],
  ];
  for (const [device, message] of refused)
    assert.throws(() => devices.add({ id: ID, ...device }), gatewayError('invalid', message));
  assert.equal(devices.count(), 0);
  const { device } = devices.add({
    id: ID,
    name: '💡'.repeat(64),
    tags: ['b', 'a', 'b'],
    note: 'one\r\n\ttwo',
  });
  assert.deepEqual([device.tags, device.note], [['a', 'b'], 'one\n\ttwo']);
});

test('SQL in a name, tag or search stays text', (t) => {
  const { devices } = openRegistry(t);
  const name = "x'); DROP TABLE devices; --";
  devices.add({ name });
  assert.equal(devices.require(name).name, name);
  assert.equal(devices.list({ search: name }).total, 1);
  assert.equal(devices.list({ tag: "' OR 1=1 --" }).total, 0);
  assert.equal(devices.get("' OR 1=1 --"), undefined);
});

test('an update changes what it has, and nothing else', (t) => {
  const { devices, clock } = openRegistry(t);
  devices.add({ id: ID, name: 'lamp', note: 'hall', tags: ['a'] });
  clock.now += 1_000;
  const { updatedAt, ...device } = devices.update(ID, { tags: ['c', 'b'] });
  assert.deepEqual(
    [device.name, device.note, device.tags, device.enabled],
    ['lamp', 'hall', ['b', 'c'], true],
  );
  assert.equal(updatedAt, START + 1_000);
  assert.throws(() => devices.update(ID, { note: 'new', tags: ['NO'] }), gatewayError('invalid', /tag/));
  assert.equal(devices.require(ID).note, 'hall');
});

test('both keys are valid until the device has used the new one', (t) => {
  const { devices, clock } = openRegistry(t);
  devices.add({ id: ID, key: OLD });
  const { device, key } = devices.rotate(ID, { key: NEW });
  assert.equal(key, NEW.toString());
  assert.deepEqual(text(devices.keysOf(ID)), text([NEW, OLD]));
  assert.equal(device.keys.length, 2);
  assert.deepEqual(devices.keyUsed(ID, 1), { rotated: false });
  assert.equal(devices.keysOf(ID).length, 2);
  clock.now += 5;
  assert.deepEqual(devices.keyUsed(ID, 0), { rotated: true });
  assert.deepEqual(text(devices.keysOf(ID)), text([NEW]));
  assert.deepEqual(devices.keyUsed(ID, 0), { rotated: false });
  assert.equal(devices.require(ID).keys[0]!.usedAt, START + 5);
});

test('rotating twice leaves the key that the device still has', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, key: OLD });
  devices.rotate(ID, { oldUntil: START + 100 });
  const { device } = devices.rotate(ID, { key: NEW });
  assert.deepEqual(text(devices.keysOf(ID)), text([NEW, OLD]));
  assert.equal(device.keys[1]!.expiresAt, START + 100);
  assert.throws(
    () => devices.rotate(ID, { key: NEW }),
    gatewayError('invalid', /the key that the device has/),
  );
});

test('an old key ends at its date, at once when that is past, and on demand', (t) => {
  const { devices, clock } = openRegistry(t);
  devices.add({ id: ID, key: OLD });
  devices.rotate(ID, { oldUntil: START + 100 });
  clock.now += 99;
  assert.deepEqual(devices.expireKeys(), []);
  assert.equal(devices.keysOf(ID).length, 2);
  clock.now += 1;
  assert.equal(devices.keysOf(ID).length, 1);
  assert.deepEqual(devices.expireKeys(), [ID]);
  assert.deepEqual(devices.expireKeys(), []);
  devices.rotate(ID, { oldUntil: 0 });
  assert.equal(devices.keysOf(ID).length, 1);
  devices.rotate(ID);
  assert.equal(devices.dropOldKey(ID).keys.length, 1);
});

test('a device that is unknown, disabled or revoked has no valid key, and says which it is', (t) => {
  const { devices } = openRegistry(t);
  assert.deepEqual([devices.statusOf(ID), devices.keysOf(ID)], ['unknown', []]);
  devices.add({ id: ID, key: OLD });
  assert.equal(devices.statusOf(ID), 'valid');
  devices.update(ID, { enabled: false });
  assert.deepEqual([devices.statusOf(ID), devices.keysOf(ID)], ['disabled', []]);
  devices.update(ID, { enabled: true });
  assert.deepEqual(text(devices.keysOf(ID)), text([OLD]));
  assert.deepEqual(devices.revoke(ID).keys, []);
  assert.deepEqual([devices.statusOf(ID), devices.keysOf(ID)], ['revoked', []]);
  devices.rotate(ID, { key: NEW });
  assert.deepEqual(text(devices.keysOf(ID)), text([NEW]));
  devices.remove(ID);
  assert.deepEqual([devices.statusOf(ID), devices.keysOf(ID)], ['unknown', []]);
  for (const act of ['remove', 'revoke', 'rotate', 'dropOldKey'] as const)
    assert.throws(() => devices[act](ID), gatewayError('not_found', /no device/));
});

test('a removed device leaves no key and no tag behind', (t) => {
  const { devices, storage } = openRegistry(t);
  devices.add({ id: ID, tags: ['a'] });
  devices.remove(ID);
  for (const table of ['devices', 'device_keys', 'device_tags'])
    assert.deepEqual(storage.prepare(`SELECT * FROM ${table}`).all(), []);
});

test('sessions are counted when they open, messages when they are reported', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID });
  devices.connected(ID, { at: START + 1, address: '192.0.2.7', transport: 'udp' });
  const delta = { messagesIn: 1, messagesOut: 2, bytesIn: 3, bytesOut: 4 };
  devices.addCounters(ID, delta, START + 9);
  devices.addCounters(ID, delta, START + 10);
  const device = devices.require(ID);
  assert.deepEqual(device.counters, { sessions: 1, messagesIn: 2, messagesOut: 4, bytesIn: 6, bytesOut: 8 });
  assert.deepEqual(
    [device.lastConnectedAt, device.lastSeenAt, device.lastAddress, device.lastTransport],
    [START + 1, START + 10, '192.0.2.7', 'udp'],
  );
});

test('keys are text, or bytes behind a prefix, and no error shows one', (t) => {
  const { devices } = openRegistry(t);
  const bytes = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  assert.deepEqual(parseKey(`hex:${bytes.toString('hex')}`), bytes);
  assert.deepEqual(Buffer.from(parseKey(`base64:${bytes.toString('base64url')}`)), bytes);
  assert.deepEqual(Buffer.from(parseKey('sixteen letters!')), Buffer.from('sixteen letters!'));
  assert.equal(devices.add({ key: bytes }).key, `hex:${bytes.toString('hex')}`);
  assert.equal(devices.add({ key: Buffer.from('hex:is only text') }).key.startsWith('hex:6865783a'), true);
  for (const wrong of ['hex:geheim', 'base64:ge heim', 'geheim'])
    assert.throws(() => parseKey(wrong), gatewayError('invalid', /^(?!.*geheim)key/));
});

test('no name is a step in a path, as programs would ask for another one', (t) => {
  const { devices } = openRegistry(t);
  for (const name of ['.', '..'])
    assert.throws(() => devices.add({ name }), gatewayError('invalid', /no part of a path/));
  assert.equal(devices.add({ name: '...' }).device.name, '...');
});
