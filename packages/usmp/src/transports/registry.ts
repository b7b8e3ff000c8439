/**
 * Which transport does a URL mean?
 *
 * @module
 */

import { ArgumentError } from '../core/errors.js';
import type { Role, Transport, TransportURL } from './transport.js';

/** Schemes of URLs (RFC 3986 §3.1), as URL parsers give them back. */
const SCHEME = /^[a-z][a-z0-9+.-]*$/;

/** A transport, and the URL that asked for it. */
export interface FoundTransport {
  readonly transport: Transport;
  readonly url: TransportURL;
}

/** The transports of a platform, by the scheme of their URLs. */
export class TransportRegistry {
  readonly #transports: Map<string, Transport>;

  constructor(transports: Readonly<Record<string, Transport>>) {
    this.#transports = new Map(Object.entries(transports));
  }

  /**
   * Adds a transport. Returns the function that removes it.
   *
   * @throws {ArgumentError} the name is no scheme, or taken
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
    if (objection === undefined) return { transport, url };
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
