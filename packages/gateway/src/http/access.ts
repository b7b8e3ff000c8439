/**
 * Who may do what: bearer tokens, the cookie of a browser session, and where requests may come from.
 *
 * @module
 */

import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback } from '../config/endpoint.js';
import { GatewayError } from '../errors.js';
import { ROLES, type Role } from '../model.js';
import type { AppContext } from './context.js';
import type { Access, Caller } from './operation.js';

const COOKIE = 'usmp-gateway';

/** Failed attempts a minute and address, before they are answered with 429. */
export const MAX_FAILURES = 10;

/** Counts a failure of an address; undefined while there are not too many, else seconds to wait. */
export type FailureCounter = (request: FastifyRequest) => Promise<number | undefined>;

/** Decides about requests. */
export class Gate {
  readonly #context: AppContext;
  readonly #countFailure: FailureCounter;

  constructor(context: AppContext, countFailure: FailureCounter) {
    this.#context = context;
    this.#countFailure = countFailure;
  }

  /**
   * Lets a request of that kind pass, or not.
   *
   * @returns who calls; undefined where nobody needs to say so
   * @throws {GatewayError} `unauthorized`, `forbidden`, `rate_limited`
   */
  async admit(access: Access, request: FastifyRequest, reply: FastifyReply): Promise<Caller | undefined> {
    if (access === 'open') return undefined;
    const { authorization, cookie } = request.headers;
    const sessionId = cookie === undefined ? undefined : parseCookie(cookie)[COOKIE];
    if (authorization === undefined && access === 'scrape' && isLocal(request)) return undefined;
    const needed = access === 'scrape' ? 'read' : access;
    if (authorization !== undefined) {
      const caller = this.#bearer(authorization);
      if (caller === undefined)
        return this.failed(request, reply, 'this token is unknown, expired or removed');
      return withRole(needed, caller);
    }
    if (sessionId === undefined) {
      reply.header('www-authenticate', CHALLENGE);
      throw new GatewayError(
        'unauthorized',
        'no token: send Authorization: Bearer …, or log in by a link of usmp-gateway login-link',
      );
    }
    if (!isSameOrigin(request, this.#ownOrigins(request)))
      throw new GatewayError('forbidden', 'a page of another origin must not use the login of this one');
    const caller = this.#browser(sessionId);
    if (caller !== undefined) return withRole(needed, caller);
    this.forget(request, reply);
    return this.failed(request, reply, 'this login has ended: get a new link with usmp-gateway login-link');
  }

  /**
   * A wrong secret. Those that follow from the address are refused without hurting who shares it and has a right one:
   * secrets have 256 bits, so that what is limited is the noise, not the odds.
   */
  async failed(request: FastifyRequest, reply: FastifyReply, message: string): Promise<never> {
    const wait = await this.#countFailure(request);
    if (wait !== undefined) {
      reply.header('retry-after', wait);
      throw new GatewayError('rate_limited', `too many failed logins from this address: wait ${wait} s`);
    }
    this.#context.logger.warn(
      { address: request.ip, path: request.routeOptions.url },
      'authentication failed',
    );
    reply.header('www-authenticate', `${CHALLENGE}, error="invalid_token"`);
    throw new GatewayError('unauthorized', message);
  }

  /** Makes the browser send the session from now on. */
  remember(request: FastifyRequest, reply: FastifyReply, sessionId: string): void {
    reply.header('set-cookie', this.#cookie(request, sessionId));
  }

  /** Makes the browser forget its session, which ends. */
  forget(request: FastifyRequest, reply: FastifyReply): void {
    const { cookie } = request.headers;
    const sessionId = cookie === undefined ? undefined : parseCookie(cookie)[COOKIE];
    if (sessionId !== undefined) this.#context.logins.logout(sessionId);
    reply.header('set-cookie', this.#cookie(request, ''));
  }

  #bearer(authorization: string): Caller | undefined {
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    const facts = token === undefined ? undefined : this.#context.tokens.verify(token);
    if (token === undefined || facts === undefined) return undefined;
    return {
      name: facts.name,
      role: facts.role,
      stillValid: () => this.#context.tokens.verify(token) !== undefined,
    };
  }

  #browser(sessionId: string): Caller | undefined {
    const role = this.#context.logins.verify(sessionId);
    if (role === undefined) return undefined;
    return {
      name: 'browser',
      role,
      stillValid: () => this.#context.logins.verify(sessionId) !== undefined,
    };
  }

  #ownOrigins(request: FastifyRequest): readonly string[] {
    const { url } = this.#context.config().http;
    const here = `${request.protocol}://${request.host}`;
    return url === undefined ? [here] : [here, new URL(url).origin];
  }

  #cookie(request: FastifyRequest, value: string): string {
    const { url } = this.#context.config().http;
    return stringifySetCookie({
      name: COOKIE,
      value,
      path: '/',
      httpOnly: true,
      sameSite: 'strict',
      secure: request.protocol === 'https' || url?.startsWith('https:') === true,
      ...(value === '' ? { maxAge: 0 } : {}),
    });
  }
}

const CHALLENGE = 'Bearer realm="usmp-gateway"';

/**
 * On the loopback interface only names of this machine are answered: a page of the internet whose name was made to point
 * here (DNS rebinding) is turned away.
 *
 * @throws {GatewayError} `forbidden`
 */
export function checkHost(context: AppContext, request: FastifyRequest): void {
  const { host, url } = context.config().http;
  if (!isLoopback(host)) return;
  const name = hostName(request.headers.host);
  if (LOCAL_NAMES.includes(name) || name === host.toLowerCase()) return;
  if (url !== undefined && name === new URL(url).hostname) return;
  throw new GatewayError(
    'forbidden',
    'this host name is not known here: use localhost, or set http.url to the address of the proxy',
  );
}

const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]'];

function hostName(header: string | undefined): string {
  return (header ?? '').replace(/:[0-9]*$/, '').toLowerCase();
}

/** Whether it comes from this machine, and not through a proxy on it. */
function isLocal(request: FastifyRequest): boolean {
  const { headers, raw } = request;
  const proxied = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (name) => headers[name] !== undefined,
  );
  const address = raw.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  return !proxied && isLoopback(address) && LOCAL_NAMES.includes(hostName(headers.host));
}

/** Browsers tell where a request comes from; one with a cookie of ours that does not say so changes nothing. */
function isSameOrigin(request: FastifyRequest, origins: readonly string[]): boolean {
  const { 'sec-fetch-site': site, origin } = request.headers;
  const reads = request.method === 'GET';
  if (site !== undefined) return site === 'same-origin' || (reads && site === 'none');
  if (origin !== undefined) return origins.includes(origin);
  return reads;
}

function withRole(needed: Role, caller: Caller): Caller {
  if (ROLES.indexOf(caller.role) >= ROLES.indexOf(needed)) return caller;
  throw new GatewayError(
    'forbidden',
    `this needs the role ${needed}; ${caller.name} has the role ${caller.role}`,
  );
}
