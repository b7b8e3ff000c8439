/** Tokens for programs, links for browsers. */

import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { tokenAnswer } from '../answers.js';
import { dashboardPage } from '../dashboard.js';
import { type Operation, operation } from '../operation.js';
import { named, text } from '../schema-kit.js';
import { LoginLinkBody, NewTokenBody, TokenAnswer } from '../schemas.js';
import { MAX_TEXT } from './device-parts.js';

const list = operation({
  id: 'listTokens',
  method: 'GET',
  path: '/api/v1/tokens',
  tag: 'access',
  summary: 'Tokens, without their secrets',
  access: 'admin',
  answers: {
    200: {
      description: 'All of them.',
      schema: named('TokenList', 'Tokens.', z.strictObject({ tokens: z.array(TokenAnswer) })),
    },
  },
  handle: ({ context }) => ({ tokens: context.tokens.list().map(tokenAnswer) }),
});

const create = operation({
  id: 'createToken',
  method: 'POST',
  path: '/api/v1/tokens',
  tag: 'access',
  summary: 'Make a token',
  access: 'admin',
  body: NewTokenBody,
  answers: {
    201: {
      description: 'The token with its secret, this once.',
      schema: named(
        'CreatedToken',
        'A new token; `secret` is never shown again.',
        z.strictObject({ token: TokenAnswer, secret: z.string() }),
      ),
    },
  },
  errors: ['unavailable', 'storage_full'],
  handle({ context, body: { name, role, expiresAt } }) {
    const made = context.tokens.create(
      name,
      role,
      expiresAt === undefined ? undefined : Date.parse(expiresAt),
    );
    return { token: tokenAnswer(made.facts), secret: made.token };
  },
});

const remove = operation({
  id: 'removeToken',
  method: 'DELETE',
  path: '/api/v1/tokens/{id}',
  tag: 'access',
  summary: 'End a token at once',
  access: 'admin',
  params: z.strictObject({ id: text(MAX_TEXT) }),
  answers: { 204: { description: 'Nobody gets in with it any more.' } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  handle({ context, params, reply }) {
    if (!context.tokens.remove(params.id)) throw new GatewayError('not_found', 'no token has this id');
    reply.code(204);
  },
});

const link = operation({
  id: 'createLoginLink',
  method: 'POST',
  path: '/api/v1/login-links',
  tag: 'access',
  summary: 'Make a link that logs a browser in, once, within ten minutes',
  access: 'admin',
  body: LoginLinkBody.optional(),
  answers: {
    201: {
      description: 'The link.',
      schema: named('LoginLink', 'A link for one browser.', z.strictObject({ url: z.string() })),
    },
  },
  handle({ context, services, body, request }) {
    const ticket = context.logins.createTicket(body?.role ?? 'admin');
    return { url: `${services.baseUrl(request)}/login?ticket=${ticket}` };
  },
});

const login = operation({
  id: 'login',
  method: 'GET',
  path: '/login',
  tag: 'access',
  summary: 'Where a login link leads',
  access: 'open',
  page: true,
  query: z.strictObject({ ticket: text(MAX_TEXT) }),
  answers: {
    303: { description: 'The browser is logged in and goes on to the page.' },
    401: {
      description: 'The link was used before, or is too old.',
      schema: z.string(),
      type: 'text/html',
    },
  },
  async handle({ context, services, query, request, reply }) {
    const sessionId = context.logins.redeem(query.ticket);
    if (sessionId !== undefined) {
      services.gate.remember(request, reply, sessionId);
      // Relative: a proxy may have put the gateway below a path.
      return void reply.code(303).header('location', './');
    }
    const error = await services.gate
      .failed(request, reply, 'link')
      .catch((failure: GatewayError) => failure);
    if (error.code !== 'unauthorized') throw error;
    reply.code(401).type('text/html; charset=utf-8');
    // At this path it says that the link is void.
    return dashboardPage(0);
  },
});

const logout = operation({
  id: 'logout',
  method: 'POST',
  path: '/logout',
  tag: 'access',
  summary: 'End the session of this browser',
  access: 'read',
  answers: { 204: { description: 'It is over.' } },
  handle({ services, request, reply }) {
    services.gate.forget(request, reply);
    reply.code(204);
  },
});

export const accessOperations: readonly Operation[] = [list, create, remove, link, login, logout];
