/**
 * What a stranger on the path can read of a datagram (spec/protocol.md §9), and which datagrams belong together: the
 * transmissions of one frame and those of its UTACKs are one exchange.
 *
 * @module
 */

/** Which way a datagram goes. */
export type Direction = 'to-server' | 'to-client';

export const DIRECTIONS: readonly Direction[] = ['to-server', 'to-client'];

export interface Reading {
  /** `other` where it is neither; type and seq are -1 then. Of a UTACK they are those of the frame. */
  readonly kind: 'frame' | 'utack' | 'other';
  readonly type: number;
  readonly seq: number;
}

/** One frame and its UTACKs, over all transmissions. */
export interface Exchange {
  /** Counts the frames of this flow, direction, type and number: keys change, and numbers begin anew. */
  readonly generation: number;
  /** Transmissions of the frame so far. */
  frames: number;
  /** Transmissions of UTACKs so far. */
  utacks: number;
  /** How many of all these were kept from arriving. */
  losses: number;
}

const HEADER_LENGTH = 12;
const UTACK_LENGTHS: readonly number[] = [7, 15];

/** More than can be under way, so that whatever is forgotten is over. */
const EXCHANGES_KEPT = 4_096;

/** Reads a datagram without judging it. */
export function read(datagram: Uint8Array): Reading {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  if (UTACK_LENGTHS.includes(datagram.length) && view.getUint16(0) === 0xacac) {
    return { kind: 'utack', type: datagram[2]!, seq: view.getUint32(3, true) };
  }
  if (datagram.length >= HEADER_LENGTH && view.getUint16(0) === 0xcdab) {
    return { kind: 'frame', type: datagram[3]!, seq: view.getUint32(4, true) };
  }
  return { kind: 'other', type: -1, seq: -1 };
}

/** Finds the exchange that a datagram is part of. One for each pair of peers. */
export class Exchanges {
  readonly #known = new Map<string, Exchange & { datagram?: Uint8Array }>();

  /** The exchange, in which this transmission has been counted. */
  count(datagram: Uint8Array, direction: Direction, { kind, type, seq }: Reading): Exchange {
    // A UTACK goes against the direction of its frame.
    const sender = (direction === 'to-server') === (kind !== 'utack') ? 'client' : 'server';
    const key = `${sender} ${type} ${seq}`;
    let exchange = this.#known.get(key);
    // A frame is repeated byte by byte; another one under the same number is sealed with other keys.
    const renewed =
      kind !== 'utack' && exchange?.datagram !== undefined && !equal(exchange.datagram, datagram);
    if (exchange === undefined || renewed) {
      exchange = { generation: (exchange?.generation ?? -1) + 1, frames: 0, utacks: 0, losses: 0 };
      this.#known.delete(key);
      this.#known.set(key, exchange);
      if (this.#known.size > EXCHANGES_KEPT) this.#known.delete(this.#known.keys().next().value!);
    }
    if (kind === 'utack') exchange.utacks++;
    else {
      exchange.datagram = datagram;
      exchange.frames++;
    }
    return exchange;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
