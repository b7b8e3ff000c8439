/**
 * Two ends of a serial line on a clock that only the test moves: a client's connection, and a server's endpoint with a
 * connection for each handshake. Frames arrive at once, unless a test takes them off the line.
 */

import { encodeLine, LineDecoder } from '#dist/core/cobs.js';
import type { ConnectionEvent, ConnectionSettings } from '#dist/core/connection.js';
import { type USMPError, VersionError } from '#dist/core/errors.js';
import type { Frame } from '#dist/core/frame.js';
import { SerialConnection } from '#dist/core/serial-connection.js';
import { SerialEndpoint, type SerialPeer } from '#dist/core/serial-endpoint.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { DEVICE_ID, PSK } from './pair.js';

const DECOY = new Uint8Array(16).fill(7);

const SETTINGS: ConnectionSettings = {
  crypto: nodeCrypto,
  handshakeTimeout: 30_000,
  keepaliveInterval: 0,
  idleTimeout: 0,
  decoyKey: DECOY,
};

/** What becomes of a frame on the line; undefined is lost. */
export type Path = (bytes: Uint8Array, from: 'client' | 'server') => Uint8Array | undefined;

export interface SerialOptions {
  readonly client?: Partial<ConnectionSettings>;
  readonly server?: Partial<ConnectionSettings>;
  readonly clientKey?: Uint8Array;
  /** The answer to `keys-wanted`; undefined leaves the question open. */
  readonly serverKeys?: readonly Uint8Array[] | undefined;
  /** The server closes the session before as soon as the device has opened another, as servers do. */
  readonly replacing?: boolean;
}

/** A connection and what it has told. */
export class SerialEnd implements SerialPeer {
  readonly connection: SerialConnection;
  readonly events: ConnectionEvent[] = [];
  readonly #pair: SerialPair;

  constructor(pair: SerialPair, connection: SerialConnection) {
    this.#pair = pair;
    this.connection = connection;
  }

  get authenticated(): boolean {
    return this.connection.handshakeState === 'done';
  }

  get closed(): USMPError | undefined {
    return this.events.flatMap((event) => (event.type === 'closed' ? [event.error] : []))[0];
  }

  get messages(): Uint8Array[] {
    return this.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
  }

  handleFrame(frame: Uint8Array): void {
    this.connection.handleInput(frame, this.#pair.now);
  }

  handleDisplaced(): void {
    this.connection.handleEnd();
  }
}

/** Both ends and the line. */
export class SerialPair {
  now = 0;
  /** Every frame that was sent, in order, lost ones too. */
  readonly sent: { from: 'client' | 'server'; type: number }[] = [];
  path: Path = (bytes) => bytes;
  client: SerialEnd;
  /** All that ever were, in the order of their HELLOs. */
  readonly peers: SerialEnd[] = [];
  readonly endpoint = new SerialEndpoint<SerialEnd>(0);
  readonly #options: SerialOptions;
  readonly #decoders = { client: new LineDecoder(), server: new LineDecoder() };

  constructor(options: SerialOptions = {}) {
    this.#options = options;
    this.client = this.#newClient();
  }

  /** A pair whose handshake is done. */
  static open(options: SerialOptions = {}): SerialPair {
    const pair = new SerialPair(options);
    pair.settle();
    if (pair.client.connection.state !== 'open') throw new Error(`it is ${pair.client.connection.state}`);
    return pair;
  }

  /** The newest conversation of the server. */
  get server(): SerialEnd {
    return this.peers.at(-1)!;
  }

  /** The device starts anew, without a word about it. */
  resetClient(): void {
    this.client = this.#newClient();
  }

  /** Lets everything arrive, and what it causes. */
  settle(): void {
    for (let moved = true; moved; ) {
      moved = this.#drain(this.client, 'client');
      for (const peer of this.endpoint.peers) moved = this.#drain(peer, 'server') || moved;
    }
  }

  /** Moves the clock; what is due on the way happens on the way. */
  advance(milliseconds: number): void {
    const until = this.now + milliseconds;
    for (this.settle(); ; this.settle()) {
      const ends = [this.client, ...this.endpoint.peers];
      const next = Math.min(...ends.map(({ connection }) => connection.pollTimeout()));
      if (next > until) break;
      this.now = Math.max(this.now, next);
      for (const { connection } of ends) connection.handleTimeout(this.now);
    }
    this.now = until;
  }

  /** Puts bytes on the line as if one of the ends had sent them. */
  inject(from: 'client' | 'server', frame: Uint8Array): void {
    this.#arrive(from, encodeLine(frame));
    this.settle();
  }

  provideKeys(peer: SerialEnd, keys: readonly Uint8Array[]): void {
    peer.connection.provideKeys(keys, this.now);
    this.settle();
  }

  typesFrom(from: 'client' | 'server'): number[] {
    return this.sent.filter((frame) => frame.from === from).map(({ type }) => type);
  }

  #newClient(): SerialEnd {
    const credentials = { deviceId: DEVICE_ID, psk: this.#options.clientKey ?? PSK };
    const settings = { ...SETTINGS, ...this.#options.client };
    return new SerialEnd(this, new SerialConnection(settings, this.now, credentials));
  }

  /** True when there was something to tell or to send. */
  #drain(end: SerialEnd, from: 'client' | 'server'): boolean {
    let moved = false;
    for (let event = end.connection.pollEvent(); event !== undefined; event = end.connection.pollEvent()) {
      moved = true;
      end.events.push(event);
      if (event.type === 'keys-wanted') this.#answer(end);
      if (event.type === 'open' && from === 'server' && this.#options.replacing) this.#closeOthers(end);
    }
    const bytes = end.connection.pollTransmit(this.now);
    if (bytes !== undefined && (from === 'client' || this.endpoint.maySpeak(end))) {
      moved = true;
      this.#send(from, bytes);
    }
    if (from === 'server' && end.closed !== undefined) this.endpoint.remove(end);
    return moved;
  }

  #answer(end: SerialEnd): void {
    const keys = 'serverKeys' in this.#options ? this.#options.serverKeys : [PSK];
    if (keys !== undefined) end.connection.provideKeys(keys, this.now);
  }

  #closeOthers(newest: SerialEnd): void {
    for (const end of this.endpoint.peers) {
      if (end === newest) continue;
      end.connection.close(this.now);
      this.#drain(end, 'server');
    }
  }

  #send(from: 'client' | 'server', frames: Uint8Array): void {
    for (let at = 0; at < frames.length; ) {
      const size = 12 + frames[at + 8]! + frames[at + 9]! * 256;
      const frame = frames.slice(at, at + size);
      at += size;
      this.sent.push({ from, type: frame[3]! });
      const arriving = this.path(encodeLine(frame), from);
      if (arriving !== undefined) this.#arrive(from, arriving);
    }
  }

  #arrive(from: 'client' | 'server', bytes: Uint8Array): void {
    const decoder = this.#decoders[from];
    decoder.push(bytes);
    for (let found = decoder.next(); found !== undefined; found = decoder.next()) {
      if (found instanceof VersionError) continue;
      if (from === 'server') this.client.handleFrame(found.bytes);
      else if (this.endpoint.handleFrame(found, this.now)) this.#begin(found);
    }
  }

  #begin(hello: Frame): void {
    const settings = { ...SETTINGS, ...this.#options.server };
    const peer = new SerialEnd(this, new SerialConnection(settings, this.now));
    this.peers.push(peer);
    this.endpoint.add(peer, hello);
    peer.handleFrame(hello.bytes);
  }
}
