/** How a browser gets in with a token, which it sends once and need not keep. */

import { type Operation, operation } from '../operation.js';
import { TokenLoginBody } from '../schemas.js';

const login = operation({
  id: 'loginWithToken',
  method: 'POST',
  path: '/login',
  tag: 'access',
  summary: 'Log a browser in with a token',
  description: 'The session has the role of the token, and ends with it.',
  access: 'open',
  body: TokenLoginBody,
  answers: { 204: { description: 'The browser is logged in.' } },
  errors: ['unauthorized'],
  async handle({ context, services, body: { token }, request, reply }) {
    const facts = context.tokens.verify(token);
    if (facts === undefined)
      return services.gate.failed(request, reply, 'this token is unknown, expired or removed');
    services.gate.remember(request, reply, context.logins.open(facts.role, facts.id));
    reply.code(204);
  },
});

export const tokenLoginOperations: readonly Operation[] = [login];
