import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeyRing, keyBytes, makeKeyRing, type PSK } from '#dist/keys.js';
import { coded } from '../server/live.js';
import { toHex, utf8 } from '../support/bytes.js';

const ID = 'aa:bb:cc:dd:ee:ff';
const OTHER = '02:00:00:00:00:01';
const KEY = 'sixteen bytes !!';

async function lookUp(ring: KeyRing, id: string): Promise<string[]> {
  return (await ring(id)).map(toHex);
}

function hexOf(...keys: string[]): string[] {
  return keys.map((key) => toHex(utf8(key)));
}

test('a string is its UTF-8 bytes, also where it looks like hexadecimal or base64', () => {
  for (const key of [
    '00112233445566778899aabbccddeeff',
    'AAECAwQFBgcICQoLDA0ODw==',
    'schlüssel für äöü',
    'hex:0011223344',
  ]) {
    if (utf8(key).length >= 16) assert.equal(toHex(keyBytes(key)), toHex(utf8(key)));
  }
  assert.equal(keyBytes('ключ ключ').length, 17);
});

test('the length of a key is counted in bytes, and a short one is named with its length', () => {
  assert.throws(
    () => keyBytes('thirteen byte'),
    coded('ArgumentError', 'key_too_short', /^key is 13 bytes, at least 16$/),
  );
  assert.throws(
    () => keyBytes('fifteen bytes !'),
    coded('ArgumentError', 'key_too_short', /^key is 15 bytes/),
  );
  assert.equal(keyBytes(KEY).length, 16);
  assert.equal(keyBytes('éééééééé').length, 16);
});

test('an error about a key does not show the key', () => {
  for (const psk of ['tiny secret', { [ID]: 'tiny secret' }, new Map([['*', 'tiny secret']])]) {
    assert.throws(
      () => makeKeyRing(psk as PSK),
      (error: Error) => error.name === 'ArgumentError' && !error.message.includes('tiny'),
    );
  }
});

test('bytes given as a key are copied', async () => {
  const bytes = utf8(KEY);
  const ring = makeKeyRing(bytes);
  bytes.fill(0);
  assert.deepEqual(await lookUp(ring, ID), hexOf(KEY));
});

test('one key is for every device', async () => {
  assert.deepEqual(await lookUp(makeKeyRing(KEY), ID), hexOf(KEY));
});

test('a map gives each device its own key, whatever the case of its letters, and "*" to the rest', async () => {
  for (const psk of [
    { 'AA:BB:CC:DD:EE:FF': KEY, '*': `${KEY} default` },
    new Map([
      ['AA:bb:CC:dd:EE:ff', KEY],
      ['*', `${KEY} default`],
    ]),
  ]) {
    const ring = makeKeyRing(psk);
    assert.deepEqual(await lookUp(ring, ID), hexOf(KEY));
    assert.deepEqual(await lookUp(ring, OTHER), hexOf(`${KEY} default`));
  }
});

test('a device that a map without "*" does not name has no key', async () => {
  const ring = makeKeyRing({ [ID]: KEY });
  for (const id of [OTHER, '*', '__proto__', 'constructor']) assert.deepEqual(await lookUp(ring, id), []);
});

test('a pair is the new key and the old one, in this order', async () => {
  assert.deepEqual(
    await lookUp(makeKeyRing({ [ID]: ['the new key, 16 bytes', 'the old key, 16 bytes'] }), ID),
    hexOf('the new key, 16 bytes', 'the old key, 16 bytes'),
  );
});

test('what cannot be a key is refused with the device it stands for', () => {
  assert.throws(
    () => makeKeyRing({ [ID]: 'short' }),
    coded('ArgumentError', 'key_too_short', /aa:bb:cc:dd:ee:ff/),
  );
  assert.throws(
    () => makeKeyRing({ [ID]: [] as never }),
    coded('ArgumentError', 'invalid_argument', /0 keys for aa:bb/),
  );
  assert.throws(
    () => makeKeyRing({ [ID]: [KEY, KEY, KEY] as never }),
    coded('ArgumentError', 'invalid_argument', /3 keys for aa:bb/),
  );
  assert.throws(
    () => makeKeyRing({ [ID]: 7 as never }),
    coded('ArgumentError', 'invalid_argument', /number/),
  );
  assert.throws(() => makeKeyRing({ 'aa:bb': KEY }), coded('ArgumentError', 'invalid_argument', /"aa:bb"/));
  for (const nothing of [undefined, null, 7, [KEY]]) {
    assert.throws(() => makeKeyRing(nothing as never), coded('ArgumentError', 'invalid_argument', /psk/));
  }
});

test('a function may answer at once or later, with bytes, text, a pair or nothing', async () => {
  const answers = { a: KEY, b: utf8(KEY), c: [KEY, `${KEY} old`] as const, d: undefined };
  for (const later of [false, true]) {
    const ring = makeKeyRing((id) => {
      const answer = answers[id as keyof typeof answers];
      return later ? Promise.resolve(answer) : answer;
    });
    assert.deepEqual(await lookUp(ring, 'a'), hexOf(KEY));
    assert.deepEqual(await lookUp(ring, 'b'), hexOf(KEY));
    assert.deepEqual(await lookUp(ring, 'c'), hexOf(KEY, `${KEY} old`));
    assert.deepEqual(await lookUp(ring, 'd'), []);
  }
});

test('a short key out of a function is an error that names the device', async () => {
  const late = makeKeyRing(async () => 'short');
  await assert.rejects(
    async () => late(ID),
    coded('ArgumentError', 'key_too_short', /for aa:bb:cc:dd:ee:ff is 5 bytes/),
  );
});
