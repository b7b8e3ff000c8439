/**
 * The test bed for datagrams: two connections, a clock that only the test moves, and a network between them that
 * loses, repeats, reorders, damages and delays. The same seed gives the same run. Ends that are over answer a repeated
 * BYE as the drivers do.
 */

import type { Connection, ConnectionEvent, ConnectionSettings } from '#dist/core/connection.js';
import { DatagramConnection } from '#dist/core/datagram-connection.js';
import { Endpoint, type EndpointPeer } from '#dist/core/endpoint.js';
import type { USMPError } from '#dist/core/errors.js';
import { isUtack } from '#dist/core/utack.js';
import { toHex } from './bytes.js';
import { WatchedCrypto } from './crypto.js';
import { DEVICE_ID, type EndName, PSK } from './pair.js';
import { SeededRandom } from './random.js';

/** What a network does to datagrams; chances are in [0, 1]. */
export interface Weather {
  /** Milliseconds from one end to the other: the least and the most. Order is not kept. */
  readonly delay: readonly [number, number];
  readonly loss: number;
  readonly duplication: number;
  /** A bit is changed, or the end is cut off. */
  readonly corruption: number;
}

export const FAIR: Weather = { delay: [0, 0], loss: 0, duplication: 0, corruption: 0 };

type Settings = Omit<ConnectionSettings, 'crypto'>;

export interface DatagramPairOptions {
  readonly seed?: number;
  readonly weather?: Partial<Weather>;
  readonly client?: Partial<Settings>;
  readonly server?: Partial<Settings>;
  readonly clientKey?: Uint8Array;
  readonly serverKeys?: readonly Uint8Array[];
  /** An endpoint with its cookies stands in front of the server. */
  readonly endpoint?: boolean;
  /** Another class than the real one: a patched core. */
  readonly DatagramConnection?: typeof DatagramConnection;
}

/** A datagram as it is put on the line, in front of all that the weather does to it. */
export interface Sent {
  readonly from: EndName;
  readonly bytes: Uint8Array;
  /** Counts those of both ends from 0. */
  readonly index: number;
}

/** More calls of one end's clock without time passing are a connection that never gets to rest. */
const MAX_WAKES_AT_ONCE = 200;

const SOURCE = { id: '192.0.2.1:4711', limitKey: '192.0.2.1' };

/** Both ends and the network. */
export class DatagramPair {
  now = 0;
  weather: Weather;
  /** Stands in for the weather where it returns something: what becomes of a datagram, each after so many ms. */
  intercept:
    | ((sent: Sent) => readonly (readonly [delay: number, bytes: Uint8Array])[] | undefined)
    | undefined;
  readonly client: DatagramEnd;
  readonly server: DatagramEnd;
  readonly endpoint: Endpoint<EndpointPeer> | undefined;
  readonly random: SeededRandom;
  readonly sent: Sent[] = [];
  readonly #serverKeys: readonly Uint8Array[];
  readonly #connectServer: () => DatagramConnection;
  #underWay: { at: number; to: DatagramEnd; bytes: Uint8Array; intact: boolean }[] = [];
  #wakes = 0;

  constructor(options: DatagramPairOptions = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.weather = { ...FAIR, ...options.weather };
    this.#serverKeys = options.serverKeys ?? [PSK];
    const Type = options.DatagramConnection ?? DatagramConnection;
    const credentials = { deviceId: DEVICE_ID, psk: options.clientKey ?? PSK };
    const crypto = { client: new WatchedCrypto(), server: new WatchedCrypto() };
    this.#connectServer = () => new Type({ ...settings(options.server), crypto: crypto.server }, this.now);
    this.client = new DatagramEnd(
      this,
      'client',
      crypto.client,
      new Type({ ...settings(options.client), crypto: crypto.client }, 0, credentials),
    );
    this.server = new DatagramEnd(this, 'server', crypto.server, this.#connectServer());
    if (options.endpoint) this.endpoint = new Endpoint(crypto.server);
  }

  /** A pair whose handshake is done, with the traces of it removed. */
  static open(options: DatagramPairOptions = {}): DatagramPair {
    const pair = new DatagramPair({ ...options, weather: FAIR });
    pair.settle();
    for (const end of pair.ends) {
      if (end.connection.state !== 'open') throw new Error(`${end.name} is ${end.connection.state}`);
      end.events.length = 0;
    }
    pair.sent.length = 0;
    pair.weather = { ...FAIR, ...options.weather };
    return pair;
  }

  get ends(): readonly [DatagramEnd, DatagramEnd] {
    return [this.client, this.server];
  }

  other(end: DatagramEnd): DatagramEnd {
    return end === this.client ? this.server : this.client;
  }

  /** Datagrams on the line. */
  get underWay(): number {
    return this.#underWay.length;
  }

  /** Lets everything that is under way arrive, and what it causes. Deadlines on the way are kept. */
  settle(): void {
    this.flush();
    while (this.#underWay.length > 0) this.#runTo(this.#nextArrival());
  }

  /** Moves the clock; what is due on the way happens on the way. */
  advance(milliseconds: number): void {
    const until = this.now + milliseconds;
    this.flush();
    for (let at = this.#nextDue(); at <= until; at = this.#nextDue()) this.#runTo(at);
    this.now = until;
  }

  /** Moves the clock until something is true, at most so far. */
  advanceUntil(condition: () => boolean, most: number): void {
    const until = this.now + most;
    this.flush();
    for (let at = this.#nextDue(); !condition() && at <= until; at = this.#nextDue()) this.#runTo(at);
    if (!condition()) throw new Error(`it did not happen within ${most} ms`);
  }

  /** What is under way is lost. */
  clear(): void {
    this.#underWay = [];
  }

  /** Puts a datagram on the line as if an end, or somebody in its name, had sent it. */
  inject(to: EndName, bytes: Uint8Array, delay = 0): void {
    this.#underWay.push({ at: this.now + delay, to: this[to], bytes, intact: true });
  }

  /** Answers what the connections ask for, and puts what they want to send on the line. */
  flush(): void {
    for (const end of this.ends) end.drain();
  }

  transmit(from: DatagramEnd, bytes: Uint8Array): void {
    const sent = { from: from.name, bytes, index: this.sent.length };
    this.sent.push(sent);
    const to = this.other(from);
    const fates = this.intercept?.(sent);
    if (fates === undefined) return this.#weather(to, bytes);
    for (const [delay, copy] of fates) {
      this.#underWay.push({ at: this.now + delay, to, bytes: copy, intact: copy === bytes });
    }
  }

  /** The server's answers to `keys-wanted`. */
  answerKeys(connection: Connection): void {
    connection.provideKeys(this.#serverKeys, this.now);
  }

  /** A datagram arrives at an end: at the server through the endpoint, if there is one. */
  arrive(end: DatagramEnd, bytes: Uint8Array): void {
    if (this.endpoint === undefined || end !== this.server) return end.input(bytes);
    const verdict = this.endpoint.handleDatagram(bytes, SOURCE, this.now);
    if (verdict?.type === 'answer') for (const answer of verdict.datagrams) this.transmit(end, answer);
    if (verdict?.type !== 'begin') return;
    end.connection = this.#connectServer();
    this.endpoint.add(SOURCE, verdict.hello, end.asPeer());
    end.input(verdict.hello);
  }

  #weather(to: DatagramEnd, bytes: Uint8Array): void {
    const { loss, duplication, corruption, delay } = this.weather;
    const copies = this.random.next() < duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.next() < loss) continue;
      const intact = this.random.next() >= corruption;
      const at = this.now + this.random.integer(...(delay as [number, number]));
      this.#underWay.push({ at, to, bytes: intact ? bytes : this.#damage(bytes), intact });
    }
  }

  #damage(bytes: Uint8Array): Uint8Array {
    if (this.random.next() < 0.3)
      return new Uint8Array(bytes).subarray(0, this.random.integer(0, bytes.length - 1));
    // Not `slice`, which would share the memory of a Buffer.
    const damaged = new Uint8Array(bytes);
    damaged[this.random.integer(0, bytes.length - 1)]! ^= 1 << this.random.integer(0, 7);
    return damaged;
  }

  #nextArrival(): number {
    return this.#underWay.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY);
  }

  #nextDue(): number {
    const deadlines = this.ends.map((end) => end.pollTimeout());
    return Math.min(this.#nextArrival(), ...deadlines);
  }

  #runTo(at: number): void {
    const next = Math.min(at, this.#nextDue());
    if (next > this.now) this.#wakes = 0;
    this.now = Math.max(this.now, next);
    const arrived = this.#underWay.filter((datagram) => datagram.at <= this.now);
    this.#underWay = this.#underWay.filter((datagram) => datagram.at > this.now);
    // Those that left first arrive first where the times are the same.
    for (const { to, bytes, intact } of arrived.sort((a, b) => a.at - b.at)) {
      to.arrived?.(bytes, intact);
      this.arrive(to, bytes);
      to.drain();
    }
    for (const end of this.ends) {
      if (end.pollTimeout() > this.now) continue;
      if (++this.#wakes > MAX_WAKES_AT_ONCE) throw new Error(`the ${end.name}'s clock does not come to rest`);
      end.connection.handleTimeout(this.now);
    }
    this.flush();
  }
}

/** One end: a connection, and what it has told so far. */
export class DatagramEnd {
  readonly name: EndName;
  readonly crypto: WatchedCrypto;
  readonly events: ConnectionEvent[] = [];
  connection: DatagramConnection;
  /** Watches what leaves. */
  leaving: ((bytes: Uint8Array) => void) | undefined;
  /** Watches what arrives, and whether it is what the other end has sent. */
  arrived: ((bytes: Uint8Array, intact: boolean) => void) | undefined;
  /** Watches what the connection tells. */
  told: ((event: ConnectionEvent) => void) | undefined;
  readonly #pair: DatagramPair;
  #peer: EndpointPeer | undefined;

  constructor(pair: DatagramPair, name: EndName, crypto: WatchedCrypto, connection: DatagramConnection) {
    this.#pair = pair;
    this.name = name;
    this.crypto = crypto;
    this.connection = connection;
  }

  /** Closed, and nothing is left to do. */
  get over(): boolean {
    return this.connection.state === 'closed' && !this.connection.lingers;
  }

  input(bytes: Uint8Array): void {
    if (!this.over) return this.connection.handleInput(new Uint8Array(bytes), this.#pair.now);
    const { farewell } = this.connection;
    if (farewell === undefined || toHex(farewell.bye) !== toHex(bytes)) return;
    this.#pair.transmit(this, farewell.utack);
  }

  send(message: Uint8Array, wantsAcknowledgement = false): number {
    return this.connection.send(message, this.#pair.now, wantsAcknowledgement);
  }

  ping(): number {
    return this.connection.ping(this.#pair.now);
  }

  rekey(force = false): void {
    this.connection.rekey(this.#pair.now, { force });
  }

  close(): void {
    this.connection.close(this.#pair.now);
  }

  pollTimeout(): number {
    return this.connection.pollTimeout();
  }

  /** In the order that the connection documents: events, then datagrams, and what these have caused. */
  drain(): void {
    this.#drainEvents();
    for (;;) {
      const bytes = this.connection.pollTransmit(this.#pair.now);
      if (bytes === undefined) break;
      this.leaving?.(bytes);
      this.#pair.transmit(this, bytes);
    }
    this.#drainEvents();
    if (this.#peer === undefined || !this.over) return;
    const peer = this.#peer;
    this.#peer = undefined;
    this.#pair.endpoint!.remove(SOURCE.id, peer, this.connection.farewell, this.#pair.now);
  }

  /** This end as its endpoint sees it. */
  asPeer(): EndpointPeer {
    const { connection } = this;
    this.#peer = {
      get authenticated() {
        return connection.state === 'open';
      },
      handleDatagram: (datagram) => connection.handleInput(new Uint8Array(datagram), this.#pair.now),
      handleDisplaced: () => connection.handleEnd(),
    };
    return this.#peer;
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

  #drainEvents(): void {
    for (let event = this.connection.pollEvent(); event !== undefined; event = this.connection.pollEvent()) {
      this.events.push(event);
      this.told?.(event);
      if (event.type === 'keys-wanted') this.#pair.answerKeys(this.connection);
    }
  }
}

/** The type of a frame, or of the frame that a UTACK is about. */
export function typeOf(datagram: Uint8Array): number {
  return datagram[isUtack(datagram) ? 2 : 3]!;
}

function settings(overrides: Partial<Settings> = {}): Settings {
  return {
    handshakeTimeout: 10_000,
    keepaliveInterval: 0,
    idleTimeout: 0,
    decoyKey: new TextEncoder().encode('nobody has this key'),
    ...overrides,
  };
}
