/**
 * The strict headers of all answers.
 *
 * @module
 */

import type { FastifyHelmetOptions } from '@fastify/helmet';
import type { AppContext } from './context.js';

const SIX_MONTHS = 180 * 86_400;

/** For the API: nothing of an answer is ever run, framed or loaded by a page of somebody else. */
export function apiHeaders(context: AppContext): FastifyHelmetOptions {
  return {
    contentSecurityPolicy: policy({ 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] }),
    // Without TLS browsers ignore it; behind a proxy that has it, it is the proxy's to say.
    strictTransportSecurity:
      context.config().http.tls === undefined ? false : { maxAge: SIX_MONTHS, includeSubDomains: false },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    xXssProtection: false,
  };
}

/** For the page: what comes from here, and nothing inline. */
export const PAGE_HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: policy({
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'connect-src': ["'self'"],
    'img-src': ["'self'", 'data:'],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  }),
};

function policy(directives: Record<string, string[]>) {
  return { useDefaults: false, directives };
}
