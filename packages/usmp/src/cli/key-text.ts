/**
 * Keys as people write them: text, or bytes behind `hex:` or `base64:`. The prefixes mean something on the command
 * line, in the environment and in key files only; in the API a string is always text.
 *
 * @module
 */

import type { Key } from '../index.js';
import { UsageError } from './exit-codes.js';

const HEX = /^(?:[0-9a-f]{2})+$/i;
/** Of either alphabet, with or without padding. */
const BASE64 = /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?|[\w+/-]{4})$/;

/** As the library asks for; but only here is it known where the key stands. Bytes. */
const SHORTEST_KEY = 16;

/**
 * The key that `text` stands for.
 *
 * @param where it was found, for the error, which never shows the key
 * @throws {UsageError}
 */
export function parseKey(text: string, where: string): Key {
  const key = decode(text, where);
  const length = Buffer.byteLength(key);
  if (length < SHORTEST_KEY) {
    throw new UsageError(
      `${where}: key is ${length} bytes, at least ${SHORTEST_KEY}; make one with npx usmp keygen --out key.txt`,
    );
  }
  return key;
}

function decode(text: string, where: string): Key {
  if (text.startsWith('hex:')) {
    const digits = text.slice('hex:'.length);
    if (HEX.test(digits)) return Buffer.from(digits, 'hex');
    throw new UsageError(`${where}: hex: must be followed by pairs of hexadecimal digits alone`);
  }
  if (text.startsWith('base64:')) {
    const characters = text.slice('base64:'.length);
    if (BASE64.test(characters)) return Buffer.from(characters, 'base64');
    throw new UsageError(`${where}: base64: must be followed by base64 alone`);
  }
  return text;
}
