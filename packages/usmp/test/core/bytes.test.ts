import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ascii, concat, readUint16, readUint32, writeUint16, writeUint32 } from '#dist/core/bytes.js';
import { hex, toHex, utf8 } from '../support/bytes.js';

test('numbers are little-endian and unsigned', () => {
  assert.equal(readUint16(hex('000201'), 1), 0x0102);
  assert.equal(readUint32(hex('0004030201'), 1), 0x01020304);
  assert.equal(readUint32(hex('ffffffff'), 0), 0xffffffff);
  assert.equal(readUint16(hex('ffff'), 0), 0xffff);
});

test('a number that was written is read again, and its neighbours stay', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.nat(4), (value, offset) => {
      const bytes = new Uint8Array(10).fill(0xee);
      writeUint32(bytes, offset, value);
      assert.equal(readUint32(bytes, offset), value);
      writeUint16(bytes, offset + 4, value & 0xffff);
      assert.equal(readUint16(bytes, offset + 4), value & 0xffff);
      bytes.fill(0xee, offset, offset + 6);
      assert.ok(bytes.every((byte) => byte === 0xee));
    }),
  );
});

test('joined parts stand one behind the other, in memory of their own', () => {
  const part = hex('0102');
  const joined = concat(part, hex(''), hex('03'), part);
  part.fill(0);
  assert.equal(toHex(joined), '0102030102');
  assert.equal(concat().length, 0);
});

test('labels are ASCII', () => {
  assert.deepEqual(ascii('usmp-v2'), utf8('usmp-v2'));
});
