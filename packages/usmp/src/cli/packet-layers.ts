/**
 * From a captured packet to what UDP or TCP carries in it: link layer, VLAN tags, IPv4, IPv6. Everything is bounded by
 * what was captured; what does not fit is not UDP or TCP.
 *
 * @module
 */

import type { Packet } from './capture-file.js';

/** One end of a conversation. */
export class Endpoint {
  readonly #address: Uint8Array;
  readonly #port: Uint8Array;

  constructor(address: Uint8Array, port: Uint8Array) {
    this.#address = address;
    this.#port = port;
  }

  get port(): number {
    return uint16(this.#port, 0);
  }

  /** Short, and different for each end. */
  get key(): string {
    return Buffer.concat([this.#address, this.#port]).toString('latin1');
  }

  /** Such as `127.0.0.1:9000` or `[::1]:9000`. */
  toString(): string {
    const address = this.#address;
    if (address.length === 4) return `${address.join('.')}:${this.port}`;
    const groups = Array.from({ length: 8 }, (_, i) => uint16(address, 2 * i).toString(16));
    return `${new URL(`http://[${groups.join(':')}]`).hostname}:${this.port}`;
  }
}

interface Carried {
  readonly source: Endpoint;
  readonly target: Endpoint;
  /** A view of the packet. */
  readonly payload: Uint8Array;
  /** Bytes of the payload that were not captured. */
  readonly missing: number;
}

export interface Datagram extends Carried {
  readonly protocol: 'udp';
  /** The rest is in fragments of its own. */
  readonly fragmented: boolean;
}

export interface Segment extends Carried {
  readonly protocol: 'tcp';
  readonly seq: number;
  readonly syn: boolean;
  readonly fin: boolean;
}

/** What a packet is. */
export type Layers =
  | Datagram
  | Segment
  /** A fragment of an IP packet that is not the first. */
  | { readonly protocol: 'fragment' }
  /** Neither UDP nor TCP, or too short for what it says. */
  | { readonly protocol: 'other' }
  /** Of a link that is not known here. */
  | { readonly protocol: 'unknown-link' };

const FRAGMENT: Layers = { protocol: 'fragment' };
const OTHER: Layers = { protocol: 'other' };
const UNKNOWN_LINK: Layers = { protocol: 'unknown-link' };

/** Link types (tcpdump.org): where the type of the packet stands, and where the packet begins. */
const LINKS_WITH_ETHERTYPE = new Map([
  [1, { typeAt: 12, packetAt: 14 }], // Ethernet
  [113, { typeAt: 14, packetAt: 16 }], // Linux cooked
  [276, { typeAt: 0, packetAt: 20 }], // Linux cooked, version 2
]);

/** Links whose packets are IP of either version, with bytes of their own in front of it. */
const LINKS_OF_IP = new Map([
  [0, 4], // BSD loopback: an address family, whose number differs from system to system
  [108, 4], // OpenBSD loopback
  [12, 0], // raw IP, under the numbers that systems had before it got its own
  [14, 0],
  [101, 0], // raw IP
  [228, 0], // raw IPv4
  [229, 0], // raw IPv6
]);

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** 802.1Q, 802.1ad, and what stood for the latter before it. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);

const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

/** IPv6 extension headers that are stepped over: hop-by-hop, routing, destination options. */
const SKIPPED_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT_EXTENSION = 44;

const UDP_HEADER = 8;
const TCP_HEADER = 20;

/** What a packet carries. */
export function layersOf({ data, linkType, missing }: Packet): Layers {
  const inFront = LINKS_OF_IP.get(linkType);
  if (inFront !== undefined) return ip(data.subarray(inFront), missing);
  const link = LINKS_WITH_ETHERTYPE.get(linkType);
  if (link === undefined) return UNKNOWN_LINK;
  let type = uint16(data, link.typeAt);
  let start = link.packetAt;
  while (VLAN_TAGS.has(type) && start + 4 <= data.length) {
    type = uint16(data, start + 2);
    start += 4;
  }
  if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) return OTHER;
  return ip(data.subarray(start), missing);
}

/** What stands between the addresses of a packet. */
interface IPPacket {
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly payload: Uint8Array;
  readonly missing: number;
  readonly fragmented: boolean;
}

function ip(packet: Uint8Array, missing: number): Layers {
  switch (packet[0] >>> 4) {
    case 4:
      return ipv4(packet, missing);
    case 6:
      return ipv6(packet, missing);
    default:
      return OTHER;
  }
}

function ipv4(packet: Uint8Array, missing: number): Layers {
  const headerLength = (packet[0] & 0x0f) * 4;
  if (packet.length < 20 || headerLength < 20) return OTHER;
  const rest = cut(packet, headerLength, uint16(packet, 2), missing);
  if (rest === undefined) return OTHER;
  const fragment = uint16(packet, 6);
  if ((fragment & 0x1fff) !== 0) return FRAGMENT;
  return transport({
    protocol: packet[9],
    source: packet.subarray(12, 16),
    target: packet.subarray(16, 20),
    fragmented: (fragment & 0x2000) !== 0,
    ...rest,
  });
}

function ipv6(packet: Uint8Array, missing: number): Layers {
  const length = uint16(packet, 4);
  const rest = cut(packet, 40, length === 0 ? 0 : 40 + length, missing);
  if (rest === undefined) return OTHER;
  let { payload } = rest;
  let protocol = packet[6];
  let fragmented = false;
  for (;;) {
    let size: number;
    if (protocol === FRAGMENT_EXTENSION) {
      const fragment = uint16(payload, 2);
      if ((fragment & 0xfff8) !== 0) return FRAGMENT;
      fragmented ||= (fragment & 0x0001) !== 0;
      size = 8;
    } else if (SKIPPED_EXTENSIONS.has(protocol)) size = 8 * (payload[1] + 1);
    else break;
    if (!(size <= payload.length)) return OTHER;
    protocol = payload[0];
    payload = payload.subarray(size);
  }
  const [source, target] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  return transport({ protocol, source, target, payload, missing: rest.missing, fragmented });
}

/**
 * What follows a header, without the padding of the link.
 *
 * @param total bytes of the packet with its header as it says itself; 0 where the network card was to fill it in, or
 * where 16 bits are too few
 */
function cut(
  packet: Uint8Array,
  headerLength: number,
  total: number,
  missing: number,
): Pick<IPPacket, 'payload' | 'missing'> | undefined {
  if (packet.length < headerLength || (total !== 0 && total < headerLength)) return undefined;
  const end = total === 0 ? packet.length + missing : Math.min(total, packet.length + missing);
  return {
    payload: packet.subarray(headerLength, end),
    missing: Math.max(0, end - packet.length),
  };
}

function transport(packet: IPPacket): Layers {
  switch (packet.protocol) {
    case PROTOCOL_UDP:
      return udp(packet);
    case PROTOCOL_TCP:
      return tcp(packet);
    default:
      return OTHER;
  }
}

function udp(packet: IPPacket): Layers {
  const { payload: bytes, missing, fragmented } = packet;
  if (bytes.length < UDP_HEADER) return OTHER;
  const said = uint16(bytes, 4);
  const there = bytes.length + missing;
  if (said !== 0 && said < UDP_HEADER) return OTHER;
  const length = said === 0 ? there : said;
  const payload = bytes.subarray(UDP_HEADER, length);
  return {
    protocol: 'udp',
    ...ends(packet),
    payload,
    missing: length - UDP_HEADER - payload.length,
    fragmented,
  };
}

function tcp(packet: IPPacket): Layers {
  const { payload: bytes, missing, fragmented } = packet;
  const headerLength = (bytes[12] >>> 4) * 4;
  if (bytes.length < TCP_HEADER || headerLength < TCP_HEADER || headerLength > bytes.length) return OTHER;
  if (fragmented) return FRAGMENT;
  const flags = bytes[13];
  return {
    protocol: 'tcp',
    ...ends(packet),
    payload: bytes.subarray(headerLength),
    missing,
    seq: ((bytes[4] << 24) | (bytes[5] << 16) | (bytes[6] << 8) | bytes[7]) >>> 0,
    syn: (flags & 0x02) !== 0,
    fin: (flags & 0x01) !== 0,
  };
}

/** The ports stand in the first four bytes of UDP and TCP alike. */
function ends({ source, target, payload }: IPPacket): { source: Endpoint; target: Endpoint } {
  return {
    source: new Endpoint(source, payload.subarray(0, 2)),
    target: new Endpoint(target, payload.subarray(2, 4)),
  };
}

/** In network byte order. Behind the end it is no number that anything is compared with. */
function uint16(bytes: Uint8Array, offset: number): number {
  return offset + 2 <= bytes.length ? (bytes[offset] << 8) | bytes[offset + 1] : Number.NaN;
}
