/**
 * Joins a link, a connection and a clock, from the first byte until the link is gone. What the connection has to
 * tell goes to an owner: first whoever watches over the handshake, then the session.
 *
 * @module
 */

import type { Connection, ConnectionEvent } from './core/connection.js';
import { CLOSE_TIMEOUT } from './core/limits.js';
import type { Deadlines, Timed } from './deadlines.js';
import type { Link, LinkHandler } from './transports/transport.js';

/** Who acts on what a connection has to tell. */
export interface PeerOwner {
  handleEvent(peer: Peer, event: ConnectionEvent): void;
  /** What was sealed has gone to the link, which takes more. */
  handleDrain(peer: Peer): void;
  /** The link is gone; called once, after the `closed` event. */
  handleGone(peer: Peer): void;
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

  now(): number {
    return this.#deadlines.now();
  }

  /** Passes on what the connection has to tell and to send. Call it after every command. */
  settle(): void {
    for (let event = this.connection.pollEvent(); event !== undefined; event = this.connection.pollEvent()) {
      this.owner.handleEvent(this, event);
      if (event.type === 'closed') return this.#hangUp(event.bye);
    }
    if (this.connection.wantsTransmit) this.queueFlush();
    const timeout = this.connection.pollTimeout();
    if (timeout < this.dueAt) this.#deadlines.set(this, timeout);
  }

  /** All that is sent in one turn of the event loop leaves in one write. */
  queueFlush(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    process.nextTick(flushPeer, this);
  }

  /** Calls back when the event loop has served all others. */
  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Stops reading until `resume`. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.link.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.connection.postponeIdle(this.now());
    this.link.resume();
  }

  flush(): void {
    this.#flushQueued = false;
    if (this.#blocked) return;
    const bytes = this.connection.pollTransmit(this.now());
    if (bytes !== undefined) this.#blocked = !this.link.write(bytes);
    if (this.connection.state === 'closed') this.settle();
    else if (!this.#blocked) this.owner.handleDrain(this);
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
    if (this.#closing) return this.link.destroy();
    if (this.#paused) this.connection.postponeIdle(now);
    this.connection.handleTimeout(now);
    this.settle();
  }

  /** After BYE of ours the last bytes still leave, and the peer gets time to hang up. Else all is dropped. */
  #hangUp(bye: boolean): void {
    if (this.#closing) return;
    this.#closing = true;
    if (!bye) {
      this.#deadlines.clear(this);
      return this.link.destroy();
    }
    this.#deadlines.set(this, this.now() + CLOSE_TIMEOUT);
    // The flush ignores backpressure: these are the last bytes.
    this.#blocked = false;
    this.flush();
    this.link.close();
    this.resume();
  }
}

function flushPeer(peer: Peer): void {
  peer.flush();
}
