/**
 * What a transport must do: carry bytes both ways, as a stream or as datagrams, and nothing else. Keys, frames and
 * sessions are none of its business. The library's own transports are made to this pattern, and so can others be:
 * `docs/transports.md` has a whole one, {@link registerTransport} makes it known.
 *
 * @module
 */

import type { USMPError } from '../core/errors.js';
import type { AbortSignalLike } from '../waiting.js';

/**
 * A way to open links, by URL.
 *
 * @example
 * ```ts
 * const transport: Transport = {
 *   framing: 'stream',
 *   example: 'pipe:NAME',
 *   async listen(url, onLink) {
 *     const door = await openDoor(url.pathname, (line) => onLink(new PipeLink(line)));
 *     return { url: url.href, close: () => door.close() };
 *   },
 *   async connect(url, { signal }) {
 *     return new PipeLink(await openPipe(url.pathname, signal));
 *   },
 * };
 * ```
 */
export interface Transport {
  /** What its links carry. */
  readonly framing: Framing;
  /** A URL as people write it, such as `tcp://127.0.0.1:9000`: what errors propose. */
  readonly example: string;
  /**
   * Why a URL of this scheme cannot be used, without a full stop; undefined when it can. Asked when a server or client
   * is made. Without this function any URL of the scheme is taken.
   */
  objection?(url: TransportURL, role: Role): string | undefined;
  /**
   * Opens a door. Once it is open, and not before, each new link is given to `onLink`, which attaches to it before it
   * returns, or destroys it. Who knocks and can have no link is told to `onStray`.
   *
   * @throws {TransportError} `address_in_use`, `unreachable`
   */
  listen(
    url: TransportURL,
    onLink: (link: Link) => void,
    onStray?: (stray: Stray, error: USMPError) => void,
  ): Promise<Listener>;
  /**
   * Opens a link, to which the caller attaches as soon as the promise has resolved. When `signal` is aborted before
   * that, nothing stays open and the promise rejects with the signal's reason.
   *
   * @throws {TransportError} `unreachable`
   */
  connect(url: TransportURL, options: LinkOptions): Promise<Link>;
}

/**
 * One open line to one peer.
 *
 * Methods may be called in any order and also when the line is gone, then without effect; they do not throw. None of
 * them calls the handler before it has returned.
 */
export interface Link {
  /** URL scheme, such as `tcp`. */
  readonly transport: string;
  /** The peer for people, such as `192.0.2.7:51234`. */
  readonly peer: string;
  /**
   * What limits per address count by: the IPv4 address, or the /64 network of an IPv6 address. Empty where an address
   * tells nobody from another, as within one machine: there only the limits of the whole server hold.
   */
  readonly address: string;
  /**
   * Names the one that gets all that happens on the line from now on. Called once, before all other methods but
   * `destroy`. What comes earlier waits in the link.
   */
  attach(handler: LinkHandler): void;
  /**
   * Sends bytes, a datagram of its own where the framing is `datagram`. The link owns them from then on.
   *
   * @returns false when the link would rather not take more before it calls `handleDrain`. What is written all the same,
   * as the last bytes of a session are, must be sent too.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops reading, so that the peer has to wait, until `resume`. A few bytes may still come. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Sends what was written, then hangs up. What the peer sends meanwhile still arrives; `handleClosed` comes last. */
  close(): void;
  /** Drops everything at once; nothing comes any more but `handleClosed`. */
  destroy(): void;
}

/**
 * Who sits at our end of a link. `handleBytes`, `handleDrain` and `handleEnd` come one at a time, after `attach` has
 * returned and before `handleClosed`, which comes last.
 */
export interface LinkHandler {
  /** The peer has proved who it is. Where a transport has to give some links up, those without are the ones. */
  readonly authenticated: boolean;
  /** Bytes of the stream, cut anywhere, or one datagram. They belong to the handler: they must not change later. */
  handleBytes(bytes: Uint8Array): void;
  /** The link takes more, after a `write` that returned false. */
  handleDrain(): void;
  /** The peer will send no more: all that it sent was handed over. At most once. */
  handleEnd(): void;
  /** The link is gone, with the error if one ended it. Exactly once, also after `destroy`. */
  handleClosed(error?: unknown): void;
}

/** An open door. */
export interface Listener {
  /** Where it can be reached, with the real port. */
  readonly url: string;
  /**
   * Takes no more links from now on; those that are open live on. Resolves when the address is free again, for which a
   * transport may need its last link to be gone.
   */
  close(): Promise<void>;
}

/** Somebody who knocked, cannot be let in, and for whom no link was opened. */
export type Stray = Pick<Link, 'transport' | 'peer' | 'address'>;

/** The parts of a URL that transports read; the platform's `URL` fits. */
export interface TransportURL {
  readonly href: string;
  /** The scheme, with its colon. */
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  /** With brackets where it is an IPv6 address. */
  readonly hostname: string;
  /** Empty for the default. */
  readonly port: string;
  readonly pathname: string;
  /** With its question mark; empty where there is none. */
  readonly search: string;
  readonly hash: string;
}

/** How a link is to be opened. */
export interface LinkOptions {
  /** Ends the attempt; the promise rejects with its reason. */
  readonly signal: AbortSignalLike;
  /** The IP address of this machine to connect from; default is what the system chooses. */
  readonly localAddress?: string | undefined;
}

/**
 * What one `write` and one `handleBytes` of a link carry: `stream`, any piece of a stream of bytes in order; `datagram`,
 * one whole datagram, which may get lost; `serial`, whole frames of a line that damages and loses some, which only
 * transports of the library can have.
 */
export type Framing = 'stream' | 'datagram' | 'serial';

/** What somebody wants to do with a URL. */
export type Role = 'listen' | 'connect';
