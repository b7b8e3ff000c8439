/**
 * The file of `serve --keys`: a JSON object of device id → key or [new, old], `"*"` for all other devices.
 *
 * @module
 */

import { unwatchFile, watchFile } from 'node:fs';
import { ArgumentError, type Keys, normalizeDeviceId } from '../index.js';
import { UsageError } from './exit-codes.js';
import { readTextFile } from './key-file.js';
import { parseKey } from './key-text.js';

/**
 * Looks at the file this often. Polling sees what notifications miss: files that are replaced by renaming, links that
 * are turned to another target, and network drives. Milliseconds.
 */
const POLL_INTERVAL = 500;

/** The file is read when it has been left alone for this long, so that it is not read half-written. Milliseconds. */
const SETTLE_TIME = 100;

/**
 * The keys in a file by device id.
 *
 * @throws {UsageError} it cannot be used; the message names the file and the entry, never a key
 */
export function readKeys(file: string): Map<string, Keys> {
  const entries = parseObject(readTextFile(file), file);
  const keys = new Map<string, Keys>();
  for (const [name, value] of Object.entries(entries)) {
    const id = idOf(name, file);
    const where = `${file}: entry "${name}"`;
    if (keys.has(id)) throw new UsageError(`${where}: the same device stands there twice`);
    keys.set(id, keysOf(value, where));
  }
  return keys;
}

/** Calls `onChange` after every change of the file. The function returned ends that. */
export function watchKeys(file: string, onChange: () => void): () => void {
  let settled: NodeJS.Timeout | undefined;
  const listener = () => {
    clearTimeout(settled);
    settled = setTimeout(onChange, SETTLE_TIME);
  };
  watchFile(file, { interval: POLL_INTERVAL }, listener);
  return () => {
    clearTimeout(settled);
    unwatchFile(file, listener);
  };
}

function parseObject(text: string, file: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not valid JSON${placeOf(error as SyntaxError, text)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${file}: must hold an object like {"aa:bb:cc:dd:ee:ff": "KEY", "*": "KEY"}`);
  }
  return value;
}

/** Where JSON went wrong. The message of the parser itself quotes the text around it, which may be a key. */
function placeOf(error: SyntaxError, text: string): string {
  const position = /at position (\d+)/.exec(error.message)?.[1];
  if (position === undefined) return '';
  return ` in line ${text.slice(0, Number(position)).split('\n').length}`;
}

function idOf(name: string, file: string): string {
  if (name === '*') return name;
  try {
    return normalizeDeviceId(name);
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(`${file}: entry ${error.message}, or "*"`);
    throw error;
  }
}

function keysOf(value: unknown, where: string): Keys {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > 2 || !list.every((key) => typeof key === 'string')) {
    throw new UsageError(`${where}: must be a key or [new, old], each a string`);
  }
  const [newKey, oldKey] = list.map((key) => parseKey(key, where));
  return oldKey === undefined ? newKey : [newKey, oldKey];
}
