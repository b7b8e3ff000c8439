/**
 * People who open an address that is none, such as that of a page with a slash at its end: JSON tells them nothing, so that
 * they are led to a page.
 *
 * @module
 */

import type { FastifyRequest } from 'fastify';
import { pageOperations } from './routes/page.js';

const PAGES = pageOperations.map(({ path }) => new RegExp(`^${path.replace(/\{\w+\}/, '[^/]+')}$`));

/** Where a browser goes on that did not find what it was told to open. Undefined: a program asks, or the API is asked. */
export function pageInstead({ method, url, headers, routeOptions }: FastifyRequest): string | undefined {
  const [path, query] = url.split(/(?=\?)/, 2) as [string, string?];
  const { operation } = routeOptions.config;
  if (method !== 'GET' || !/\btext\/html\b/.test(headers.accept ?? '')) return undefined;
  if (path.startsWith('/api/') || (operation !== undefined && operation.page !== true)) return undefined;
  // Relative: a proxy may have put the gateway below a path.
  const root = '../'.repeat(path.split('/').length - 2) || './';
  const bare = path.replace(/\/+$/, '');
  const isPage = bare !== path && PAGES.some((page) => page.test(bare));
  return isPage ? `${root}${bare.slice(1)}${query ?? ''}` : root;
}
