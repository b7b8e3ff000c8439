/**
 * The HTTP server: protections, the routes of all operations, errors.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { type FastifyInstance, type FastifyRequest, fastify, LogController } from 'fastify';
import { GatewayError } from '../errors.js';
import { checkHost, Gate, MAX_FAILURES } from './access.js';
import { addBodyParsers, NoBody, NoQuery } from './bodies.js';
import { closeUnused } from './connections.js';
import type { AppContext } from './context.js';
import { EventStreams, type StreamLimits } from './event-stream.js';
import { answerClientError, answerError, answerFrameworkError } from './failures.js';
import { apiHeaders, PAGE_HEADERS } from './headers.js';
import { openApiDocument } from './openapi.js';
import { type Caller, type Operation, routeOf, type Services } from './operation.js';
import { OPERATIONS } from './operations.js';
import { RequestCounts } from './request-counts.js';
import { validatorCompiler } from './validation.js';

export type { AppContext } from './context.js';

const MINUTE = 60_000;

/** For a whole request to come in. Milliseconds. */
const REQUEST_TIMEOUT = 60_000;

/** Longest name that may stand in a path; what is longer is none. Characters. */
const MAX_PARAM = 500;

export interface AppOptions {
  /** Limits of event streams; for tests. */
  readonly streams?: Partial<StreamLimits>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined;
  }
  interface FastifyInstance {
    /** Event streams that are open. */
    readonly eventStreams: EventStreams;
    /** Requests of commands on this machine, which are not counted. */
    readonly unlimited: WeakSet<IncomingMessage>;
  }
  interface FastifyContextConfig {
    operation?: Operation;
  }
}

/**
 * Makes the server of the HTTP API; `listen` of it opens it, `close` ends event streams and closes it.
 *
 * @throws {GatewayError} `unavailable`: the certificate or its key cannot be read
 */
export async function createApp(context: AppContext, options: AppOptions = {}): Promise<FastifyInstance> {
  const app = makeFastify(context);
  app.decorateRequest('caller', undefined);
  app.decorate('unlimited', new WeakSet());
  app.setValidatorCompiler(validatorCompiler as never);
  app.setErrorHandler(answerError);
  await app.register(rateLimit, {
    global: false,
    max: () => context.config().http.rateLimit,
    timeWindow: MINUTE,
    store: RequestCounts as never,
    // Nobody else must be able to keep the operator from revoking a key.
    allowList: ({ raw }) => app.unlimited.has(raw),
    errorResponseBuilder: (_request, { ttl }) =>
      new GatewayError(
        'rate_limited',
        `too many requests from this address: wait ${Math.ceil(ttl / 1_000)} s, or raise http.rate_limit in the configuration`,
      ),
  });
  await app.register(helmet, apiHeaders(context));
  const services = makeServices(app, context, options);
  closeUnused(app);
  addProtections(app, services);
  addRequestLog(app, context);
  addRoutes(app, services);
  return app;
}

/** Reads certificate and key again, as after a renewal. Connections that are open keep the old ones. */
export function reloadCertificate(app: FastifyInstance, context: AppContext): void {
  const tls = tlsOptions(context);
  if (tls !== undefined && 'setSecureContext' in app.server)
    (app.server as unknown as { setSecureContext(options: object): void }).setSecureContext(tls);
}

function makeFastify(context: AppContext): FastifyInstance {
  const { http } = context.config();
  const https = tlsOptions(context);
  return fastify({
    loggerInstance: context.logger,
    logController: new LogController({ disableRequestLogging: true }),
    // One hop, which is the proxy: whatever stands before it in X-Forwarded-For was made up by the caller.
    trustProxy: http.trustProxy ? (_address, hop) => hop === 0 : false,
    bodyLimit: Math.min(http.bodyLimit, JSON_LIMIT),
    requestTimeout: REQUEST_TIMEOUT,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MAX_PARAM },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
    ...(https === undefined ? {} : { https }),
  }) as unknown as FastifyInstance;
}

/** Everything but an import of devices is a message, which has at most 1,808 bytes, or less. Bytes. */
const JSON_LIMIT = 64 * 1024;

function tlsOptions(context: AppContext) {
  const { tls } = context.config().http;
  if (tls === undefined) return undefined;
  try {
    return { cert: readFileSync(tls.cert), key: readFileSync(tls.key), minVersion: 'TLSv1.2' as const };
  } catch (error) {
    throw new GatewayError('unavailable', `certificate: ${(error as Error).message}`, { cause: error });
  }
}

function makeServices(app: FastifyInstance, context: AppContext, options: AppOptions): Services {
  const streams = new EventStreams(
    context.events,
    (open) => context.metrics.eventStreams(open),
    options.streams,
  );
  app.decorate('eventStreams', streams);
  app.addHook('preClose', async () => streams.close());
  const limiter = app.createRateLimit({ max: MAX_FAILURES, timeWindow: MINUTE });
  const gate = new Gate(context, async (request) => {
    const result = await limiter(request);
    return !result.isAllowed && result.isExceeded ? Math.max(1, result.ttlInSeconds) : undefined;
  });
  // Made when somebody asks: it takes as long as all the rest of the start.
  let document: object | undefined;
  return {
    context,
    gate,
    streams,
    document: () => {
      document ??= openApiDocument(OPERATIONS, context.version);
      return document;
    },
    startedAt: Date.now(),
    baseUrl: (request) => context.config().http.url ?? ownUrl(app, context, request),
  };
}

/** Where the request has reached the gateway, unless it listens at one address alone. */
function ownUrl(app: FastifyInstance, context: AppContext, request: FastifyRequest): string {
  const { host } = context.config().http;
  const address = app.server.address() as AddressInfo | null;
  if (address === null || host === '0.0.0.0' || host === '::') return `${request.protocol}://${request.host}`;
  return `${request.protocol}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function addProtections(app: FastifyInstance, { context, gate }: Services): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    checkHost(context, request);
  });
  app.addHook('onRequest', app.rateLimit());
  app.addHook('onRequest', async (request, reply) => {
    const { operation } = request.routeOptions.config;
    if (operation !== undefined) request.caller = await gate.admit(operation.access, request, reply);
  });
}

/** Without the query: it may have the ticket of a login link. */
function addRequestLog(app: FastifyInstance, context: AppContext): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, ip } = request;
    const { statusCode: status, elapsedTime } = reply;
    const { operation } = request.routeOptions.config;
    const isStream = operation?.id === 'streamEvents' && status === 200;
    context.metrics.httpRequest(
      operation?.path ?? 'unmatched',
      method,
      status,
      isStream ? undefined : elapsedTime / 1_000,
    );
    const level = status >= 500 ? 'warn' : method === 'GET' ? 'debug' : 'info';
    const path = request.url.split('?', 1)[0];
    const ms = Math.round(elapsedTime * 10) / 10;
    request.log[level]({ method, path, status, ms, address: ip, caller: request.caller?.name }, 'request');
  });
}

function addRoutes(app: FastifyInstance, services: Services): void {
  for (const bodyType of ['application/json', 'text/csv'] as const)
    app.register(async (part) => {
      addBodyParsers(part, bodyType);
      for (const operation of OPERATIONS)
        if ((operation.bodyType ?? 'application/json') === bodyType) addRoute(part, services, operation);
    });
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsAt(request.url);
    if (allowed.length === 0)
      throw new GatewayError('not_found', 'there is nothing here: see /api/v1/openapi.json');
    reply.header('allow', allowed.join(', '));
    throw new GatewayError('method_not_allowed', `only ${allowed.join(', ')} can be done here`);
  });
}

function addRoute(app: FastifyInstance, services: Services, operation: Operation): void {
  const { params, query, headers, body, bodyType, page } = operation;
  const changes = operation.method !== 'GET';
  const status = Number(Object.keys(operation.answers)[0]);
  app.route({
    method: operation.method,
    url: routeOf(operation.path),
    config: { operation },
    schema: {
      ...(params === undefined ? {} : { params }),
      // Who follows a link to the page may bring anything.
      ...(page === true && query === undefined ? {} : { querystring: query ?? NoQuery }),
      ...(headers === undefined ? {} : { headers }),
      ...(changes ? { body: body ?? NoBody } : {}),
    },
    ...(bodyType === 'text/csv' ? { bodyLimit: services.context.config().http.bodyLimit } : {}),
    ...(page === true ? { helmet: PAGE_HEADERS } : {}),
    async handler(request, reply) {
      reply.code(status);
      const { params, query, headers, caller } = request;
      const { context } = services;
      const body = request.body ?? undefined;
      const answer = await operation.handle({
        ...{ context, services, caller, request, reply },
        ...{ params, query, headers, body },
      });
      // An event stream has its own way, and stays open.
      if (reply.sent) return reply;
      return answer === undefined ? reply.send() : answer;
    },
  });
}

const PATHS = OPERATIONS.map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
}));

function methodsAt(url: string): readonly string[] {
  const path = url.split('?', 1)[0]!;
  return PATHS.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
}
