/**
 * Server and client in one process: for the tests of applications, and wherever both ends happen to be at the same place.
 * Bytes are copied and arrive in a later turn of the event loop, in order, as over a line. It needs nothing of the
 * platform.
 *
 * @module
 */

import { ArgumentError, TransportError } from '../core/errors.js';
import { nextTurn } from '../turns.js';
import { NO_ADDRESS } from './address.js';
import type { Link, LinkHandler, Listener, Transport, TransportURL } from './transport.js';

/** Bytes under way in a direction before the writer is asked to wait. */
const HIGH_WATER_MARK = 65_536;

/** The open doors of this process, by name. */
const listeners = new Map<string, MemoryListener>();

/** `memory:NAME`. */
export const memory: Transport = {
  framing: 'stream',
  example: 'memory:lab',
  objection: nameObjection,

  async listen(url, onLink) {
    const name = url.pathname;
    if (listeners.has(name)) {
      throw new TransportError(
        'address_in_use',
        `${memoryURL(name)} is in use: choose another name, or close the server that has it`,
      );
    }
    const listener = new MemoryListener(name, onLink);
    listeners.set(name, listener);
    return listener;
  },

  async connect(url, { signal, localAddress }) {
    if (localAddress !== undefined) {
      throw new ArgumentError('invalid_argument', `${url.href} has no local address: leave localAddress out`);
    }
    // As anywhere else, a connection takes a while.
    await new Promise<void>((resolve) => nextTurn(resolve));
    if (signal.aborted) throw signal.reason;
    const listener = listeners.get(url.pathname);
    if (listener !== undefined) return listener.open();
    throw new TransportError(
      'unreachable',
      `cannot connect to ${memoryURL(url.pathname)}: nothing listens there; is the server in this process, and has it that name?`,
    );
  },
};

/** A name, and nothing that could look as if it meant more. */
function nameObjection(url: TransportURL): string | undefined {
  if (url.hostname !== '' || url.search !== '' || url.hash !== '') return 'it holds more than a name';
  if (url.pathname === '') return 'it has no name';
  return url.pathname.includes('/') ? 'its name has a slash' : undefined;
}

function memoryURL(name: string): string {
  return `memory:${name}`;
}

class MemoryListener implements Listener {
  readonly url: string;
  readonly #name: string;
  readonly #onLink: (link: Link) => void;

  constructor(name: string, onLink: (link: Link) => void) {
    this.#name = name;
    this.url = memoryURL(name);
    this.#onLink = onLink;
  }

  /** The client's end of a new link, once the server has the other. */
  open(): Link {
    const here = new MemoryLink(this.url);
    const there = new MemoryLink(this.url);
    here.join(there);
    there.join(here);
    this.#onLink(there);
    return here;
  }

  async close(): Promise<void> {
    if (listeners.get(this.#name) === this) listeners.delete(this.#name);
  }
}

/** One end. What is under way to it waits in its inbox. */
class MemoryLink implements Link {
  readonly transport = 'memory';
  readonly address = NO_ADDRESS;
  readonly peer: string;
  #other!: MemoryLink;
  #handler: LinkHandler | undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #turnQueued = false;
  #paused = false;
  /** The other end was told to wait. */
  #owesDrain = false;
  /** This end was told to wait, and may go on. */
  #drained = false;
  /** Nothing comes behind what is in the inbox. */
  #inboxEnds = false;
  #heardEnd = false;
  #ended = false;
  #gone = false;

  constructor(peer: string) {
    this.peer = peer;
  }

  join(other: MemoryLink): void {
    this.#other = other;
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    this.#queueTurn();
  }

  write(bytes: Uint8Array): boolean {
    // Not `slice`, which of a Buffer makes no copy.
    return this.#ended || this.#other.#take(new Uint8Array(bytes));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#queueTurn();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#other.#inboxEnds = true;
    this.#other.#queueTurn();
    this.#queueTurn();
  }

  destroy(): void {
    this.#heardEnd = true;
    this.#dropInbox();
    this.close();
  }

  /** Takes what the other end has written. False when that is enough for now. */
  #take(bytes: Uint8Array): boolean {
    // As on a line, nobody is there any more to read it.
    if (this.#heardEnd) return true;
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    this.#queueTurn();
    if (this.#inboxBytes < HIGH_WATER_MARK) return true;
    this.#owesDrain = true;
    return false;
  }

  #queueTurn(): void {
    if (this.#turnQueued || this.#gone) return;
    this.#turnQueued = true;
    nextTurn(() => this.#turn());
  }

  /** Hands over what has arrived, and what has come to its end. */
  #turn(): void {
    this.#turnQueued = false;
    const handler = this.#handler;
    if (handler === undefined || this.#gone) return;
    if (this.#drained) {
      this.#drained = false;
      handler.handleDrain();
    }
    this.#deliver(handler);
    if (this.#inboxEnds && this.#inbox.length === 0 && !this.#heardEnd && !this.#paused) {
      this.#heardEnd = true;
      handler.handleEnd();
      // As sockets do: who hears the end of the other side hangs up as well.
      this.close();
    }
    if (!this.#heardEnd || !this.#ended) return;
    this.#gone = true;
    handler.handleClosed();
  }

  /** What is there now; what comes meanwhile has a turn of its own. */
  #deliver(handler: LinkHandler): void {
    for (let left = this.#inbox.length; left > 0 && !this.#paused && this.#inbox.length > 0; left--) {
      const bytes = this.#inbox.shift()!;
      this.#inboxBytes -= bytes.length;
      handler.handleBytes(bytes);
    }
    if (this.#inbox.length === 0) this.#drain();
  }

  #dropInbox(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#drain();
  }

  #drain(): void {
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    this.#other.#drained = true;
    this.#other.#queueTurn();
  }
}
