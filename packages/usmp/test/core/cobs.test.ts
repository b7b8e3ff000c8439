import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeCobs, encodeCobs, encodeLine, LineDecoder } from '#dist/core/cobs.js';
import { VersionError } from '#dist/core/errors.js';
import { encodeFrame, FrameType, writeChecksum } from '#dist/core/frame.js';
import { MAX_BLOCK, MAX_PAYLOAD } from '#dist/core/limits.js';
import { hex, toHex } from '../support/bytes.js';
import { COBS } from '../support/vectors.js';

const RUNS = process.env.USMP_LONG === '1' ? 2_000 : 200;

/** Lengths at which the last group of a block is full, nearly full, or just begun. */
const LENGTHS = [0, 1, 253, 254, 255, 256, 480, 491, 492];

function encoded(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 8);
  return out.slice(0, encodeCobs(bytes, 0, bytes.length, out, 0));
}

function decoded(block: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(block.length);
  const length = decodeCobs(block, out);
  return length === undefined ? undefined : out.slice(0, length);
}

/** The frames that come out of a line, in hexadecimal, and what was dropped. */
function receive(pieces: Iterable<Uint8Array>): { frames: string[]; dropped: number; strays: number } {
  const decoder = new LineDecoder();
  const frames: string[] = [];
  let strays = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    for (let found = decoder.next(); found !== undefined; found = decoder.next()) {
      if (found instanceof VersionError) strays++;
      else frames.push(toHex(found.bytes));
    }
  }
  return { frames, dropped: decoder.dropped, strays };
}

function* pieces(bytes: Uint8Array, size: number): Iterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.slice(start, start + size);
}

/** In pieces of these sizes, over and over. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  for (let start = 0, i = 0; start < bytes.length; start += sizes[i++ % sizes.length]!) {
    yield new Uint8Array(bytes.subarray(start, start + sizes[i % sizes.length]!));
  }
}

function frameOf(length: number, fill: (index: number) => number): Uint8Array {
  return encodeFrame(
    FrameType.DATA,
    7,
    Uint8Array.from({ length }, (_, i) => fill(i)),
  );
}

const aFrame = fc
  .tuple(
    fc.constantFrom(...Object.values(FrameType)),
    fc.uint8Array({ maxLength: MAX_PAYLOAD }),
    fc.boolean(),
  )
  .map(([type, payload, sparse]) =>
    encodeFrame(type, 0, sparse ? payload.map((byte) => (byte < 200 ? 0 : byte)) : payload),
  );

/** Noise that begins and ends inside of no frame. */
const noise = fc.uint8Array({ maxLength: 600 });

describe('a block', () => {
  for (const { name, decoded: plain, encoded: block } of COBS.blocks) {
    test(`of ${name} is encoded and decoded as the specification says`, () => {
      assert.equal(toHex(encoded(hex(plain))), block);
      assert.equal(toHex(decoded(hex(block))!), plain);
    });
  }

  for (const { name, decoded: plain, encoded: block } of COBS.decode_only) {
    test(`of ${name} is decoded`, () => assert.equal(toHex(decoded(hex(block))!), plain));
  }

  for (const { name, encoded: block } of COBS.invalid) {
    test(`where ${name} is not decoded`, () => assert.equal(decoded(hex(block)), undefined));
  }

  test('of any bytes comes back, without a zero in it, and with at most one byte for each 254 more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_100 }), (bytes) => {
        const block = encoded(bytes);
        assert.ok(!block.includes(0));
        assert.ok(block.length <= bytes.length + Math.max(1, Math.ceil(bytes.length / 254)));
        assert.equal(toHex(decoded(block)!), toHex(bytes));
      }),
      { numRuns: RUNS },
    );
  });

  test('of any length at which groups end comes back, whether it is full of zeros or has none', () => {
    for (const length of LENGTHS) {
      for (const fill of [0x00, 0xff]) {
        const bytes = new Uint8Array(length).fill(fill);
        assert.equal(toHex(decoded(encoded(bytes))!), toHex(bytes), `${length} × ${fill}`);
      }
    }
  });
});

describe('a line', () => {
  for (const { name, bytes, frames, dropped } of COBS.lines) {
    test(`with ${name} gives the frames that the specification says, however it is cut`, () => {
      for (const size of [bytes.length, 1, 2, 7, 64, 254, 255]) {
        assert.deepEqual(receive(pieces(hex(bytes), size)), { frames, dropped, strays: 0 });
      }
    });
  }

  test('of frames of every length gives them back, and its longest block is within the limit', () => {
    for (let length = 0; length <= MAX_PAYLOAD; length++) {
      const frame = frameOf(length, (i) => (i % 255) + 1);
      const line = encodeLine(frame);
      assert.ok(line.length - 2 <= MAX_BLOCK);
      assert.deepEqual(receive([line]), { frames: [toHex(frame)], dropped: 0, strays: 0 });
    }
  });

  test('of several frames in one run is one block each', () => {
    fc.assert(
      fc.property(fc.array(aFrame, { maxLength: 5 }), (frames) => {
        const line = encodeLine(new Uint8Array(Buffer.concat(frames)));
        assert.deepEqual(receive([line]).frames, frames.map(toHex));
        assert.equal(line.filter((byte) => byte === 0).length, 2 * frames.length);
      }),
      { numRuns: RUNS },
    );
  });

  test('with noise between the frames gives every frame, in order, however it is cut', () => {
    const parts = fc.array(fc.tuple(noise, aFrame), { minLength: 1, maxLength: 4 });
    const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(parts, cuts, (content, sizes) => {
        const line = Buffer.concat(content.flatMap(([before, frame]) => [before, encodeLine(frame)]));
        const expected = content.map(([, frame]) => toHex(frame));
        // Noise that is a frame by accident is out of reach of chance: it would need magic, length and CRC.
        assert.deepEqual(receive(cut(line, sizes)).frames, expected);
        assert.deepEqual(receive([line]).frames, expected);
      }),
      { numRuns: RUNS },
    );
  });

  test('in which any one byte of a frame was changed gives the other frames, and never a changed one', () => {
    const [first, damaged, last] = [5, 60, 6].map((length) => frameOf(length, (i) => (i * 3) & 0xff));
    const middle = encodeLine(damaged!);
    for (let at = 0; at < middle.length; at++) {
      for (const mask of [0x01, 0x80, 0xff, middle[at]!]) {
        const line = Buffer.concat([encodeLine(first!), middle, encodeLine(last!)]);
        line[encodeLine(first!).length + at]! ^= mask;
        const { frames } = receive([new Uint8Array(line)]);
        const others = frames.filter((frame) => frame !== toHex(damaged!));
        assert.deepEqual(others, [toHex(first!), toHex(last!)], `byte ${at}, mask ${mask}`);
      }
    }
  });

  test('takes no frame whose checksum is wrong, of the handshake neither', () => {
    for (const type of Object.values(FrameType)) {
      const frame = encodeFrame(type, 0, new Uint8Array(38));
      frame[20]! ^= 0x01;
      assert.deepEqual(receive([encodeLine(frame)]), { frames: [], dropped: 1, strays: 0 });
    }
  });

  test('tells of a HELLO of version 1, and drops every other frame of another version', () => {
    const hello = (version: number, type: number) => {
      const frame = encodeFrame(FrameType.HELLO, 0, new Uint8Array(38));
      frame[2] = version;
      frame[3] = type;
      writeChecksum(frame, 0, 38);
      return encodeLine(frame);
    };
    assert.deepEqual(receive([hello(1, FrameType.HELLO)]), { frames: [], dropped: 1, strays: 1 });
    assert.deepEqual(receive([hello(1, FrameType.DATA)]), { frames: [], dropped: 1, strays: 0 });
    assert.deepEqual(receive([hello(3, FrameType.HELLO)]), { frames: [], dropped: 1, strays: 0 });
  });

  test('without end between zeros costs no more than one block, and the next frame is taken', () => {
    const decoder = new LineDecoder();
    const endless = new Uint8Array(65_536).fill(0x55);
    for (let i = 0; i < 200; i++) {
      decoder.push(endless);
      assert.equal(decoder.next(), undefined);
    }
    assert.equal(decoder.dropped, 0);
    const frame = frameOf(10, () => 1);
    decoder.push(encodeLine(frame));
    const found = decoder.next();
    assert.ok(found !== undefined && !(found instanceof VersionError));
    assert.equal(toHex(found.bytes), toHex(frame));
    assert.equal(decoder.dropped, 1);
  });
});
