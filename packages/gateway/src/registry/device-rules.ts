/**
 * What devices may be called. What these functions return is fit to be stored.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';
import { formatDeviceId, normalizeDeviceId } from 'usmp';
import { GatewayError } from '../errors.js';

const MAX_NAME = 64;
const MAX_NOTE = 1_000;
const MAX_TAGS = 16;

const DEVICE_ID = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;
const TAG = /^[a-z0-9_.:-]{1,32}$/;
/** Stand in the place of a name in paths of the API. */
const RESERVED = ['import', 'export'];
/** What cannot be seen, or would change how the rest is shown. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
/** The same, except for tabs and ends of lines. */
const INVISIBLE_IN_NOTE = /(?![\t\n])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Whether it is a device id, in letters of either case. */
export function isDeviceId(text: string): boolean {
  return DEVICE_ID.test(text);
}

/** @throws {GatewayError} `invalid` */
export function parseId(text: string): string {
  if (isDeviceId(text)) return normalizeDeviceId(text);
  throw new GatewayError('invalid', `${shown(text)} is not a device id: write it like aa:bb:cc:dd:ee:ff`, {
    field: 'id',
  });
}

/** A random id that no maker gave to a device: locally administered (IEEE 802), so that it begins with 02. */
export function randomId(): string {
  const bytes = randomBytes(6);
  bytes[0] = 0x02;
  return formatDeviceId(bytes);
}

/**
 * @param id of the device; its name may look like its own id alone
 * @throws {GatewayError} `invalid`
 */
export function parseName(text: string, id?: string): string {
  const name = text.normalize('NFC').trim();
  const problem = problemOfName(name, id);
  if (problem !== undefined) throw new GatewayError('invalid', `name ${problem}`, { field: 'name' });
  return isDeviceId(name) ? name.toLowerCase() : name;
}

/** What names are compared by: two that differ in the case of letters are one. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase().normalize('NFC');
}

/** @throws {GatewayError} `invalid` */
export function parseNote(text: string): string {
  const note = text.replaceAll('\r\n', '\n');
  const length = [...note].length;
  const hidden = INVISIBLE_IN_NOTE.exec(note)?.[0];
  if (length > MAX_NOTE)
    throw new GatewayError('invalid', `note has ${length} characters, at most ${MAX_NOTE}`, {
      field: 'note',
    });
  if (hidden !== undefined)
    throw new GatewayError('invalid', `note has the character ${codeOf(hidden)}, which cannot be shown`, {
      field: 'note',
    });
  return note;
}

/**
 * Sorted, without repeats.
 *
 * @throws {GatewayError} `invalid`
 */
export function parseTags(tags: readonly string[]): readonly string[] {
  tags.forEach((tag, index) => {
    if (!TAG.test(tag))
      throw new GatewayError(
        'invalid',
        `tag ${shown(tag)} must be 1 to 32 of the characters a-z 0-9 _ . : -`,
        { field: `tags[${index}]` },
      );
  });
  const unique = [...new Set(tags)].sort();
  if (unique.length > MAX_TAGS)
    throw new GatewayError('invalid', `${unique.length} tags, at most ${MAX_TAGS}`, { field: 'tags' });
  return unique;
}

function problemOfName(name: string, id: string | undefined): string | undefined {
  const length = [...name].length;
  if (length === 0) return 'is empty';
  if (length > MAX_NAME) return `has ${length} characters, at most ${MAX_NAME}`;
  const hidden = INVISIBLE.exec(name)?.[0];
  if (hidden !== undefined) return `has the character ${codeOf(hidden)}, which cannot be seen`;
  // Programs take them for steps in a path, and ask for another one than was meant.
  if (name === '.' || name === '..') return `is ${name}, which is no part of a path: choose another one`;
  if (RESERVED.includes(name.toLowerCase())) return `${name} is a word of the API: choose another one`;
  if (id !== undefined && isDeviceId(name) && name.toLowerCase() !== id)
    return `${name} looks like the id of another device`;
  return undefined;
}

/** For an error: short, on one line. */
export function shown(text: string): string {
  const short = [...text].slice(0, MAX_NAME).join('');
  return JSON.stringify(short.length < text.length ? `${short}…` : short);
}

function codeOf(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
