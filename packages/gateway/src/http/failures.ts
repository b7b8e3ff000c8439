/**
 * How errors are answered: as JSON with a stable code, and nothing of the inside.
 *
 * @module
 */

import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError, type GatewayErrorCode } from '../errors.js';
import { pageInstead } from './navigation.js';

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string };
}

/** Codes that a mistyped address has. */
const WRONG_ADDRESS: readonly GatewayErrorCode[] = ['invalid', 'not_found', 'method_not_allowed'];

export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failure = asGatewayError(error);
  const page = WRONG_ADDRESS.includes(failure.code) ? pageInstead(request) : undefined;
  if (page !== undefined) return void reply.code(303).header('location', page).send();
  const route = request.routeOptions.url;
  // What has a message for the caller needs no stack.
  if (failure.code === 'internal') request.log.error({ err: error, route }, 'request failed');
  else if (failure.status >= 500) request.log.warn({ route }, failure.message);
  reply.code(failure.status).type('application/json; charset=utf-8').send(bodyOf(failure));
}

/** What Fastify itself finds wrong, before any route is chosen. */
export function answerFrameworkError(
  error: FastifyError,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const failure = asGatewayError(error);
  reply.code(failure.status).type('application/json; charset=utf-8').send(bodyOf(failure));
}

/** What is no HTTP, or too much of it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? [
    '400 Bad Request',
    'this is no valid HTTP request',
  ];
  const body = JSON.stringify(bodyOf(new GatewayError('invalid', message)));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n${body}`,
  );
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come in time'],
};

function bodyOf({ code, message, field }: GatewayError): ErrorBody {
  return { error: field === undefined ? { code, message } : { code, message, field } };
}

function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const { statusCode = 500, code } = error as Partial<FastifyError>;
  const told = FRAMEWORK_ERRORS[code ?? ''];
  if (told !== undefined) return new GatewayError(...told);
  // Its text is for developers, and may quote what was sent.
  if (statusCode >= 400 && statusCode < 500) return new GatewayError('invalid', 'the request cannot be read');
  return new GatewayError('internal', 'something went wrong in the gateway: its log has more', {
    cause: error,
  });
}

const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [GatewayErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', 'the body is too large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_type', 'this Content-Type is not taken here'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid', 'the body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['invalid', 'the path is not valid: is a % not followed by two digits?'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'a part of the path is too long'],
};
