/**
 * How commands talk to a gateway: one interface, whether it runs elsewhere, here, or not at all.
 *
 * @module
 */

import { GatewayError, type GatewayErrorCode } from '../errors.js';
import type { MasterKeyRotation } from '../registry/master-key-rotation.js';
import { UnreachableError } from './exit-codes.js';

/** One request, as it is sent. */
export interface WireRequest {
  readonly method: Method;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface WireAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Carries requests to a gateway. */
export interface Carrier {
  /** @throws {UnreachableError} */
  send(request: WireRequest): Promise<WireAnswer>;
  /** An answer that goes on; undefined where nothing goes on, as the gateway is stopped. */
  readonly stream:
    | ((path: string, headers: Readonly<Record<string, string>>, stop: AbortSignal) => Promise<Response>)
    | undefined;
  /** Only of a stopped gateway: no key may be sealed meanwhile. */
  readonly rotateMasterKey?: () => MasterKeyRotation;
  close(): Promise<void>;
}

/** `elsewhere`: named by its URL; `here`: it runs on the data folder; `stopped`: this process has opened the folder. */
export type Place = 'elsewhere' | 'here' | 'stopped';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface ApiRequest {
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** Instead of `body`. */
  readonly csv?: string;
}

/** The API under `/api/v1`. All methods throw GatewayError for what it answers as error, and UnreachableError. */
export class ApiClient {
  readonly place: Place;
  /** For people. */
  readonly name: string;
  /** Where other programs reach the API; only a guess when the gateway was started with other options. */
  readonly url: string;
  readonly #carrier: Carrier;

  constructor(place: Place, name: string, url: string, carrier: Carrier) {
    this.place = place;
    this.name = name;
    this.url = url;
    this.#carrier = carrier;
  }

  get<Answer>(path: string, query: ApiRequest['query'] = {}): Promise<Answer> {
    return this.#json('GET', path, { query });
  }

  post<Answer>(path: string, request: ApiRequest = {}): Promise<Answer> {
    return this.#json('POST', path, request);
  }

  patch<Answer>(path: string, body: unknown): Promise<Answer> {
    return this.#json('PATCH', path, { body });
  }

  delete<Answer>(path: string): Promise<Answer> {
    return this.#json('DELETE', path, {});
  }

  /** An answer that is no JSON. */
  text(path: string, query: ApiRequest['query'] = {}): Promise<string> {
    return this.#request('GET', path, { query });
  }

  /** An answer that goes on until `stop`. */
  async stream(
    path: string,
    {
      query,
      headers,
      stop,
    }: Pick<ApiRequest, 'query'> & { headers: Record<string, string>; stop: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>> {
    if (this.#carrier.stream === undefined) throw new UnreachableError(`${this.name} is stopped`);
    const response = await this.#carrier.stream(pathOf(path, query), headers, stop);
    if (response.ok && response.body !== null) return response.body;
    const contentType = response.headers.get('content-type') ?? '';
    throw errorOf({ status: response.status, contentType, text: await response.text() }, this.name);
  }

  /** Undefined unless the gateway is stopped. */
  get rotateMasterKey(): (() => MasterKeyRotation) | undefined {
    return this.#carrier.rotateMasterKey;
  }

  close(): Promise<void> {
    return this.#carrier.close();
  }

  async #json<Answer>(method: Method, path: string, request: ApiRequest): Promise<Answer> {
    const text = await this.#request(method, path, request);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  async #request(method: Method, path: string, { query, body, csv }: ApiRequest): Promise<string> {
    const type = csv !== undefined ? 'text/csv' : body !== undefined ? 'application/json' : undefined;
    const answer = await this.#carrier.send({
      method,
      path: pathOf(path, query),
      headers: type === undefined ? {} : { 'content-type': type },
      body: csv ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
    if (answer.status >= 200 && answer.status < 300 && !answer.contentType.startsWith('text/html'))
      return answer.text;
    throw errorOf(answer, this.name);
  }
}

/** A path with device names and the like in it: each is one part, whatever its characters. */
export function apiPath(parts: TemplateStringsArray, ...names: (string | number)[]): string {
  return String.raw({ raw: parts.raw }, ...names.map((name) => encodeURIComponent(name)));
}

function pathOf(path: string, query: ApiRequest['query'] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return `/api/v1${path}${search.size === 0 ? '' : `?${search}`}`;
}

/** What an answer that is no success means. */
function errorOf({ status, text }: WireAnswer, name: string): Error {
  const { code, message, field } = errorIn(text) ?? {};
  if (code !== undefined && message !== undefined)
    return new GatewayError(code, message, field === undefined ? {} : { field });
  return new UnreachableError(
    `${name} answers with HTTP status ${status}, and not as a gateway does: check the address`,
  );
}

/** The error of an answer of the API; undefined when it is none. */
export function errorIn(
  text: string,
): { readonly code: GatewayErrorCode; readonly message: string; readonly field?: string } | undefined {
  try {
    const { error } = JSON.parse(text);
    return typeof error?.code === 'string' && typeof error.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
