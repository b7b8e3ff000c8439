/**
 * Where the gateway is: scripts lie in `scripts/` below it, whatever path a proxy has put before it.
 *
 * @module
 */

/** With a slash at its end. */
export const BASE = import.meta.url.startsWith('http')
  ? new URL(import.meta.url.replace(/scripts\/[^/]*$/, '')).pathname
  : '/';
