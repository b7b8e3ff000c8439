/**
 * Stands between the library and a transport that is not its own. What that does wrong ends the one link or attempt that
 * it concerns, with an error that says so, and nothing else. The library's own transports do without.
 *
 * @module
 */

import { ArgumentError, TransportError, USMPError } from '../core/errors.js';
import { atEndOfTurn } from '../turns.js';
import { NO_ADDRESS } from './address.js';
import type {
  Link,
  LinkHandler,
  LinkOptions,
  Listener,
  Stray,
  Transport,
  TransportURL,
} from './transport.js';

/** A way into a transport that expects no good of it. @throws {ArgumentError} it cannot be one */
export function guarded(name: string, transport: Transport): Transport {
  checkTransport(name, transport);
  const { framing, example } = transport;
  return {
    framing,
    example,
    objection: (url, role) => transport.objection?.(url, role),
    async listen(url, onLink, onStray) {
      const tellStray = (stray: Stray, error: unknown) =>
        onStray?.(plainStray(name, stray), failure(name, error));
      const take = (link: Link) => {
        let guard: GuardedLink;
        try {
          guard = new GuardedLink(name, link);
        } catch (error) {
          return tellStray(link, error);
        }
        onLink(guard);
      };
      try {
        return checkedListener(await transport.listen(url, take, tellStray));
      } catch (error) {
        throw asUSMPError(`cannot listen on ${url.href}`, error);
      }
    },
    connect: (url, options) => connect(name, transport, url, options),
  };
}

function checkTransport(name: string, transport: Transport): void {
  const wrong = (what: string) => new ArgumentError('invalid_argument', `the transport "${name}" ${what}`);
  if (transport === null || typeof transport !== 'object') throw wrong('is no object');
  const { framing, example, listen, connect, objection } = transport;
  if (framing !== 'stream' && framing !== 'datagram') {
    throw wrong(`has the framing "${framing}": say 'stream' or 'datagram'`);
  }
  if (typeof example !== 'string') throw wrong('has no example: give a URL as people write it');
  if (typeof listen !== 'function' || typeof connect !== 'function') {
    throw wrong('lacks listen() or connect(): one that can do one only has the other reject');
  }
  if (objection !== undefined && typeof objection !== 'function')
    throw wrong('has an objection that is no function');
}

/** Ends with the signal, whatever the transport makes of it. A link that comes too late is dropped. */
function connect(name: string, transport: Transport, url: TransportURL, options: LinkOptions): Promise<Link> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    const open = async () => {
      try {
        const link = new GuardedLink(name, await transport.connect(url, options));
        if (signal.aborted) link.destroy();
        else resolve(link);
      } catch (error) {
        reject(asUSMPError(`cannot connect to ${url.href}`, error));
      } finally {
        signal.removeEventListener('abort', abort);
      }
    };
    open();
  });
}

function checkedListener(listener: Listener): Listener {
  if (typeof listener?.url !== 'string' || typeof listener.close !== 'function') {
    throw new TypeError('listen() resolved with something that is no listener');
  }
  return { url: listener.url, close: async () => listener.close() };
}

function asUSMPError(what: string, error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  return new TransportError('unreachable', `${what}: ${messageOf(error)}`, { cause: error });
}

/** What went wrong within a transport, as an error of the library. */
function failure(name: string, error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  return new TransportError('unreachable', `the transport "${name}" failed: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Read once: these may be getters, and those may do anything. */
function plainStray(transport: string, stray: Stray | undefined): Stray {
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  return { transport, peer: text(stray?.peer, transport), address: text(stray?.address, NO_ADDRESS) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A link of a transport that may do anything, to a handler that must not notice. */
class GuardedLink implements Link, LinkHandler {
  readonly transport: string;
  readonly peer: string;
  readonly address: string;
  readonly #link: Link;
  #handler: LinkHandler | undefined;
  /** Nothing is passed on any more. */
  #over = false;
  #ended = false;
  /** One of the link's methods is running. */
  #inside = false;
  /** What the link told while it was not its turn. */
  #early: (() => void)[] = [];

  constructor(transport: string, link: Link) {
    if (typeof link?.attach !== 'function' || typeof link.write !== 'function') {
      throw new TypeError('what the transport opened is no link');
    }
    const { peer, address } = plainStray(transport, link);
    this.transport = transport;
    this.peer = peer;
    this.address = address;
    this.#link = link;
  }

  get authenticated(): boolean {
    return this.#handler?.authenticated ?? false;
  }

  // ── From the library to the link ───────────────────────────────────────────────────────────────────────────────

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    this.#call('attach', () => this.#link.attach(this));
  }

  write(bytes: Uint8Array): boolean {
    // Where it returns nothing, it has nothing against more.
    return this.#call('write', () => this.#link.write(bytes)) !== false;
  }

  pause(): void {
    this.#call('pause', () => this.#link.pause());
  }

  resume(): void {
    this.#call('resume', () => this.#link.resume());
  }

  close(): void {
    this.#call('close', () => this.#link.close());
  }

  /** The handler learns that the link is gone also where the link forgets to say so. */
  destroy(): void {
    if (this.#over) return;
    this.#end();
    try {
      this.#link.destroy();
    } catch {
      // Nobody is concerned any more.
    }
  }

  #call<T>(method: string, call: () => T): T | undefined {
    if (this.#over) return undefined;
    const outermost = !this.#inside;
    this.#inside = true;
    try {
      return call();
    } catch (error) {
      this.#fail(`${method}() threw: ${messageOf(error)}`, error);
      return undefined;
    } finally {
      if (outermost) this.#inside = false;
    }
  }

  // ── From the link to the library ───────────────────────────────────────────────────────────────────────────────

  handleBytes(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array))
      return this.#fail('handleBytes() was given something that is no Uint8Array');
    this.#pass(() => {
      if (!this.#ended) this.#handler!.handleBytes(bytes);
    });
  }

  handleDrain(): void {
    this.#pass(() => this.#handler!.handleDrain());
  }

  handleEnd(): void {
    this.#pass(() => {
      if (this.#ended) return;
      this.#ended = true;
      this.#handler!.handleEnd();
    });
  }

  handleClosed(error?: unknown): void {
    this.#pass(() => {
      this.#over = true;
      this.#handler!.handleClosed(error);
    });
  }

  /** Tells the handler, but not from inside of one of the link's own methods: it may be in the middle of something. */
  #pass(tell: () => void): void {
    if (this.#over || this.#handler === undefined) return;
    if (!this.#inside && this.#early.length === 0) return tell();
    this.#early.push(tell);
    if (this.#early.length === 1) atEndOfTurn(passEarly, this);
  }

  passEarly(): void {
    for (let tell = this.#early.shift(); tell !== undefined; tell = this.#early.shift()) {
      if (!this.#over) tell();
    }
  }

  #fail(what: string, cause?: unknown): void {
    if (this.#over) return;
    this.#end(new Error(`the transport "${this.transport}" failed: ${what}`, { cause }));
    try {
      this.#link.destroy();
    } catch {
      // It is broken, and that was told.
    }
  }

  /** From now on nothing comes from the link; the handler learns it when it has come to an end with what it does now. */
  #end(error?: Error): void {
    this.#over = true;
    if (this.#handler !== undefined) atEndOfTurn(() => this.#handler!.handleClosed(error), undefined);
  }
}

function passEarly(link: GuardedLink): void {
  link.passEarly();
}
