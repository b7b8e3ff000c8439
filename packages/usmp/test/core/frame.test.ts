import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CRCError, FrameError, MagicError, PayloadError, VersionError } from '#dist/core/errors.js';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameType,
  frameTypeName,
  isHandshakeType,
} from '#dist/core/frame.js';
import { HEADER_LENGTH, MAX_PAYLOAD } from '#dist/core/limits.js';
import { hex, pattern, toHex } from '../support/bytes.js';

/** All frames in the pieces, as hexadecimal digits. */
function decode(...pieces: readonly Uint8Array[]): string[] {
  const decoder = new FrameDecoder();
  const frames: string[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
      frames.push(toHex(frame.bytes));
  }
  return frames;
}

const types = fc.constantFrom(...Object.values(FrameType));
const anyFrame = fc
  .tuple(types, fc.integer({ min: 0, max: 0xffffffff }), fc.uint8Array({ maxLength: MAX_PAYLOAD }))
  .map(([type, seq, payload]) => encodeFrame(type, seq, payload));

describe('encoding', () => {
  test('a frame is the header of the specification, its checksum and the payload', () => {
    assert.equal(toHex(encodeFrame(FrameType.DATA, 0x01020304, hex('aabb'))), 'cdab02050403020102000296aabb');
  });
});

describe('decoding', () => {
  test('a frame comes out as it went in, whatever its type, number and size', () => {
    fc.assert(
      fc.property(
        types,
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.uint8Array({ maxLength: MAX_PAYLOAD }),
        (type, seq, payload) => {
          const decoder = new FrameDecoder();
          decoder.push(encodeFrame(type, seq, payload));
          const frame = decoder.next()!;
          assert.equal(frame.type, type);
          assert.equal(frame.seq, seq);
          assert.equal(toHex(frame.payload), toHex(payload));
          assert.equal(decoder.next(), undefined);
        },
      ),
    );
  });

  test('frames come out the same however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 600 })),
        (frames, sizes) => {
          const stream = Buffer.concat(frames);
          const pieces: Uint8Array[] = [];
          for (let start = 0, i = 0; start < stream.length; i++) {
            const size = sizes[i % Math.max(1, sizes.length)] ?? 1;
            pieces.push(new Uint8Array(stream.subarray(start, start + size)));
            start += size;
          }
          assert.deepEqual(decode(...pieces), frames.map(toHex));
        },
      ),
    );
  });

  test('every cut in two and three pieces gives the same frames', () => {
    const frames = [encodeFrame(FrameType.PING, 7, hex('')), encodeFrame(FrameType.DATA, 8, pattern(1, 20))];
    const stream = new Uint8Array(Buffer.concat(frames));
    for (let a = 0; a <= stream.length; a++) {
      for (let b = a; b <= stream.length; b++) {
        assert.deepEqual(decode(stream.slice(0, a), stream.slice(a, b), stream.slice(b)), frames.map(toHex));
      }
    }
  });

  test('a piece that was handed over may be reused once everything has been taken out of it', () => {
    const frame = encodeFrame(FrameType.DATA, 1, pattern(1, 50));
    const decoder = new FrameDecoder();
    const piece = frame.slice(0, 30);
    decoder.push(piece);
    assert.equal(decoder.next(), undefined);
    piece.fill(0);
    decoder.push(frame.slice(30));
    assert.equal(toHex(decoder.next()!.bytes), toHex(frame));
  });

  test('nothing comes out of nothing', () => {
    const decoder = new FrameDecoder();
    assert.equal(decoder.next(), undefined);
    decoder.push(hex(''));
    assert.equal(decoder.next(), undefined);
  });

  test('the largest payload is taken and one byte more is refused', () => {
    const largest = encodeFrame(FrameType.DATA, 0, pattern(1, MAX_PAYLOAD));
    assert.deepEqual(decode(largest), [toHex(largest)]);
    assert.throws(() => decode(encodeFrame(FrameType.DATA, 0, pattern(1, MAX_PAYLOAD + 1))), {
      code: 'bad_length',
      message: 'a DATA frame announces 481 bytes, at most 480',
    });
  });

  test('a refusal has a class and a code of its own, and says what was seen', () => {
    const good = encodeFrame(FrameType.DATA, 0, hex('00'));
    const cases: [number, number, new (...args: never[]) => FrameError, string, RegExp][] = [
      [0, 0x47, MagicError, 'bad_magic', /not a USMP frame/],
      [1, 0x00, MagicError, 'bad_magic', /not a USMP frame/],
      [2, 1, VersionError, 'version_1', /version 1 firmware, release 0\.5\.1 or older: update it/],
      [2, 3, VersionError, 'unsupported_version', /version 3, we speak 2/],
      [3, 0xff, FrameError, 'bad_type', /0xff/],
      [9, 0xff, PayloadError, 'bad_length', /65281 bytes/],
      [12, 0x01, CRCError, 'bad_crc', /checksum/],
    ];
    for (const [offset, value, type, code, message] of cases) {
      const bad = good.slice();
      bad[offset] = value;
      assert.throws(
        () => decode(bad),
        (error: FrameError) => error instanceof type && error.code === code && message.test(error.message),
        code,
      );
    }
  });

  test('the checksum of handshake frames is not looked at, that of session frames is', () => {
    for (const type of Object.values(FrameType)) {
      const frame = encodeFrame(type, 0, hex('00'));
      frame[10] ^= 0xff;
      if (isHandshakeType(type)) assert.equal(decode(frame).length, 1, frameTypeName(type));
      else assert.throws(() => decode(frame), { code: 'bad_crc' }, frameTypeName(type));
    }
  });

  test('frames before a bad one come out first', () => {
    const good = encodeFrame(FrameType.PING, 0, hex(''));
    const decoder = new FrameDecoder();
    decoder.push(new Uint8Array([...good, ...good, 0x00]));
    const frames: (Frame | undefined)[] = [decoder.next(), decoder.next()];
    assert.deepEqual(
      frames.map((frame) => toHex(frame!.bytes)),
      [toHex(good), toHex(good)],
    );
    assert.throws(() => decoder.next(), { code: 'bad_magic' });
  });

  test('what it holds back is at most one frame', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 700 }),
        (frames, size) => {
          const stream = Buffer.concat(frames);
          const decoder = new FrameDecoder();
          let taken = 0;
          for (let start = 0; start < stream.length; start += size) {
            decoder.push(new Uint8Array(stream.subarray(start, start + size)));
            for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
              taken += frame.bytes.length;
            assert.ok(Math.min(start + size, stream.length) - taken < HEADER_LENGTH + MAX_PAYLOAD);
          }
        },
      ),
    );
  });
});

test('types have the names of the specification', () => {
  for (const [name, type] of Object.entries(FrameType)) assert.equal(frameTypeName(type), name);
  assert.equal(frameTypeName(0x0c), '0x0c');
  assert.deepEqual(Object.values(FrameType).filter(isHandshakeType), [0x01, 0x02, 0x03, 0x04, 0x0a]);
});
