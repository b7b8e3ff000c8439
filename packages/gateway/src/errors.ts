/**
 * Errors that tell a caller of the HTTP API or of the command line what went wrong and what to do.
 *
 * @module
 */

/** Stable names; the HTTP API answers each with its status. */
export const ERROR_STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  unsupported_type: 415,
  outbox_full: 429,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  storage_full: 507,
} as const;

export type GatewayErrorCode = keyof typeof ERROR_STATUS;

/** Something a caller has to know. Its message says what happened and what to do, and never contains a key. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;
  /** Which field of a request or which option it is about, such as `tags[0]`. */
  readonly field: string | undefined;

  constructor(
    code: GatewayErrorCode,
    message: string,
    options: { readonly field?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.field = options.field;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}
