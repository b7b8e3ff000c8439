/**
 * What a transport must do: bytes both ways, as a stream or as datagrams, and nothing else. This is all that a listener
 * may touch; keys, frames and sessions are none of its business.
 *
 * @module
 */

import type { Farewell } from '../core/connection.js';
import type { USMPError } from '../core/errors.js';
import type { AbortSignalLike } from '../waiting.js';

/** One open line to one peer. */
export interface Link {
  /** URL scheme, such as `tcp`. */
  readonly transport: string;
  /** The peer for people, such as `192.0.2.7:51234`. */
  readonly peer: string;
  /** What limits per address count by: the IPv4 address, or the /64 network of an IPv6 address. */
  readonly address: string;
  /** Names the one that gets all that happens on the line from now on. Called once, right after opening. */
  attach(handler: LinkHandler): void;
  /** Sends bytes, which the link owns from then on. False when it would rather not take more before `handleDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Stops reading, so that the peer has to wait. */
  pause(): void;
  resume(): void;
  /** Sends what was written and hangs up. */
  close(): void;
  /** Drops everything at once. Over datagrams a session that is over can leave a farewell behind. */
  destroy(farewell?: Farewell): void;
}

/** Who sits at our end of a link. */
export interface LinkHandler {
  /** The peer has proved who it is. */
  readonly authenticated: boolean;
  /** Bytes of the stream, cut anywhere, or one datagram. */
  handleBytes(bytes: Uint8Array): void;
  /** The link takes more after a `write` that returned false. */
  handleDrain(): void;
  /** The peer will send no more. */
  handleEnd(): void;
  /** The link is gone, for whatever reason. Called once, and last; with an error where the link knows why. */
  handleClosed(error?: USMPError): void;
}

/** Somebody who knocked, cannot be let in, and for whom no link was opened. */
export type Stray = Pick<Link, 'transport' | 'peer' | 'address'>;

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
 * one whole datagram, which may get lost; `serial`, whole frames of a line that damages and loses some.
 */
export type Framing = 'stream' | 'datagram' | 'serial';

/** What somebody wants to do with a URL. */
export type Role = 'listen' | 'connect';

/** A way to open links, by URL. */
export interface Transport {
  readonly framing: Framing;
  /** A URL as people write it, such as `tcp://127.0.0.1:9000`: what errors propose. */
  readonly example: string;
  /** Why a URL of this scheme cannot be used, without a full stop; undefined when it can. */
  objection(url: TransportURL, role: Role): string | undefined;
  /** @throws {TransportError} `address_in_use`, `unreachable` */
  listen(
    url: TransportURL,
    onLink: (link: Link) => void,
    onStray?: (stray: Stray, error: USMPError) => void,
  ): Promise<Listener>;
  /** @throws {TransportError} `unreachable` */
  connect(url: TransportURL, options: LinkOptions): Promise<Link>;
}
