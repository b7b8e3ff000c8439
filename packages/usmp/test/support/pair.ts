/**
 * The test bed: two connections, a clock that only the test moves, and a line between them that can delay, cut,
 * corrupt and fall silent. The same seed gives the same run.
 */

import type { Connection, ConnectionEvent, ConnectionSettings } from '#dist/core/connection.js';
import type { USMPError } from '#dist/core/errors.js';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { hex, utf8 } from './bytes.js';
import { WatchedCrypto } from './crypto.js';
import { SeededRandom } from './random.js';

export const PSK = utf8('a key for the test bed');
export const DEVICE_ID = hex('02aabbccddee');
const DECOY = utf8('nobody has this key');

export interface PairOptions {
  readonly seed?: number;
  readonly client?: Partial<Settings>;
  readonly server?: Partial<Settings>;
  /** What the client proves. */
  readonly clientKey?: Uint8Array;
  /** The answer to `keys-wanted`; undefined leaves the question open. */
  readonly serverKeys?: readonly Uint8Array[] | undefined;
  /** Milliseconds from one end to the other: the least and the most. Order is kept. */
  readonly delay?: readonly [number, number];
  /** Another class than the real one: a patched core. */
  readonly StreamConnection?: typeof StreamConnection;
  /** The line cuts what is written into pieces of at most this many bytes. */
  readonly largestPiece?: number;
}

export type EndName = 'client' | 'server';

/** Both ends and the line. */
export class Pair {
  now = 0;
  readonly client: End;
  readonly server: End;
  readonly #serverKeys: readonly Uint8Array[] | undefined;

  constructor(options: PairOptions = {}) {
    const random = new SeededRandom(options.seed ?? 1);
    this.#serverKeys = 'serverKeys' in options ? options.serverKeys : [PSK];
    const psk = options.clientKey ?? PSK;
    const Type = options.StreamConnection ?? StreamConnection;
    this.client = new End(this, 'client', new Line(random, options), (crypto) => {
      return new Type({ ...settings(options.client), crypto }, 0, { deviceId: DEVICE_ID, psk });
    });
    this.server = new End(this, 'server', new Line(random, options), (crypto) => {
      return new Type({ ...settings(options.server), crypto }, 0);
    });
  }

  /** A pair whose handshake is done, with the traces of it removed. */
  static open(options: PairOptions = {}): Pair {
    const pair = new Pair(options);
    pair.settle();
    for (const end of pair.ends) {
      if (end.connection.state !== 'open') throw new Error(`${end.name} is ${end.connection.state}`);
      end.events.length = 0;
    }
    return pair;
  }

  get ends(): readonly [End, End] {
    return [this.client, this.server];
  }

  other(end: End): End {
    return end === this.client ? this.server : this.client;
  }

  /** Lets everything that is under way arrive, and what it causes. Deadlines on the way are kept. */
  settle(): void {
    this.#flush();
    for (let at = this.#nextArrival(); at < Number.POSITIVE_INFINITY; at = this.#nextArrival())
      this.#runTo(at);
  }

  /** Moves the clock; what is due on the way happens on the way. */
  advance(milliseconds: number): void {
    const until = this.now + milliseconds;
    this.#flush();
    for (let at = this.#nextDue(); at <= until; at = this.#nextDue()) this.#runTo(at);
    this.now = until;
  }

  /** Hands over the next bytes that are under way to `to`, whatever their time, at most `most` of them. */
  deliver(to: End, most = Number.POSITIVE_INFINITY): void {
    this.#flush();
    const bytes = this.other(to).line.take(most);
    if (bytes.length > 0) to.input(bytes);
    this.#flush();
  }

  /** Answers what the connections ask for, and puts what they want to send on the line. */
  #flush(): void {
    for (const end of this.ends) {
      const from = end.events.length;
      end.drain();
      const asked = end.events.slice(from).some((event) => event.type === 'keys-wanted');
      if (asked && this.#serverKeys !== undefined) {
        end.connection.provideKeys(this.#serverKeys, this.now);
        end.drain();
      }
    }
  }

  #nextArrival(): number {
    return Math.min(this.client.line.nextArrival, this.server.line.nextArrival);
  }

  #nextDue(): number {
    const deadlines = this.ends.map((end) => end.connection.pollTimeout());
    return Math.min(this.#nextArrival(), ...deadlines);
  }

  #runTo(at: number): void {
    const next = Math.min(at, this.#nextDue());
    this.now = Math.max(this.now, next);
    for (const end of this.ends) {
      const arrived = this.other(end).line.arrived(this.now);
      if (arrived !== undefined) end.input(arrived);
      if (end.connection.pollTimeout() <= this.now) end.connection.handleTimeout(this.now);
    }
    this.#flush();
  }
}

/** One end: a connection, what it has told so far, and the line that it writes to. */
export class End {
  readonly #pair: Pair;
  readonly name: EndName;
  readonly crypto = new WatchedCrypto();
  readonly connection: Connection;
  readonly line: Line;
  readonly events: ConnectionEvent[] = [];

  constructor(pair: Pair, name: EndName, line: Line, connect: (crypto: WatchedCrypto) => Connection) {
    this.#pair = pair;
    this.name = name;
    this.line = line;
    this.connection = connect(this.crypto);
  }

  input(bytes: Uint8Array): void {
    this.connection.handleInput(bytes, this.#pair.now);
  }

  send(message: Uint8Array): void {
    this.connection.send(message, this.#pair.now);
  }

  ping(): number {
    return this.connection.ping(this.#pair.now);
  }

  rekey(): void {
    this.connection.rekey(this.#pair.now);
  }

  close(): void {
    this.connection.close(this.#pair.now);
  }

  /** In the order that the connection documents: events, then bytes. */
  drain(): void {
    for (let event = this.connection.pollEvent(); event !== undefined; event = this.connection.pollEvent()) {
      this.events.push(event);
    }
    const bytes = this.connection.pollTransmit(this.#pair.now);
    if (bytes !== undefined) this.line.write(bytes, this.#pair.now);
  }

  /** Messages received. */
  get messages(): Uint8Array[] {
    return this.of('message').map((event) => event.data);
  }

  /** Why it has closed; undefined while it has not. */
  get closed(): USMPError | undefined {
    return this.of('closed')[0]?.error;
  }

  /** All events of one type. */
  of<T extends ConnectionEvent['type']>(type: T): Extract<ConnectionEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<ConnectionEvent, { type: T }> => event.type === type);
  }
}

/** One direction of the line. Bytes may be late, cut and changed, and never overtake each other. */
export class Line {
  readonly #random: SeededRandom;
  readonly #delay: readonly [number, number];
  readonly #largestPiece: number;
  #underWay: { at: number; bytes: Uint8Array }[] = [];
  #first = 0;
  #written = 0;
  #flips = new Map<number, number>();
  #silent = false;

  constructor(
    random: SeededRandom,
    { delay = [0, 0], largestPiece = Number.POSITIVE_INFINITY }: PairOptions,
  ) {
    this.#random = random;
    this.#delay = delay;
    this.#largestPiece = largestPiece;
  }

  /** How many bytes have been written in all. */
  get written(): number {
    return this.#written;
  }

  /** Changes the byte that is written `ahead` bytes from now. */
  corrupt(ahead: number, mask = 0x01): void {
    this.#flips.set(this.#written + ahead, mask);
  }

  /** What is written from now on is lost, and nobody is told. */
  fallSilent(): void {
    this.#silent = true;
  }

  write(bytes: Uint8Array, now: number): void {
    const changed = bytes.map((byte, i) => byte ^ (this.#flips.get(this.#written + i) ?? 0));
    this.#written += bytes.length;
    if (this.#silent) return;
    for (let start = 0; start < changed.length; ) {
      const size = Math.min(changed.length - start, this.#pieceSize());
      const previous = this.#underWay.at(-1)?.at ?? 0;
      const at = Math.max(previous, now + this.#random.integer(...(this.#delay as [number, number])));
      this.#underWay.push({ at, bytes: changed.subarray(start, start + size) });
      start += size;
    }
  }

  get nextArrival(): number {
    return this.#underWay[this.#first]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The next piece, if it has arrived by now. */
  arrived(now: number): Uint8Array | undefined {
    if (this.nextArrival > now) return undefined;
    const { bytes } = this.#underWay[this.#first++]!;
    if (this.#first === this.#underWay.length) {
      this.#underWay = [];
      this.#first = 0;
    }
    return bytes;
  }

  /** Takes bytes off the line before their time. */
  take(most: number): Uint8Array {
    const all = Buffer.concat(this.#underWay.slice(this.#first).map(({ bytes }) => bytes));
    const taken = new Uint8Array(all.subarray(0, Math.min(most, all.length)));
    const rest = new Uint8Array(all.subarray(taken.length));
    const at = this.nextArrival;
    this.#underWay = rest.length > 0 ? [{ at, bytes: rest }] : [];
    this.#first = 0;
    return taken;
  }

  #pieceSize(): number {
    return this.#largestPiece === Number.POSITIVE_INFINITY
      ? this.#largestPiece
      : this.#random.integer(1, this.#largestPiece);
  }
}

type Settings = Omit<ConnectionSettings, 'crypto'>;

function settings(overrides: Partial<Settings> = {}): Settings {
  return {
    handshakeTimeout: 10_000,
    keepaliveInterval: 0,
    idleTimeout: 0,
    decoyKey: DECOY,
    ...overrides,
  };
}
