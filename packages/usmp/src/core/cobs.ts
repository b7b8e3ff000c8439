/**
 * Frames on a serial line (spec/protocol.md §10): each is stuffed so that it has no zero in it, and stands between
 * zeros. So a receiver finds the next frame whatever happened to the one before.
 *
 * COBS is consistent overhead byte stuffing (Cheshire and Baker): a block is a row of groups, each a code and the bytes
 * without zero that follow it. The code says how long the group is, itself included, and stands for the zero behind
 * the group; there is none behind a full group of 254 bytes, and none at the end.
 *
 * @module
 */

import { VersionError } from './errors.js';
import { checksumFits, type Frame, FrameType, frameLength, parseDatagram } from './frame.js';
import { HEADER_LENGTH, MAX_BLOCK } from './limits.js';

const DELIMITER = 0x00;

/** The code of a full group. */
const FULL = 0xff;

/** Bytes of a full group beside its code. */
const FULL_LENGTH = FULL - 1;

/** The most bytes that a block of `length` decoded bytes has. */
function largestBlock(length: number): number {
  return length + Math.max(1, Math.ceil(length / FULL_LENGTH));
}

/**
 * Encodes `bytes[start..end)` into `out` from `offset` on.
 *
 * @returns where the block ends in `out`
 */
export function encodeCobs(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  offset: number,
): number {
  let codeAt = offset;
  let at = offset + 1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte !== 0) out[at++] = byte;
    const full = at - codeAt === FULL && i + 1 < end;
    if (byte !== 0 && !full) continue;
    out[codeAt] = at - codeAt;
    codeAt = at++;
  }
  out[codeAt] = at - codeAt;
  return at;
}

/**
 * Decodes a block, which has no zero in it, into `out`, which must have room for as many bytes.
 *
 * @returns how many bytes were in it; undefined where its groups do not fit into it
 */
export function decodeCobs(block: Uint8Array, out: Uint8Array): number | undefined {
  let length = 0;
  for (let at = 0; at < block.length; ) {
    const code = block[at++];
    const end = at + code - 1;
    if (end > block.length) return undefined;
    while (at < end) out[length++] = block[at++];
    if (code < FULL && at < block.length) out[length++] = 0;
  }
  return length;
}

/** Whole frames, one behind the other, as they go on the line: `00 || COBS(frame) || 00` each. */
export function encodeLine(frames: Uint8Array): Uint8Array {
  let room = 0;
  for (let at = 0, size = 0; at < frames.length; at += size) {
    size = frameLength(frames, at);
    room += 2 + largestBlock(size);
  }
  const line = new Uint8Array(room);
  let written = 0;
  for (let at = 0, end = 0; at < frames.length; at = end) {
    end = at + frameLength(frames, at);
    line[written++] = DELIMITER;
    written = encodeCobs(frames, at, end, line, written);
    line[written++] = DELIMITER;
  }
  return line.subarray(0, written);
}

/** Stands for any block that is too long. */
const OVERLONG = new Uint8Array(MAX_BLOCK + 1);

/**
 * Finds the frames in what comes over a line, cut anywhere. What is none, or was damaged, is dropped. Holds at most one
 * block and one frame.
 *
 * @example
 * ```ts
 * decoder.push(chunk);
 * for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) handle(frame);
 * ```
 */
export class LineDecoder {
  #input: Uint8Array | undefined;
  #offset = 0;
  /** A block whose end has not come; the length is above its size when the block is too long. */
  #held: Uint8Array | undefined;
  #heldLength = 0;
  /** Where blocks are decoded to. */
  #frame: Uint8Array | undefined;
  #dropped = 0;

  /** Blocks dropped so far. Empty ones do not count. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes the next bytes of the line. Call `next` until it returns undefined before pushing again. */
  push(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#offset = 0;
  }

  /**
   * The next whole frame, which is valid until the next call; undefined when the input is used up. In the place of a
   * HELLO of version 1, which is dropped as well, the error that is worth a report.
   */
  next(): Frame | VersionError | undefined {
    for (let block = this.#nextBlock(); block !== undefined; block = this.#nextBlock()) {
      const found = block.length > MAX_BLOCK ? undefined : this.#parse(block);
      if (found === undefined || found instanceof VersionError) this.#dropped++;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The bytes between two zeros, where there are any. */
  #nextBlock(): Uint8Array | undefined {
    const input = this.#input;
    if (input === undefined) return undefined;
    if (this.#heldLength === 0) while (input[this.#offset] === DELIMITER) this.#offset++;
    const end = input.indexOf(DELIMITER, this.#offset);
    const bytes = input.subarray(this.#offset, end < 0 ? input.length : end);
    if (end < 0) {
      this.#input = undefined;
      this.#hold(bytes);
      return undefined;
    }
    this.#offset = end + 1;
    return this.#heldLength === 0 ? bytes : this.#complete(bytes);
  }

  #hold(bytes: Uint8Array): void {
    const length = this.#heldLength + bytes.length;
    if (length > 0 && length <= MAX_BLOCK) {
      this.#held ??= new Uint8Array(MAX_BLOCK);
      this.#held.set(bytes, this.#heldLength);
    }
    this.#heldLength = Math.min(length, MAX_BLOCK + 1);
  }

  #complete(bytes: Uint8Array): Uint8Array {
    this.#hold(bytes);
    const length = this.#heldLength;
    this.#heldLength = 0;
    return length > MAX_BLOCK ? OVERLONG : this.#held!.subarray(0, length);
  }

  #parse(block: Uint8Array): Frame | VersionError | undefined {
    this.#frame ??= new Uint8Array(MAX_BLOCK);
    const length = decodeCobs(block, this.#frame);
    if (length === undefined || length < HEADER_LENGTH) return undefined;
    const bytes = this.#frame.subarray(0, length);
    try {
      const frame = parseDatagram(bytes);
      return checksumFits(bytes) ? frame : undefined;
    } catch (error) {
      const isHello = bytes[3] === FrameType.HELLO;
      return isHello && error instanceof VersionError && error.code === 'version_1' ? error : undefined;
    }
  }
}
