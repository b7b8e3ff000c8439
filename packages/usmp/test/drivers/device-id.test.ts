import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDeviceId, normalizeDeviceId, parseDeviceId, USMPClient } from '#dist/index.js';
import { coded } from '../server/live.js';

test('every six bytes survive being written and read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      const text = formatDeviceId(bytes);
      assert.match(text, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      assert.deepEqual(parseDeviceId(text), bytes);
      assert.deepEqual(parseDeviceId(text.toUpperCase()), bytes);
    }),
  );
});

test('capital letters are the same device', () => {
  assert.equal(normalizeDeviceId('AA:Bb:cC:0D:ee:FF'), 'aa:bb:cc:0d:ee:ff');
});

test('what is not a device id is quoted with an example of one', () => {
  for (const text of [
    '',
    'aa:bb:cc:dd:ee',
    'aa:bb:cc:dd:ee:ff:00',
    'aabbccddeeff',
    'aa-bb-cc-dd-ee-ff',
    'aa:bb:cc:dd:ee:fg',
    ' aa:bb:cc:dd:ee:ff',
    'aa:bb:cc:dd:ee:ff\n',
  ]) {
    assert.throws(
      () => normalizeDeviceId(text),
      (error: Error) =>
        error.name === 'ArgumentError' &&
        error.message.includes(`"${text}"`) &&
        error.message.includes('aa:bb:cc:dd:ee:ff'),
    );
  }
  assert.throws(() => normalizeDeviceId(7 as never), coded('ArgumentError', 'invalid_argument'));
});

test('a client without a device id makes one that no maker of hardware hands out, and keeps it', () => {
  const psk = 'sixteen bytes !!';
  const ids = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const client = new USMPClient({ psk });
    const [first] = parseDeviceId(client.deviceId);
    assert.equal(first! & 0x02, 0x02, 'locally administered');
    assert.equal(first! & 0x01, 0, 'not multicast');
    assert.equal(client.deviceId, client.deviceId);
    ids.add(client.deviceId);
  }
  assert.equal(ids.size, 50);
});

test('a client takes its device id as text or as six bytes', () => {
  const psk = 'sixteen bytes !!';
  const bytes = Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff);
  const client = new USMPClient({ psk, deviceId: bytes });
  bytes.fill(0);
  assert.equal(client.deviceId, 'aa:bb:cc:dd:ee:ff');
  assert.equal(new USMPClient({ psk, deviceId: 'AA:BB:CC:DD:EE:FF' }).deviceId, 'aa:bb:cc:dd:ee:ff');
  for (const deviceId of [new Uint8Array(5), new Uint8Array(7), 7 as never, 'aa']) {
    assert.throws(
      () => new USMPClient({ psk, deviceId }),
      coded('ArgumentError', 'invalid_argument', /aa:bb:cc:dd:ee:ff/),
    );
  }
});
