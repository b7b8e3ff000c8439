import assert from 'node:assert/strict';
import test from 'node:test';
import { UsageError } from '#dist/cli/exit-codes.js';
import { parseKey } from '#dist/cli/key-text.js';

const BYTES = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
/** Has both characters in which the alphabets differ, and two of padding. */
const PADDED = Buffer.from('fbefbefbffffff00112233445566778899aabb', 'hex');

function refuses(text: string, message: RegExp): void {
  assert.throws(
    () => parseKey(text, 'HERE'),
    (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      const secret = text.replace(/^\w+:/, '');
      if (secret !== '') assert.ok(!error.message.includes(secret), 'the error shows the key');
      return true;
    },
  );
}

test('a key without prefix is text as it stands', () => {
  for (const text of [
    'sixteen letters!',
    'HEX:00112233445566778899',
    '  spaces belong to it ',
    'ключ и замок',
  ]) {
    assert.equal(parseKey(text, 'HERE'), text);
  }
});

test('hex: stands for bytes, in either case', () => {
  assert.deepEqual(parseKey(`hex:${BYTES.toString('hex')}`, 'HERE'), BYTES);
  assert.deepEqual(parseKey(`hex:${BYTES.toString('hex').toUpperCase()}`, 'HERE'), BYTES);
});

test('base64: stands for bytes, in either alphabet, with and without padding', () => {
  for (const bytes of [BYTES, PADDED, PADDED.subarray(0, 18), PADDED.subarray(0, 17)]) {
    const padded = bytes.toString('base64');
    for (const text of [padded, padded.replace(/=+$/, ''), bytes.toString('base64url')]) {
      assert.deepEqual(parseKey(`base64:${text}`, 'HERE'), bytes, text);
    }
  }
});

test('hex: and base64: take nothing that is not of them', () => {
  const hex = BYTES.toString('hex');
  for (const wrong of ['', hex.slice(1), `${hex}zz`, `${hex} `, `0x${hex}`, `${hex}\n`]) {
    refuses(`hex:${wrong}`, /^HERE: hex: must be followed by pairs of hexadecimal digits alone$/);
  }
  const base64 = PADDED.toString('base64').replace(/=+$/, '');
  for (const wrong of [
    '',
    `${base64}=`,
    `${base64}===`,
    `${base64} `,
    `${base64.slice(0, -1)}`,
    '====',
    `${base64}\n`,
  ]) {
    refuses(`base64:${wrong}`, /^HERE: base64: must be followed by base64 alone$/);
  }
});

test('a key of less than 16 bytes is refused with its length, in bytes', () => {
  refuses('fifteen letters', /^HERE: key is 15 bytes, at least 16; make one with npx usmp keygen /);
  refuses('hex:001122', /^HERE: key is 3 bytes, at least 16/);
  refuses('base64:AAAA', /^HERE: key is 3 bytes, at least 16/);
  assert.equal(parseKey('éééééééé', 'HERE'), 'éééééééé');
});
