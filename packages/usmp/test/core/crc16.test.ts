import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CRC_INITIAL, crc16 } from '#dist/core/crc16.js';
import { hex, utf8 } from '../support/bytes.js';
import { CHECKSUMS } from '../support/vectors.js';

/** One bit at a time, as the definition says. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

test('the check value of CRC-16/MODBUS', () => {
  assert.equal(crc16(utf8('123456789')), 0x4b37);
});

test('the checksums of the vectors', () => {
  for (const { bytes, crc } of CHECKSUMS) assert.equal(crc16(hex(bytes)), crc, bytes);
});

test('two bytes at a step make the same as one bit at a step', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => crc16(bytes) === slowCrc(bytes)));
});

test('a checksum can be continued at any byte and taken of any part', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const [start, middle] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      const first = crc16(bytes, start, middle, CRC_INITIAL);
      assert.equal(crc16(bytes, middle, bytes.length, first), slowCrc(bytes.subarray(start)));
    }),
  );
});

test('every single flipped bit of a frame is noticed', () => {
  const frame = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
  const crc = crc16(frame);
  for (let bit = 0; bit < 8 * frame.length; bit++) {
    const flipped = frame.slice();
    flipped[bit >>> 3] ^= 1 << (bit & 7);
    assert.notEqual(crc16(flipped), crc, `bit ${bit}`);
  }
});
