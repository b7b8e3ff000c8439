/** Builds capture files and the packets in them. */

import { createHash } from 'node:crypto';

/** One end: an address in bytes, and a port. */
export interface End {
  readonly address: readonly number[];
  readonly port: number;
}

export const CLIENT: End = { address: [10, 0, 0, 2], port: 40_000 };
export const SERVER: End = { address: [10, 0, 0, 1], port: 9_000 };
const PREFIX_6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
export const CLIENT_6: End = { address: [...PREFIX_6, 2], port: 40_000 };
export const SERVER_6: End = { address: [...PREFIX_6, 1], port: 9_000 };

export const LINK = { null: 0, ethernet: 1, raw: 101, loop: 108, sll: 113, ipv4: 228, ipv6: 229, sll2: 276 };

export interface CapturedPacket {
  readonly data: Uint8Array;
  /** Nanoseconds. */
  readonly time?: bigint;
  /** Bytes before the capture cut it. */
  readonly original?: number;
}

interface Format {
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
  readonly linkType?: number;
}

/** A classic pcap file. */
export function pcap(packets: readonly CapturedPacket[], format: Format = {}): Buffer {
  const { littleEndian = true, nanoseconds = false, linkType = LINK.ethernet } = format;
  const n = numbers(littleEndian);
  const header = [n.u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), n.u16(2), n.u16(4), n.u32(0), n.u32(0)];
  const parts: Uint8Array[] = [...header, n.u32(262_144), n.u32(linkType)];
  for (const { data, time = 0n, original = data.length } of packets) {
    const fraction = Number(time % 1_000_000_000n);
    const ticks = nanoseconds ? fraction : Math.floor(fraction / 1_000);
    parts.push(n.u32(Number(time / 1_000_000_000n)), n.u32(ticks), n.u32(data.length), n.u32(original), data);
  }
  return Buffer.concat(parts);
}

/** Blocks of pcapng in one byte order. */
export function pcapngBlocks(littleEndian = true) {
  const n = numbers(littleEndian);
  const block = (type: number, ...parts: Uint8Array[]) => {
    const body = padded(Buffer.concat(parts));
    const length = n.u32(body.length + 12);
    return Buffer.concat([n.u32(type), length, body, length]);
  };
  const option = (code: number, value: Uint8Array) =>
    Buffer.concat([n.u16(code), n.u16(value.length), padded(value)]);
  return {
    block,
    section: () => block(0x0a0d0d0a, n.u32(0x1a2b3c4d), n.u16(1), n.u16(0), Buffer.alloc(8, 0xff)),
    interface: ({ linkType = LINK.ethernet, snapLength = 0, resolution = 6, offset = 0n } = {}) =>
      block(
        1,
        n.u16(linkType),
        n.u16(0),
        n.u32(snapLength),
        option(2, Buffer.from('lo0')),
        option(9, Uint8Array.of(resolution)),
        option(14, n.u64(offset)),
        option(0, new Uint8Array(0)),
      ),
    /** `ticks` of the interface's clock. */
    enhanced: (data: Uint8Array, ticks: bigint, number = 0, original = data.length) =>
      block(
        6,
        n.u32(number),
        n.u32(Number(ticks >> 32n)),
        n.u32(Number(ticks & 0xffffffffn)),
        n.u32(data.length),
        n.u32(original),
        padded(data),
      ),
    simple: (data: Uint8Array, original = data.length) => block(3, n.u32(original), padded(data)),
  };
}

/** Ethernet, with VLAN tags of the given types. */
export function ethernet(packet: Uint8Array, tags: readonly number[] = []): Buffer {
  const n = numbers(false);
  const type = packet[0]! >>> 4 === 6 ? 0x86dd : 0x0800;
  const tagged = tags.flatMap((tag) => [n.u16(tag), n.u16(7)]);
  const frame = Buffer.concat([Buffer.alloc(12, 2), ...tagged, n.u16(type), packet]);
  // Short frames are padded on the wire.
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length), 0xcd)]);
}

interface IPv4Options {
  readonly options?: Uint8Array;
  readonly moreFragments?: boolean;
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number;
  readonly totalLength?: number;
}

export function ipv4(protocol: number, from: End, to: End, payload: Uint8Array, o: IPv4Options = {}): Buffer {
  const { options = new Uint8Array(0), moreFragments = false, fragmentOffset = 0 } = o;
  const n = numbers(false);
  const words = 5 + options.length / 4;
  const { totalLength = words * 4 + payload.length } = o;
  const fragment = n.u16((moreFragments ? 0x2000 : 0) | fragmentOffset);
  const front = [Uint8Array.of(0x40 | words, 0), n.u16(totalLength), n.u16(1), fragment];
  const rest = [
    Uint8Array.of(64, protocol),
    n.u16(0),
    Uint8Array.from(from.address),
    Uint8Array.from(to.address),
  ];
  return Buffer.concat([...front, ...rest, options, payload]);
}

/** With extension headers: `[type, body]`, where `body` has 8 bytes or a multiple and its first one is filled in. */
export function ipv6(
  protocol: number,
  from: End,
  to: End,
  payload: Uint8Array,
  extensions: readonly (readonly [number, Uint8Array])[] = [],
): Buffer {
  const n = numbers(false);
  const bodies = extensions.map(([, body], i) => {
    const next = extensions[i + 1]?.[0] ?? protocol;
    return Buffer.concat([Uint8Array.of(next), body.subarray(1)]);
  });
  const rest = Buffer.concat([...bodies, payload]);
  const first = extensions[0]?.[0] ?? protocol;
  const addresses = [Uint8Array.from(from.address), Uint8Array.from(to.address)];
  return Buffer.concat([n.u32(0x60000000), n.u16(rest.length), Uint8Array.of(first, 64), ...addresses, rest]);
}

export const UDP = 17;
export const TCP = 6;

/** The header and what it carries. */
export function udp(from: End, to: End, payload: Uint8Array, length = 8 + payload.length): Buffer {
  const n = numbers(false);
  return Buffer.concat([n.u16(from.port), n.u16(to.port), n.u16(length), n.u16(0), payload]);
}

interface TCPFlags {
  readonly syn?: boolean;
  readonly fin?: boolean;
}

export function tcp(from: End, to: End, seq: number, payload: Uint8Array, flags: TCPFlags = {}): Buffer {
  const n = numbers(false);
  const bits = 0x10 | (flags.syn ? 0x02 : 0) | (flags.fin ? 0x01 : 0);
  const options = Uint8Array.of(1, 1, 1, 1);
  const ports = [n.u16(from.port), n.u16(to.port), n.u32(seq >>> 0), n.u32(0)];
  return Buffer.concat([...ports, Uint8Array.of(0x60, bits), n.u16(1_000), n.u32(0), options, payload]);
}

/** Ethernet, IPv4, UDP. */
export function udpPacket(from: End, to: End, payload: Uint8Array): Buffer {
  return ethernet(ipv4(UDP, from, to, udp(from, to, payload)));
}

/** Ethernet, IPv4, TCP. */
export function tcpPacket(from: End, to: End, seq: number, payload: Uint8Array, flags?: TCPFlags): Buffer {
  return ethernet(ipv4(TCP, from, to, tcp(from, to, seq, payload, flags)));
}

/** Bytes that look random and are the same each time. */
export function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) blocks.push(createHash('sha256').update(`${seed} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

function numbers(littleEndian: boolean) {
  const write = (size: number, set: (view: DataView) => void) => {
    const bytes = new Uint8Array(size);
    set(new DataView(bytes.buffer));
    return bytes;
  };
  return {
    u16: (value: number) => write(2, (view) => view.setUint16(0, value, littleEndian)),
    u32: (value: number) => write(4, (view) => view.setUint32(0, value, littleEndian)),
    u64: (value: bigint) => write(8, (view) => view.setBigInt64(0, value, littleEndian)),
  };
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
