/**
 * What an operation of the API is: its route, who may use it, what it takes and answers. Routes and the OpenAPI document
 * are made of the same list.
 *
 * @module
 */

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { GatewayErrorCode } from '../errors.js';
import type { Role } from '../model.js';
import type { Gate } from './access.js';
import type { AppContext } from './context.js';
import type { EventStreams } from './event-stream.js';

/** Who calls. */
export interface Caller {
  /** Of the token, or `browser`. */
  readonly name: string;
  readonly role: Role;
  /** Whether the token or the session would still be accepted. */
  readonly stillValid: () => boolean;
}

/** `open`: everybody; `scrape`: programs on the same machine, and everybody of role `read`. */
export type Access = 'open' | 'scrape' | Role;

export type ContentType =
  | 'application/json'
  | 'text/css'
  | 'text/csv'
  | 'text/event-stream'
  | 'text/html'
  | 'text/javascript'
  | 'text/plain';

/** One of the answers that are no errors. */
export interface Answer {
  readonly description: string;
  /** Nothing is answered but the status, unless there is one of these. */
  readonly schema?: z.ZodType;
  readonly type?: ContentType;
}

/** What the app itself has for handlers. */
export interface Services {
  readonly context: AppContext;
  readonly gate: Gate;
  readonly streams: EventStreams;
  /** The OpenAPI document. */
  readonly document: () => object;
  readonly startedAt: number;
  /** Where a browser reaches the gateway, without a slash at its end. */
  readonly baseUrl: (request: FastifyRequest) => string;
}

/** What a handler works with; all of it is checked. */
export interface Call<Params = unknown, Query = unknown, Headers = unknown, Body = unknown> {
  readonly context: AppContext;
  readonly services: Services;
  readonly caller: Caller | undefined;
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** One operation, as its route is made of it. */
export interface Operation {
  /** Unique; `operationId` of OpenAPI. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** As OpenAPI writes it: `/api/v1/devices/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly bodyType?: 'application/json' | 'text/csv';
  /** Whether it is a part of the page that browsers show. */
  readonly page?: boolean;
  /** By status; the first is what a handler answers that sets none. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Errors that come from what the operation does; those of access and of wrong requests are added to them. */
  readonly errors?: readonly GatewayErrorCode[];
  readonly handle: (call: Call) => unknown;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

interface TypedOperation<
  Params extends z.ZodObject | undefined,
  Query extends z.ZodObject | undefined,
  Headers extends z.ZodObject | undefined,
  Body extends z.ZodType | undefined,
> extends Omit<Operation, 'params' | 'query' | 'headers' | 'body' | 'handle'> {
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: Body;
  readonly handle: (call: Call<Output<Params>, Output<Query>, Output<Headers>, Output<Body>>) => unknown;
}

/** An operation whose handler has the types that its schemas say. */
export function operation<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Headers extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(typed: TypedOperation<Params, Query, Headers, Body>): Operation {
  return typed as unknown as Operation;
}

/** As Fastify writes a path: `/api/v1/devices/:id`. */
export function routeOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}
