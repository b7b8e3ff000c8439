/**
 * Which transport does a URL mean, and which connection goes over it?
 *
 * @module
 */

import type { Connection, ConnectionSettings } from '../core/connection.js';
import { ArgumentError } from '../core/errors.js';
import type { ClientCredentials } from '../core/handshake.js';
import type { Framing, Role, Transport, TransportURL } from './transport.js';

/** Schemes of URLs (RFC 3986 §3.1), as URL parsers give them back. */
const SCHEME = /^[a-z][a-z0-9+.-]*$/;

/** Makes connections of one kind: a client's with its credentials, a server's without. */
export type ConnectionType = new (
  settings: ConnectionSettings,
  now: number,
  client?: ClientCredentials,
) => Connection;

/** What a platform can do over links, by their framing. */
export type ConnectionTypes = Readonly<Partial<Record<Framing, ConnectionType>>>;

/** A transport, the URL that asked for it, and what to make of its links. */
export interface FoundTransport {
  readonly transport: Transport;
  readonly url: TransportURL;
  readonly Connection: ConnectionType;
}

/**
 * The transports of a platform, by the scheme of their URLs. The connections come with them, so that a platform holds only
 * those that it has a use for.
 */
export class TransportRegistry {
  readonly #transports: Map<string, Transport>;
  readonly #connections: ConnectionTypes;

  constructor(transports: Readonly<Record<string, Transport>>, connections: ConnectionTypes) {
    this.#transports = new Map(Object.entries(transports));
    this.#connections = connections;
  }

  /**
   * Adds a transport. Returns the function that removes it.
   *
   * @throws {ArgumentError} the name is no scheme, or taken; or there are no connections for links of that framing here
   */
  register(name: string, transport: Transport): () => void {
    if (typeof name !== 'string' || !SCHEME.test(name)) {
      throw new ArgumentError(
        'invalid_argument',
        `"${name}" is no scheme of URLs: use a lower-case letter, then lower-case letters, digits, "+", "-" and "."`,
      );
    }
    if (this.#transports.has(name)) {
      throw new ArgumentError('invalid_argument', `there is a transport "${name}" already`);
    }
    if (this.#connections[transport.framing] === undefined) {
      const known = Object.keys(this.#connections).join(', ');
      throw new ArgumentError(
        'invalid_argument',
        `transport "${name}" has the framing "${transport.framing}", which is not known here: use ${known}`,
      );
    }
    this.#transports.set(name, transport);
    return () => {
      if (this.#transports.get(name) === transport) this.#transports.delete(name);
    };
  }

  /**
   * Finds the transport of a URL.
   *
   * @throws {ArgumentError} the URL cannot be used; the message says what to write instead
   */
  find(text: string, role: Role): FoundTransport {
    const url = parseURL(text);
    const transport = url && this.#transports.get(url.protocol.slice(0, -1));
    if (url === undefined || transport === undefined) throw this.#unknown(text, url);
    const objection = transport.objection?.(url, role);
    if (objection === undefined) {
      return { transport, url, Connection: this.#connections[transport.framing]! };
    }
    throw new ArgumentError(
      'invalid_argument',
      `"${text}" cannot be used: ${objection}; write it like ${transport.example}`,
    );
  }

  #unknown(text: string, url: URL | undefined): ArgumentError {
    const [first] = this.#transports.values();
    const hint = `write it like ${first?.example}`;
    if (url === undefined) return new ArgumentError('invalid_argument', `"${text}" is not a URL: ${hint}`);
    const scheme = url.protocol.slice(0, -1);
    const known = [...this.#transports.keys()].join(', ');
    // "localhost:9000" is a URL as well.
    const wrong = /^\d*\/?$/.test(text.slice(scheme.length + 1))
      ? 'the transport is missing'
      : `unknown transport "${scheme}", known: ${known}`;
    return new ArgumentError('invalid_argument', `"${text}": ${wrong}; ${hint}`);
  }
}

function parseURL(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
