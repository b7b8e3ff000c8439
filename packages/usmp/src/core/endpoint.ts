/**
 * A socket for datagrams as many peers see it: which datagram is for whom, and who may begin a handshake. Before a
 * source has shown that it can be reached there, by sending back a cookie, nothing is kept about it but a bounded count
 * (spec/protocol.md §9.2), and it gets no more bytes than it has sent.
 *
 * @module
 */

import { ascii, copyOf, readUint32, sameBytes } from './bytes.js';
import type { Farewell } from './connection.js';
import type { CryptoProvider } from './crypto.js';
import { VersionError } from './errors.js';
import {
  encodeFrame,
  FrameType,
  isHandshakeType,
  MAGIC_HIGH,
  MAGIC_LOW,
  parseDatagram,
  VERSION,
} from './frame.js';
import { DEVICE_ID_LENGTH, HELLO_LENGTH } from './handshake.js';
import {
  COOKIE_ADDRESSES,
  COOKIE_BURST,
  COOKIE_LENGTH,
  COOKIE_PERIOD,
  COOKIE_RATE,
  DEPARTED_PEERS,
  FAREWELL_TIME,
  HEADER_LENGTH,
  STRAY_REPORTS,
  TURNED_AWAY_TIME,
} from './limits.js';
import { ReportLimit, TokenBucket } from './rate-limit.js';
import { isUtack, parseUtack, utackHeader } from './utack.js';

/** Where a datagram came from. */
export interface Source {
  /** Address and port in one text, which no other source has. */
  readonly id: string;
  /** What limits count by. */
  readonly limitKey: string;
}

/** What the owner keeps for one peer. */
export interface EndpointPeer {
  /** The handshake is done, also when the session is over. */
  readonly authenticated: boolean;
  handleDatagram(datagram: Uint8Array): void;
  /** Another peer has authenticated from the same source: there is nothing left to hear. */
  handleDisplaced(): void;
}

/** What is to be done about a datagram that is for no peer yet. */
export type Verdict =
  /** Nothing. */
  | undefined
  /** Send these back. */
  | { readonly type: 'answer'; readonly datagrams: readonly Uint8Array[] }
  /** A handshake begins: make a peer, hand it to `add`, and give it the datagram. */
  | { readonly type: 'begin'; readonly hello: Uint8Array }
  /** A device that cannot be served, worth a report. */
  | { readonly type: 'stray'; readonly error: VersionError };

/** A source's peers: at most one that is open and one that tries to follow it. */
interface Entry<Peer> {
  peer: Peer;
  /** The first bytes of the public key that it began with: a HELLO with the same is a repeat. */
  readonly tag: number;
  /** The one before, until `peer` has authenticated. */
  previous: Entry<Peer> | undefined;
}

/** All peers of one socket that accepts handshakes. */
export class Endpoint<Peer extends EndpointPeer> {
  readonly #cookies: CookieJar;
  /** A cookie is good for any number of handshakes as long as it is valid; each costs a key pair and a look-up. */
  readonly #beginnings = new AddressLimit();
  readonly #entries = new Map<string, Entry<Peer>>();
  readonly #departed = new Departed();
  readonly #reports = new ReportLimit(STRAY_REPORTS);

  constructor(crypto: CryptoProvider) {
    this.#cookies = new CookieJar(crypto);
  }

  /** Takes a datagram: hands it to its peer, or says what is to be done. */
  handleDatagram(datagram: Uint8Array, source: Source, now: number): Verdict {
    const entry = this.#entries.get(source.id);
    const type = typeOf(datagram);
    if (type === undefined) return undefined;
    if (type === FrameType.HELLO && !isUtack(datagram)) return this.#onHello(datagram, source, entry, now);
    if (entry === undefined) return this.#departed.answer(datagram, source.id, now);
    this.#route(datagram, type, entry);
    return undefined;
  }

  /** Takes the peer that a `begin` has asked for. One that had not authenticated from the same source is displaced. */
  add(source: Source, hello: Uint8Array, peer: Peer): void {
    const before = this.#entries.get(source.id);
    const displaced = before?.peer.authenticated ? before.previous : before;
    const previous = before?.peer.authenticated ? before : before?.previous;
    if (before !== undefined) before.previous = undefined;
    this.#entries.set(source.id, { peer, tag: tagOf(hello), previous });
    displaced?.peer.handleDisplaced();
  }

  /** Forgets a peer that is gone. With a farewell its source is still answered for a while. */
  remove(id: string, peer: Peer, farewell: Farewell | undefined, now: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (entry.peer === peer) {
      if (entry.previous === undefined) this.#entries.delete(id);
      else this.#entries.set(id, entry.previous);
      if (farewell !== undefined) this.#departed.add(id, { farewell, until: now + FAREWELL_TIME });
      else if (!peer.authenticated) this.#departed.add(id, { tag: entry.tag, until: now + TURNED_AWAY_TIME });
    } else if (entry.previous?.peer === peer) {
      entry.previous = undefined;
    }
  }

  /** All peers. */
  *peers(): Iterable<Peer> {
    for (const { peer, previous } of [...this.#entries.values()]) {
      yield peer;
      if (previous !== undefined) yield previous.peer;
    }
  }

  /** While a new handshake is under way beside a session, the session gets its frames. */
  #route(datagram: Uint8Array, type: number, entry: Entry<Peer>): void {
    const { peer, previous } = entry;
    if (previous !== undefined) {
      if (!peer.authenticated) return (isHandshakeType(type) ? peer : previous.peer).handleDatagram(datagram);
      entry.previous = undefined;
      previous.peer.handleDisplaced();
    }
    peer.handleDatagram(datagram);
  }

  #onHello(datagram: Uint8Array, source: Source, entry: Entry<Peer> | undefined, now: number): Verdict {
    try {
      parseDatagram(datagram);
    } catch (error) {
      if (!(error instanceof VersionError) || error.code !== 'version_1') return undefined;
      if (!this.#reports.take(now)) return undefined;
      return { type: 'stray', error };
    }
    const length = datagram.length - HEADER_LENGTH;
    if (length === HELLO_LENGTH) return this.#cookies.hand(datagram, source, now);
    if (length !== HELLO_LENGTH + COOKIE_LENGTH) return undefined;
    const tag = tagOf(datagram);
    const repeated = entry?.tag === tag ? entry : entry?.previous?.tag === tag ? entry.previous : undefined;
    if (repeated !== undefined) {
      repeated.peer.handleDatagram(datagram);
      return undefined;
    }
    // Whoever was turned away repeats its HELLO, because it has heard nothing.
    if (this.#departed.find(source.id, now)?.tag === tag) return undefined;
    const cookie = datagram.subarray(HEADER_LENGTH + HELLO_LENGTH);
    if (!this.#cookies.accepts(cookie, source, now) || !this.#beginnings.take(source.limitKey, now)) {
      return undefined;
    }
    return { type: 'begin', hello: datagram };
  }
}

/** Makes cookies and knows them again, without remembering any (§9.2). */
class CookieJar {
  readonly #crypto: CryptoProvider;
  readonly #secret: Uint8Array;
  readonly #limit = new AddressLimit();

  constructor(crypto: CryptoProvider) {
    this.#crypto = crypto;
    this.#secret = crypto.randomBytes(32);
  }

  /** The answer to HELLO without a cookie; none for an address that asks too often. */
  hand(hello: Uint8Array, source: Source, now: number): Verdict {
    if (!this.#limit.take(source.limitKey, now)) return undefined;
    const cookie = this.#bake(source, periodOf(now));
    return {
      type: 'answer',
      datagrams: [
        utackHeader(FrameType.HELLO, readUint32(hello, 4)),
        encodeFrame(FrameType.HELLO_RETRY, 0, cookie),
      ],
    };
  }

  accepts(cookie: Uint8Array, source: Source, now: number): boolean {
    const period = periodOf(now);
    return [period, period - 1].some((each) => this.#crypto.equal(this.#bake(source, each), cookie));
  }

  #bake({ id }: Source, period: number): Uint8Array {
    return copyOf(this.#crypto.hmacSha256(this.#secret, ascii(`${id} ${period}`)), 0, COOKIE_LENGTH);
  }
}

/** A token bucket for each address; the least recently seen is forgotten when there are too many. */
class AddressLimit {
  readonly #buckets = new Map<string, TokenBucket>();

  /** Whether one more may be had by the address now. */
  take(address: string, now: number): boolean {
    const bucket = this.#buckets.get(address) ?? new TokenBucket(COOKIE_BURST, COOKIE_RATE, now);
    // Deleting first moves the address to the young end of the map.
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > COOKIE_ADDRESSES) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(now);
  }
}

/** A peer that is gone: the answer to its BYE, or if it was turned away, how to know its HELLO again. */
interface Gone {
  readonly tag?: number;
  readonly farewell?: Farewell;
  readonly until: number;
}

/** The last peers that are gone, by source. */
class Departed {
  readonly #peers = new Map<string, Gone>();

  add(id: string, gone: Gone): void {
    this.#peers.delete(id);
    this.#peers.set(id, gone);
    if (this.#peers.size > DEPARTED_PEERS) this.#peers.delete(this.#peers.keys().next().value!);
  }

  find(id: string, now: number): Gone | undefined {
    const gone = this.#peers.get(id);
    if (gone === undefined || now <= gone.until) return gone;
    this.#peers.delete(id);
    return undefined;
  }

  /** The UTACK of a BYE once more, for that very frame. */
  answer(datagram: Uint8Array, id: string, now: number): Verdict {
    const farewell = this.find(id, now)?.farewell;
    if (farewell === undefined || !sameBytes(datagram, farewell.bye)) return undefined;
    return { type: 'answer', datagrams: [farewell.utack] };
  }
}

/** The type of the frame, or of the frame that a UTACK is about; undefined where it can be neither. */
function typeOf(datagram: Uint8Array): number | undefined {
  if (isUtack(datagram)) return parseUtack(datagram)?.type;
  if (datagram.length < HEADER_LENGTH || datagram[0] !== MAGIC_LOW || datagram[1] !== MAGIC_HIGH)
    return undefined;
  return datagram[2] === VERSION || datagram[3] === FrameType.HELLO ? datagram[3] : undefined;
}

function tagOf(hello: Uint8Array): number {
  return readUint32(hello, HEADER_LENGTH + DEVICE_ID_LENGTH);
}

function periodOf(now: number): number {
  return Math.floor(now / COOKIE_PERIOD);
}
