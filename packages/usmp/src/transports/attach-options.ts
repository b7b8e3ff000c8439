/**
 * What an attachment to an HTTP server can be told, checked.
 *
 * @module
 */

import { ArgumentError } from '../core/errors.js';
import { checkNames } from '../options.js';

/** An HTTP or HTTPS server of Node, or what behaves like one. */
export interface UpgradeSource {
  on(event: 'upgrade', listener: (...args: unknown[]) => void): unknown;
  removeListener(event: 'upgrade', listener: (...args: unknown[]) => void): unknown;
  listenerCount(event: 'upgrade'): number;
}

/** Which upgrades of an HTTP server are taken. */
export interface AttachOptions {
  /** Path of the URL, exactly; default `/`, which stands for every path. */
  readonly path?: string;
  /**
   * Origins of web pages that may connect, such as `https://app.example`; default all. Devices send none, and are
   * always taken.
   */
  readonly origins?: readonly string[];
}

/** The same, complete and as requests show it. */
export interface AttachConfig {
  readonly path: string;
  readonly origins: ReadonlySet<string> | undefined;
}

/** Stands for every path. */
export const ANY_PATH = '/';

/** @throws {ArgumentError} an option cannot be used; the message says which and why */
export function readAttachOptions(source: UpgradeSource, options: AttachOptions): AttachConfig {
  if (typeof source?.on !== 'function' || typeof source.listenerCount !== 'function')
    throw new ArgumentError('invalid_argument', 'attach takes an HTTP or HTTPS server of Node');
  checkNames('attach', options, ['path', 'origins']);
  return {
    path: normalizePath(options.path ?? ANY_PATH),
    origins: options.origins && normalizeOrigins(options.origins),
  };
}

/** As URL parsers write it, so that requests can be compared with it. */
function normalizePath(path: string): string {
  const text = typeof path === 'string' && path.startsWith('/') ? `http://host${path}` : '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.search === '' && url.hash === '') return url.pathname;
  throw new ArgumentError('invalid_argument', `path is "${path}": write it like /usmp, without a query`);
}

function normalizeOrigins(origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins))
    throw new ArgumentError('invalid_argument', 'origins must be a list, such as ["https://app.example"]');
  return new Set(origins.map(normalizeOrigin));
}

/** As browsers send it: scheme, host and port in lower case, without a port that goes without saying. */
function normalizeOrigin(origin: string): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined;
  const plain = url && `${url.protocol}//${url.host}`.toLowerCase();
  if (url?.host && origin.split('/').length === 3 && !/[@?#]/.test(origin)) return plain!;
  const hint = url?.host ? `: write it like ${plain}` : ', such as https://app.example';
  throw new ArgumentError('invalid_argument', `"${origin}" in origins is not the origin of a page${hint}`);
}
