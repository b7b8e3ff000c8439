/**
 * Requests to a gateway that runs, by HTTP.
 *
 * @module
 */

import type { Carrier, WireAnswer, WireRequest } from './api-client.js';
import { UnreachableError } from './exit-codes.js';

/** Longest wait for an answer; an import of many devices takes seconds. Milliseconds. */
const TIMEOUT = 60_000;

/** There is nobody at the address. */
export class NobodyThereError extends UnreachableError {}

/** Sends requests to an address, with a token. */
export class HTTPCarrier implements Carrier {
  readonly #url: string;
  readonly #token: string;
  readonly #timeout: number;

  /** @param url without a slash at its end */
  constructor(url: string, token: string, timeout = TIMEOUT) {
    this.#url = url;
    this.#token = token;
    this.#timeout = timeout;
  }

  async send({ method, path, headers, body }: WireRequest): Promise<WireAnswer> {
    try {
      const response = await this.#fetch(path, {
        method,
        headers,
        body: body ?? null,
        signal: AbortSignal.timeout(this.#timeout),
      });
      const contentType = response.headers.get('content-type') ?? '';
      return { status: response.status, contentType, text: await response.text() };
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  stream = async (path: string, headers: Readonly<Record<string, string>>, stop: AbortSignal) => {
    try {
      return await this.#fetch(path, { headers, signal: stop });
    } catch (error) {
      throw stop.aborted ? error : this.#unreachable(error);
    }
  };

  async close(): Promise<void> {}

  #fetch(
    path: string,
    request: RequestInit & { headers: Readonly<Record<string, string>> },
  ): Promise<Response> {
    const headers = { ...request.headers, authorization: `Bearer ${this.#token}` };
    // Whoever redirects is no gateway, and gets no token for it.
    return fetch(this.#url + path, { ...request, headers, redirect: 'manual' });
  }

  #unreachable(error: unknown): UnreachableError {
    const { name, cause } = error as Error & {
      cause?: NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] };
    };
    if (name === 'TimeoutError')
      return new UnreachableError(`${this.#url} does not answer: look at the log of the gateway`);
    const { code = '', message = '' } = cause?.errors?.[0] ?? cause ?? (error as NodeJS.ErrnoException);
    if (code === 'ECONNREFUSED')
      return new NobodyThereError(
        `nobody answers at ${this.#url}: check the address, and whether the gateway runs`,
      );
    return new UnreachableError(`${this.#url} cannot be reached: ${REASONS[code] ?? (message || code)}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up at present',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to its network',
  UND_ERR_CONNECT_TIMEOUT: 'nobody answers there in time',
  ECONNRESET: 'the connection was cut: is it https?',
  UND_ERR_SOCKET: 'the connection was cut: is it https?',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name a file with it in NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is from an unknown root: name a file with it in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is from an unknown root: name a file with it in NODE_EXTRA_CA_CERTS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it http?',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};
