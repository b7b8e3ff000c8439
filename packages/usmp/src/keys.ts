/**
 * Pre-shared keys: what applications may give, and the look-up by device.
 *
 * @module
 */

import { ArgumentError } from './core/errors.js';
import { MAX_KEYS, MIN_PSK } from './core/limits.js';
import { normalizeDeviceId } from './device-id.js';

/** A pre-shared key of at least 16 bytes. A string stands for its UTF-8 bytes, always. */
export type Key = string | Uint8Array;

/** The key of a device, or `[newKey, oldKey]` while it changes from one to the other. */
export type Keys = Key | readonly [newKey: Key, oldKey: Key];

/** Keys by device id; `"*"` is for all devices that are not named. */
export type KeyMap = Readonly<Record<string, Keys>> | ReadonlyMap<string, Keys>;

/** Finds the keys of a device, `aa:bb:cc:dd:ee:ff` in lower case; undefined for one that is unknown. */
export type KeyLookup = (deviceId: string) => Keys | undefined | Promise<Keys | undefined>;

/** What the option `psk` of a server takes. */
export type PSK = Key | KeyMap | KeyLookup;

/** The valid keys of one device as bytes, new one first; empty for a device that is unknown. */
export type KeyBytes = readonly Uint8Array[];

const NO_KEYS: KeyBytes = [];
const utf8 = new TextEncoder();

/** Looks up the keys of a device. */
export type KeyRing = (deviceId: string) => KeyBytes | Promise<KeyBytes>;

/**
 * A look-up over whatever the application gave.
 *
 * @throws {ArgumentError} a key is too short, or a name is not a device id
 */
export function makeKeyRing(psk: PSK): KeyRing {
  if (typeof psk === 'function') return ringOfLookup(psk);
  if (typeof psk === 'string' || psk instanceof Uint8Array) {
    const keys = [keyBytes(psk)];
    return () => keys;
  }
  if (typeof psk !== 'object' || psk === null || Array.isArray(psk)) {
    throw new ArgumentError(
      'invalid_argument',
      'psk is missing: give a key, a map from device id to key, or a function',
    );
  }
  const ring = new Map<string, KeyBytes>();
  for (const [name, keys] of psk instanceof Map ? psk : Object.entries(psk)) {
    const id = name === '*' ? name : normalizeDeviceId(name);
    ring.set(id, keyList(keys, ` for ${id}`));
  }
  return (deviceId) => ring.get(deviceId) ?? ring.get('*') ?? NO_KEYS;
}

/**
 * The bytes of one key.
 *
 * @throws {ArgumentError} `key_too_short`: "key is 13 bytes, at least 16"
 */
export function keyBytes(key: Key, whose = ''): Uint8Array {
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) {
    throw new ArgumentError('invalid_argument', `key${whose} is ${typeof key}, must be a string or bytes`);
  }
  const bytes = typeof key === 'string' ? utf8.encode(key) : new Uint8Array(key);
  if (bytes.length < MIN_PSK) {
    throw new ArgumentError('key_too_short', `key${whose} is ${bytes.length} bytes, at least ${MIN_PSK}`);
  }
  return bytes;
}

function keyList(keys: Keys, whose: string): KeyBytes {
  const list: readonly Key[] = Array.isArray(keys) ? keys : [keys as Key];
  if (list.length === 0 || list.length > MAX_KEYS) {
    throw new ArgumentError('invalid_argument', `${list.length} keys${whose}, must be one or [new, old]`);
  }
  return list.map((key) => keyBytes(key, whose));
}

function ringOfLookup(lookup: KeyLookup): KeyRing {
  const convert = (keys: Keys | undefined | null, deviceId: string) =>
    keys === undefined || keys === null ? NO_KEYS : keyList(keys, ` for ${deviceId}`);
  return (deviceId) => {
    const keys = lookup(deviceId);
    if (!isThenable(keys)) return convert(keys, deviceId);
    return Promise.resolve(keys).then((found) => convert(found, deviceId));
  };
}

function isThenable(value: unknown): value is PromiseLike<Keys | undefined> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function';
}
