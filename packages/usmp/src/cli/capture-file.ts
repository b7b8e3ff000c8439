/**
 * Capture files: classic pcap and pcapng, as tcpdump and Wireshark write them, in any byte order. Read as a stream;
 * at most one packet is held. A file may be cut off, damaged or made to do harm.
 *
 * @module
 */

import type { ByteSource } from './byte-source.js';
import { UsageError } from './exit-codes.js';

/** A packet as it was captured. */
export interface Packet {
  /** Nanoseconds since 1970; undefined where the file does not say. */
  readonly time: bigint | undefined;
  /** What the packet begins with: a LINKTYPE_ number of tcpdump.org. */
  readonly linkType: number;
  /** Valid until the next packet is asked for. */
  readonly data: Uint8Array;
  /** Bytes of the packet that the capture left out. */
  readonly missing: number;
}

/** The largest packet taken, in bytes: twice what the largest "big TCP" packets of Linux have. */
const MAX_PACKET = 1_048_576;

/** Interfaces of one section of a pcapng file. */
const MAX_INTERFACES = 4_096;

/** Bytes in front of the packets. */
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

/** By the four bytes that a file begins with, read as big-endian: whether it is little-endian, and its clock. */
const PCAP_FORMATS = new Map([
  [0xa1b2c3d4, { littleEndian: false, nanosecondsPerTick: 1_000n }],
  [0xd4c3b2a1, { littleEndian: true, nanosecondsPerTick: 1_000n }],
  [0xa1b23c4d, { littleEndian: false, nanosecondsPerTick: 1n }],
  [0x4d3cb2a1, { littleEndian: true, nanosecondsPerTick: 1n }],
]);

/** Types of pcapng blocks. */
const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

/** In a section header: tells the byte order. */
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Type and length in front of a block, the length again behind it. */
const BLOCK_HEADER = 8;
const TRAILER = 4;
const BLOCK_OVERHEAD = BLOCK_HEADER + TRAILER;

/** Options of an interface. */
const OPTION_RESOLUTION = 9;
const OPTION_OFFSET = 14;

const NANOSECONDS = 1_000_000_000n;

/** Whether a file that begins with these four bytes is a capture. */
export function isCapture(start: Uint8Array): boolean {
  if (start.length < 4) return false;
  const magic = view(start).getUint32(0);
  return magic === SECTION || PCAP_FORMATS.has(magic);
}

/**
 * The packets of a capture file, as they are read.
 *
 * @param name of the file, for errors
 * @throws {UsageError} the file is damaged or cut off; what came before has been yielded
 */
export async function* readCapture(source: ByteSource, name: string): AsyncGenerator<Packet, void> {
  const magic = view(await source.peek(4)).getUint32(0);
  const format = PCAP_FORMATS.get(magic);
  if (format === undefined) yield* new PcapngReader(source, name).packets();
  else yield* readPcap(source, name, format);
}

async function* readPcap(
  source: ByteSource,
  name: string,
  { littleEndian, nanosecondsPerTick }: { littleEndian: boolean; nanosecondsPerTick: bigint },
): AsyncGenerator<Packet, void> {
  const header = view(await whole(source, FILE_HEADER, name));
  // The upper half of the field says how the link ends its frames.
  const linkType = header.getUint32(20, littleEndian) & 0xffff;
  while ((await source.peek(1)).length > 0) {
    const start = source.offset;
    const record = view(await whole(source, RECORD_HEADER, name));
    const seconds = BigInt(record.getUint32(0, littleEndian));
    const ticks = BigInt(record.getUint32(4, littleEndian));
    const captured = record.getUint32(8, littleEndian);
    const original = record.getUint32(12, littleEndian);
    if (captured > MAX_PACKET) throw damaged(name, start, `a packet of ${captured} bytes`);
    const data = await whole(source, captured, name);
    const time = seconds * NANOSECONDS + ticks * nanosecondsPerTick;
    yield { time, linkType, data, missing: Math.max(0, original - captured) };
  }
}

/** What an interface of a pcapng file says about its packets. */
interface Interface {
  readonly linkType: number;
  /** Bytes kept of each packet; 0 is all. */
  readonly snapLength: number;
  readonly ticksPerSecond: bigint;
  /** Added to the time of each packet, in seconds. */
  readonly offset: bigint;
}

class PcapngReader {
  readonly #source: ByteSource;
  readonly #name: string;
  #littleEndian = false;
  #interfaces: Interface[] = [];
  /** Where the present block begins. */
  #start = 0;

  constructor(source: ByteSource, name: string) {
    this.#source = source;
    this.#name = name;
  }

  async *packets(): AsyncGenerator<Packet, void> {
    while ((await this.#source.peek(1)).length > 0) {
      const packet = await this.#readBlock();
      if (packet !== undefined) yield packet;
    }
  }

  /** One block; the packet in it, if it is one that holds a packet. */
  async #readBlock(): Promise<Packet | undefined> {
    this.#start = this.#source.offset;
    const header = view(await whole(this.#source, BLOCK_HEADER, this.#name));
    // The type of a section reads the same in both byte orders; what follows tells the order of all the rest.
    const isSection = header.getUint32(0) === SECTION;
    const lengthBytes = header.getUint32(4);
    if (isSection) await this.#readByteOrder();
    const type = isSection ? SECTION : this.#reorder(header.getUint32(0));
    const length = this.#reorder(lengthBytes);
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) throw this.#damaged(`a block of ${length} bytes`);

    const bodyLength = length - BLOCK_OVERHEAD;
    if (!READ_BLOCKS.has(type)) {
      if ((await this.#source.skip(bodyLength)) < bodyLength) throw cutOff(this.#name, this.#source.offset);
      this.#checkTrailer(await whole(this.#source, TRAILER, this.#name), length);
      return undefined;
    }
    if (bodyLength > MAX_PACKET) throw this.#damaged(`a block of ${length} bytes`);
    const bytes = await whole(this.#source, bodyLength + TRAILER, this.#name);
    this.#checkTrailer(bytes.subarray(bodyLength), length);
    return this.#parseBody(type, bytes.subarray(0, bodyLength));
  }

  #checkTrailer(trailer: Uint8Array, length: number): void {
    if (view(trailer).getUint32(0, this.#littleEndian) === length) return;
    throw this.#damaged('a block that ends with another length than it begins with');
  }

  async #readByteOrder(): Promise<void> {
    const bytes = view(await this.#source.peek(4));
    if (bytes.byteLength < 4) throw cutOff(this.#name, this.#source.offset + bytes.byteLength);
    if (bytes.getUint32(0) === BYTE_ORDER_MAGIC) this.#littleEndian = false;
    else if (bytes.getUint32(0, true) === BYTE_ORDER_MAGIC) this.#littleEndian = true;
    else throw this.#damaged('a section whose byte order is none');
  }

  #parseBody(type: number, body: Uint8Array): Packet | undefined {
    switch (type) {
      case SECTION:
        this.#interfaces = [];
        return undefined;
      case INTERFACE:
        this.#addInterface(body);
        return undefined;
      case SIMPLE_PACKET:
        return this.#simplePacket(body);
      default:
        return this.#enhancedPacket(body);
    }
  }

  #addInterface(body: Uint8Array): void {
    if (body.length < 8) throw this.#damaged('an interface of too few bytes');
    if (this.#interfaces.length === MAX_INTERFACES) throw this.#damaged(`over ${MAX_INTERFACES} interfaces`);
    const fields = view(body);
    let ticksPerSecond = 1_000_000n;
    let offset = 0n;
    for (const [code, value] of this.#options(body.subarray(8))) {
      if (code === OPTION_RESOLUTION && value.length >= 1) {
        const exponent = BigInt(value[0] & 0x7f);
        ticksPerSecond = (value[0] & 0x80) === 0 ? 10n ** exponent : 2n ** exponent;
      }
      if (code === OPTION_OFFSET && value.length >= 8) {
        offset = view(value).getBigInt64(0, this.#littleEndian);
      }
    }
    this.#interfaces.push({
      linkType: fields.getUint16(0, this.#littleEndian),
      snapLength: fields.getUint32(4, this.#littleEndian),
      ticksPerSecond,
      offset,
    });
  }

  *#options(bytes: Uint8Array): Generator<[code: number, value: Uint8Array]> {
    const fields = view(bytes);
    for (let at = 0; at + 4 <= bytes.length; ) {
      const code = fields.getUint16(at, this.#littleEndian);
      const length = fields.getUint16(at + 2, this.#littleEndian);
      if (code === 0 || at + 4 + length > bytes.length) return;
      yield [code, bytes.subarray(at + 4, at + 4 + length)];
      at += 4 + Math.ceil(length / 4) * 4;
    }
  }

  #simplePacket(body: Uint8Array): Packet {
    const from = this.#interfaces[0];
    if (from === undefined) throw this.#damaged('a packet before its interface');
    if (body.length < 4) throw this.#damaged('a packet of too few bytes');
    const original = view(body).getUint32(0, this.#littleEndian);
    const snapped = from.snapLength === 0 ? original : Math.min(original, from.snapLength);
    const data = body.subarray(4, 4 + snapped);
    return { time: undefined, linkType: from.linkType, data, missing: original - data.length };
  }

  #enhancedPacket(body: Uint8Array): Packet {
    if (body.length < 20) throw this.#damaged('a packet of too few bytes');
    const fields = view(body);
    const from = this.#interfaces[fields.getUint32(0, this.#littleEndian)];
    if (from === undefined) throw this.#damaged('a packet of an interface that is not described');
    const high = BigInt(fields.getUint32(4, this.#littleEndian));
    const low = BigInt(fields.getUint32(8, this.#littleEndian));
    const captured = fields.getUint32(12, this.#littleEndian);
    const original = fields.getUint32(16, this.#littleEndian);
    if (captured > body.length - 20) throw this.#damaged(`a packet of ${captured} bytes`);
    const ticks = (high << 32n) | low;
    const time = from.offset * NANOSECONDS + (ticks * NANOSECONDS) / from.ticksPerSecond;
    const data = body.subarray(20, 20 + captured);
    return { time, linkType: from.linkType, data, missing: Math.max(0, original - captured) };
  }

  /** A number that was read as big-endian, in the byte order of the section. */
  #reorder(value: number): number {
    if (!this.#littleEndian) return value;
    REORDER.setUint32(0, value);
    return REORDER.getUint32(0, true);
  }

  #damaged(what: string): UsageError {
    return damaged(this.#name, this.#start, what);
  }
}

const READ_BLOCKS: ReadonlySet<number> = new Set([SECTION, INTERFACE, SIMPLE_PACKET, ENHANCED_PACKET]);
const REORDER = new DataView(new ArrayBuffer(4));

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function whole(source: ByteSource, count: number, name: string): Promise<Uint8Array> {
  const bytes = await source.take(count);
  if (bytes.length < count) throw cutOff(name, source.offset);
  return bytes;
}

function cutOff(name: string, size: number): UsageError {
  return new UsageError(`${name} ends in the middle of a packet, after ${size} bytes: capture again`);
}

function damaged(name: string, offset: number, what: string): UsageError {
  return new UsageError(`${name} is damaged: ${what} at byte ${offset}`);
}
