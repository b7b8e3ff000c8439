/**
 * Joins a link, a connection and a clock, from the first byte until the link is gone. What the connection has to
 * tell goes to an owner: first whoever watches over the handshake, then the session.
 *
 * @module
 */

import type { Connection, ConnectionEvent, ConnectionSettings } from './core/connection.js';
import { DatagramConnection } from './core/datagram-connection.js';
import type { ClientCredentials } from './core/handshake.js';
import { CLOSE_TIMEOUT } from './core/limits.js';
import { SerialConnection } from './core/serial-connection.js';
import { StreamConnection } from './core/stream-connection.js';
import type { Deadlines, Timed } from './deadlines.js';
import type { Framing, Link, LinkHandler, Transport } from './transports/transport.js';
import { atEndOfTurn, nextTurn } from './turns.js';

/** Who acts on what a connection has to tell. */
export interface PeerOwner {
  handleEvent(peer: Peer, event: ConnectionEvent): void;
  /** What was sealed has gone to the link, which takes more. */
  handleDrain(peer: Peer): void;
  /** The link is gone; called once, after the `closed` event. */
  handleGone(peer: Peer): void;
}

const CONNECTIONS = {
  stream: StreamConnection,
  datagram: DatagramConnection,
  serial: SerialConnection,
} satisfies Record<Framing, unknown>;

/** A connection for the links of a transport: a client's with its credentials, a server's without. */
export function makeConnection(
  { framing }: Transport,
  settings: ConnectionSettings,
  now: number,
  client?: ClientCredentials,
): Connection {
  return new CONNECTIONS[framing](settings, now, client);
}

/** The driver of one connection. */
export class Peer implements LinkHandler, Timed {
  readonly link: Link;
  readonly connection: Connection;
  owner: PeerOwner;
  readonly #deadlines: Deadlines;
  #flushQueued = false;
  #blocked = false;
  #paused = false;
  #closing = false;
  #hangingUp = false;

  dueAt = Number.POSITIVE_INFINITY;
  heapIndex = -1;

  constructor(link: Link, connection: Connection, deadlines: Deadlines, owner: PeerOwner) {
    this.link = link;
    this.connection = connection;
    this.owner = owner;
    this.#deadlines = deadlines;
    link.attach(this);
    this.settle();
  }

  get authenticated(): boolean {
    return this.connection.handshakeState === 'done';
  }

  now(): number {
    return this.#deadlines.now();
  }

  /** Passes on what the connection has to tell and to send. Call it after every command. */
  settle(): void {
    if (this.#tell()) return;
    if (this.#closing) return this.#settleClosing();
    if (this.connection.wantsTransmit) this.queueFlush();
    else if (!this.#blocked) this.owner.handleDrain(this);
    this.#watch();
  }

  /** All that is sent in one turn of the event loop leaves in one write. */
  queueFlush(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    atEndOfTurn(flushPeer, this);
  }

  /** Calls back when the event loop has served all others. */
  nextTurn(callback: () => void): void {
    nextTurn(callback);
  }

  /** Stops reading until `resume`. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.connection.setReceiving(false);
    this.link.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.connection.setReceiving(true);
    this.connection.postponeIdle(this.now());
    this.link.resume();
  }

  flush(): void {
    this.#flushQueued = false;
    if (this.#blocked) return;
    this.#write();
    if (this.#tell() || this.#closing) return;
    if (!this.#blocked) this.owner.handleDrain(this);
    this.#watch();
  }

  handleBytes(bytes: Uint8Array): void {
    this.connection.handleInput(bytes, this.now());
    this.settle();
  }

  handleDrain(): void {
    this.#blocked = false;
    this.flush();
  }

  handleEnd(): void {
    this.connection.handleEnd();
    this.settle();
  }

  handleClosed(): void {
    this.handleEnd();
    this.#deadlines.clear(this);
    this.owner.handleGone(this);
  }

  handleTimeout(now: number): void {
    if (this.#hangingUp) return this.link.destroy();
    if (this.#paused) this.connection.postponeIdle(now);
    this.connection.handleTimeout(now);
    this.settle();
  }

  /** Until the link is full. */
  #write(): void {
    const now = this.now();
    for (let bytes = this.connection.pollTransmit(now); bytes !== undefined; ) {
      if (!this.link.write(bytes)) {
        this.#blocked = true;
        return;
      }
      bytes = this.connection.pollTransmit(now);
    }
  }

  /** True when the connection has told its end. */
  #tell(): boolean {
    const { connection } = this;
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      this.owner.handleEvent(this, event);
      if (event.type === 'closed') {
        this.#hangUp(event.bye);
        return true;
      }
    }
    return false;
  }

  /** Deadlines that move later are noticed when the earlier one has come. */
  #watch(): void {
    const timeout = this.connection.pollTimeout();
    if (timeout < this.dueAt) this.#deadlines.set(this, timeout);
  }

  /**
   * After BYE of ours the last bytes still leave, and the peer gets time to take them and to hang up. Else all is
   * dropped that the connection does not insist on.
   */
  #hangUp(bye: boolean): void {
    this.#closing = true;
    // The last bytes ignore backpressure.
    this.#blocked = false;
    if (this.connection.lingers) return this.#settleClosing();
    this.#write();
    if (!bye) return this.#drop();
    this.#hangingUp = true;
    this.#deadlines.set(this, this.now() + CLOSE_TIMEOUT);
    this.link.close();
    this.resume();
  }

  /** Over datagrams the connection itself sees to it that the peer gets BYE. */
  #settleClosing(): void {
    if (this.#hangingUp) return;
    this.#write();
    if (!this.connection.lingers) this.#drop();
    else this.#watch();
  }

  #drop(): void {
    this.#deadlines.clear(this);
    this.link.destroy(this.connection.farewell);
  }
}

function flushPeer(peer: Peer): void {
  peer.flush();
}
