/**
 * Keys as people write them: text, or bytes behind `hex:` or `base64:`, as the command `usmp` reads them.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';
import { GatewayError } from '../errors.js';

const HEX = /^(?:[0-9a-f]{2})+$/i;
/** Of either alphabet, with or without padding. */
const BASE64 = /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?|[\w+/-]{4})$/;

/** The least that USMP takes. Bytes. */
const SHORTEST_KEY = 16;
/** HMAC gains nothing from more, and a row is to stay small. Bytes. */
const LONGEST_KEY = 256;
/** 192 bits, 32 characters. */
const NEW_KEY_BYTES = 24;

/**
 * A new random key. It is text, and its UTF-8 bytes are the key, so that the same characters go into a sketch, a key file
 * and the environment.
 */
export function newKey(): string {
  for (;;) {
    const key = randomBytes(NEW_KEY_BYTES).toString('base64url');
    // As an argument a leading "-" would be taken for an option, and by a spreadsheet for a formula.
    if (!key.startsWith('-')) return key;
  }
}

/**
 * The bytes of the key that `text` stands for.
 *
 * @throws {GatewayError} `invalid`; it never shows the key
 */
export function parseKey(text: string, field = 'key'): Uint8Array {
  const key = decode(text, field);
  checkKey(key, field);
  return key;
}

/** @throws {GatewayError} `invalid`: "key is 13 bytes, at least 16" */
export function checkKey(key: Uint8Array, field = 'key'): void {
  if (key.length < SHORTEST_KEY)
    throw new GatewayError('invalid', `${field} is ${key.length} bytes, at least ${SHORTEST_KEY}`, { field });
  if (key.length > LONGEST_KEY)
    throw new GatewayError('invalid', `${field} is ${key.length} bytes, at most ${LONGEST_KEY}`, { field });
}

/** What `parseKey` makes the same key of: the text that the key is, `hex:…` where it is none. */
export function keyText(key: Uint8Array): string {
  const text = Buffer.from(key).toString('utf8');
  const isText = Buffer.from(text).equals(key) && /^[!-~](?:[ -~]*[!-~])?$/.test(text);
  return isText && !/^(?:hex|base64):/.test(text) ? text : `hex:${Buffer.from(key).toString('hex')}`;
}

function decode(text: string, field: string): Uint8Array {
  if (text.startsWith('hex:')) {
    const digits = text.slice('hex:'.length);
    if (HEX.test(digits)) return Buffer.from(digits, 'hex');
    throw new GatewayError(
      'invalid',
      `${field}: hex: must be followed by pairs of hexadecimal digits alone`,
      { field },
    );
  }
  if (text.startsWith('base64:')) {
    const characters = text.slice('base64:'.length);
    if (BASE64.test(characters)) return Buffer.from(characters, 'base64');
    throw new GatewayError('invalid', `${field}: base64: must be followed by base64 alone`, { field });
  }
  return Buffer.from(text);
}
