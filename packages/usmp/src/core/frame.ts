/**
 * The frame (spec/protocol.md §2): header, checksum, and a decoder for byte streams that come in any pieces.
 *
 * @module
 */

import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.js';
import { crc16 } from './crc16.js';
import { CRCError, FrameError, MagicError, PayloadError, VersionError } from './errors.js';
import { HEADER_LENGTH, MAX_PAYLOAD } from './limits.js';

/** The first two bytes of every frame. */
export const MAGIC_LOW = 0xcd;
export const MAGIC_HIGH = 0xab;

/** The version that this file and its neighbours speak. */
export const VERSION = 2;

/** `AB CD` and the version as they stand on the wire: the beginning of every frame, and of what the MACs cover. */
export const PREFIX: readonly number[] = [MAGIC_LOW, MAGIC_HIGH, VERSION];

/** Bytes 0..9 of the header: all but the checksum. CRC and AES-GCM both cover them. */
export const CHECKED_HEADER_LENGTH = 10;

/** Frame types (§2.3). */
export const FrameType = {
  HELLO: 0x01,
  CHALLENGE: 0x02,
  HELLO_ACK: 0x03,
  SESSION_OK: 0x04,
  DATA: 0x05,
  PING: 0x06,
  PONG: 0x07,
  BYE: 0x08,
  DATA_FRAG: 0x09,
  HELLO_RETRY: 0x0a,
  REKEY: 0x0b,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

const NAMES = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

/** The name of a type as the specification writes it. */
export function frameTypeName(type: number): string {
  return NAMES.get(type) ?? `0x${type.toString(16).padStart(2, '0')}`;
}

/** Whether frames of a type belong to the handshake: not encrypted, seq and CRC not checked (§3.1). */
export function isHandshakeType(type: number): boolean {
  return type <= FrameType.SESSION_OK || type === FrameType.HELLO_RETRY;
}

/** A frame as it was received. The arrays are views of the input: valid until the decoder is given more. */
export class Frame {
  readonly type: FrameType;
  readonly seq: number;
  /** The whole frame from its first header byte. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.type = bytes[3] as FrameType;
    this.seq = readUint32(bytes, 4);
    this.bytes = bytes;
  }

  get payload(): Uint8Array {
    return this.bytes.subarray(HEADER_LENGTH);
  }
}

/** Writes the checked part of a header; the checksum follows with {@link writeChecksum}. */
export function writeHeader(
  out: Uint8Array,
  offset: number,
  type: FrameType,
  seq: number,
  length: number,
): void {
  out[offset] = MAGIC_LOW;
  out[offset + 1] = MAGIC_HIGH;
  out[offset + 2] = VERSION;
  out[offset + 3] = type;
  writeUint32(out, offset + 4, seq);
  writeUint16(out, offset + 8, length);
}

/** Writes the checksum of a frame whose payload of `length` bytes is in place. */
export function writeChecksum(out: Uint8Array, offset: number, length: number): void {
  writeUint16(out, offset + CHECKED_HEADER_LENGTH, checksum(out, offset, length));
}

/** A whole frame around a payload. */
export function encodeFrame(type: FrameType, seq: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_LENGTH + payload.length);
  writeHeader(frame, 0, type, seq, payload.length);
  frame.set(payload, HEADER_LENGTH);
  writeChecksum(frame, 0, payload.length);
  return frame;
}

/** The size that a whole frame at `offset` says it has. */
export function frameLength(bytes: Uint8Array, offset: number): number {
  return HEADER_LENGTH + readUint16(bytes, offset + 8);
}

/**
 * The frame that is a whole datagram (§9), as a view of it.
 *
 * @throws {FrameError} it is none
 */
export function parseDatagram(datagram: Uint8Array): Frame {
  const size = measure(datagram, 0, datagram.length);
  if (size !== datagram.length || size === 0) {
    throw new PayloadError('bad_length', `a datagram of ${datagram.length} bytes, its frame has ${size}`);
  }
  return parse(datagram, 0, size);
}

/**
 * Cuts a byte stream into frames (§2.4). Holds at most one incomplete frame (492 bytes) between calls, and nothing
 * while the stream stands between two frames.
 *
 * @example
 * ```ts
 * decoder.push(chunk);
 * for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) handle(frame);
 * ```
 */
export class FrameDecoder {
  #input: Uint8Array | undefined;
  #offset = 0;
  #held: Uint8Array | undefined;
  #heldLength = 0;

  /** Takes the next piece of the stream. Call `next` until it returns undefined before pushing again. */
  push(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#offset = 0;
  }

  /**
   * The next whole frame, or undefined when the input is used up.
   *
   * @throws {FrameError} as soon as the bytes seen cannot become an acceptable frame. The stream has no further use
   * then.
   */
  next(): Frame | undefined {
    const input = this.#input;
    if (input === undefined) return undefined;
    if (this.#held !== undefined) return this.#continueHeld(input, this.#held);

    const offset = this.#offset;
    const available = input.length - offset;
    const size = measure(input, offset, available);
    if (size > 0 && available >= size) {
      this.#offset = offset + size;
      return parse(input, offset, size);
    }
    this.#input = undefined;
    if (available > 0) {
      this.#held = new Uint8Array(size > 0 ? size : HEADER_LENGTH);
      this.#held.set(input.subarray(offset));
      this.#heldLength = available;
    }
    return undefined;
  }

  /** Completes first the header, then the payload of a frame that began in earlier input. */
  #continueHeld(input: Uint8Array, held: Uint8Array): Frame | undefined {
    for (;;) {
      const taken = Math.min(held.length - this.#heldLength, input.length - this.#offset);
      held.set(input.subarray(this.#offset, this.#offset + taken), this.#heldLength);
      this.#offset += taken;
      this.#heldLength += taken;
      const size = measure(held, 0, this.#heldLength);
      if (this.#heldLength < held.length) {
        this.#input = undefined;
        return undefined;
      }
      if (size === held.length) {
        this.#held = undefined;
        this.#heldLength = 0;
        return parse(held, 0, size);
      }
      const whole = new Uint8Array(size);
      whole.set(held);
      this.#held = held = whole;
    }
  }
}

/**
 * Checks as much of a header as has arrived, in the order magic, version, type, length, so that a stream gets the
 * same verdict in one piece and byte by byte.
 *
 * @returns the size of the frame, or 0 while its length is not known yet
 */
function measure(bytes: Uint8Array, offset: number, available: number): number {
  if (available < 1) return 0;
  if (bytes[offset] !== MAGIC_LOW) throw new MagicError('bad_magic');
  if (available < 2) return 0;
  if (bytes[offset + 1] !== MAGIC_HIGH) throw new MagicError('bad_magic');
  if (available < 3) return 0;
  // The one place that tells protocol versions apart: a version 3 would branch off here.
  if (bytes[offset + 2] !== VERSION) throw versionError(bytes[offset + 2]);
  if (available < 4) return 0;
  const type = bytes[offset + 3];
  if (!NAMES.has(type)) throw new FrameError('bad_type', `unknown frame type ${frameTypeName(type)}`);
  if (available < CHECKED_HEADER_LENGTH) return 0;
  const length = readUint16(bytes, offset + 8);
  if (length > MAX_PAYLOAD) {
    throw new PayloadError(
      'bad_length',
      `a ${frameTypeName(type)} frame announces ${length} bytes, at most ${MAX_PAYLOAD}`,
    );
  }
  return available < HEADER_LENGTH ? 0 : HEADER_LENGTH + length;
}

function parse(bytes: Uint8Array, offset: number, size: number): Frame {
  const type = bytes[offset + 3] as FrameType;
  if (!isHandshakeType(type) && !checksumFits(bytes, offset, size)) throw new CRCError('bad_crc');
  return new Frame(bytes.subarray(offset, offset + size));
}

/** Whether a frame of `size` bytes has the checksum that it announces (§2.2). */
export function checksumFits(bytes: Uint8Array, offset = 0, size = bytes.length): boolean {
  const announced = readUint16(bytes, offset + CHECKED_HEADER_LENGTH);
  return announced === checksum(bytes, offset, size - HEADER_LENGTH);
}

/** The checksum of a frame whose payload has `length` bytes (§2.2). */
export function checksum(bytes: Uint8Array, offset: number, length: number): number {
  const header = crc16(bytes, offset, offset + CHECKED_HEADER_LENGTH);
  return crc16(bytes, offset + HEADER_LENGTH, offset + HEADER_LENGTH + length, header);
}

function versionError(version: number): VersionError {
  if (version === 1) return new VersionError('version_1');
  return new VersionError(
    'unsupported_version',
    `the peer speaks protocol version ${version}, we speak ${VERSION}`,
  );
}
