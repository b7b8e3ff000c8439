/**
 * Requests to the API, and errors that people understand.
 *
 * @module
 */

import { BASE } from '../base.js';

/** What a request waits for its answer. Milliseconds. */
const PATIENCE = 15_000;

export class ApiError extends Error {
  /** HTTP status; 0: there was no answer. */
  readonly status: number;
  readonly code: string;
  /** Which field of a form it is about. */
  readonly field: string | undefined;

  constructor(status: number, code: string, message: string, field?: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.field = field;
  }

  get isAway(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504;
  }
}

type Values = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the API says instead is for programs. */
const LOGIN_ENDED = 'This login has ended: log in again.';

/** Called when a request was refused because nobody is logged in. */
let signedOut: (message: string) => void = () => {};

export function onSignedOut(listener: (message: string) => void): void {
  signedOut = listener;
}

/** How far the clock of the gateway is ahead of this one, to a second. Milliseconds. */
let clockOffset = 0;

/** The time as the gateway has it. Milliseconds since 1970. */
export function gatewayNow(): number {
  return Date.now() + clockOffset;
}

export function get<Answer>(path: string, query: Values = {}): Promise<Answer> {
  return request<Answer>('GET', `${path}${queryOf(query)}`);
}

export function post<Answer>(
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return request<Answer>('POST', path, body, headers);
}

export function patch<Answer>(path: string, body: unknown): Promise<Answer> {
  return request<Answer>('PATCH', path, body);
}

export function remove<Answer = undefined>(path: string): Promise<Answer> {
  return request<Answer>('DELETE', path);
}

/** `?a=1`, or nothing. */
export function queryOf(values: Values): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** A path of the API about one device. */
export function devicePath(id: string, rest = ''): string {
  return `api/v1/devices/${encodeURIComponent(id)}${rest}`;
}

async function request<Answer>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(BASE + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(PATIENCE),
  }).catch(() => {
    throw new ApiError(
      0,
      'away',
      'The gateway does not answer. Is it running? This page tries again by itself.',
    );
  });
  noteClock(response);
  if (response.ok) return response.status === 204 ? (undefined as Answer) : await jsonOf<Answer>(response);
  const error = await errorOf(response);
  if (error.status !== 401 || path === 'login') throw error;
  signedOut(LOGIN_ENDED);
  throw new ApiError(401, error.code, LOGIN_ENDED);
}

async function jsonOf<Answer>(response: Response): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch {
    throw new ApiError(0, 'away', 'The answer of the gateway broke off. This page tries again by itself.');
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const { status } = response;
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string; field?: string } };
    return new ApiError(status, error.code, sentence(error.message), error.field);
  } catch {
    return new ApiError(status, 'unknown', `Something between this page and the gateway answers ${status}.`);
  }
}

function noteClock(response: Response): void {
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds: half of one is what is missing on average.
  if (!Number.isNaN(date)) clockOffset = date + 500 - Date.now();
  if (Math.abs(clockOffset) < 1_500) clockOffset = 0;
}

/** The API writes errors as parts of a sentence. */
export function sentence(text: string): string {
  const begun = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** What to show of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
