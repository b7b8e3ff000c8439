/**
 * URLs of Unix sockets with relative paths.
 *
 * @module
 */

import { resolve } from 'node:path';

/** `unix:./usmp.sock` with the path made absolute; everything else as it is. */
export function resolveUnixURL(text: string, folder: string): string {
  const [, path, rest] = /^unix:([^/?#][^?#]*)(.*)$/.exec(text) ?? [];
  if (path === undefined) return text;
  try {
    return `unix:${encodePath(resolve(folder, decodeURIComponent(path)))}${rest}`;
  } catch {
    // A wrong "%": whoever checks the URL says so.
    return text;
  }
}

/** What means something in URLs, in hexadecimal. */
function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
