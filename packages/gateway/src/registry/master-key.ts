/**
 * The master key: seals the keys of devices. Either the owner-only file `master.key` of the data folder, made at the
 * first start, or the environment.
 *
 * The database keeps a check value of the key that seals it (`meta`), committed together with what that key sealed. So
 * it is the database that says which key is right, whatever happened to the files meanwhile.
 *
 * @module
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { join } from 'node:path';
import { GatewayError } from '../errors.js';
import { DATABASE_FILE, type Storage } from '../storage/storage.js';
import { type KeyFile, keyFile } from './key-file.js';

/** In the data folder. */
export const MASTER_KEY_FILE = 'master.key';
/** The next master key, until the database is sealed with it. */
export const NEXT_KEY_FILE = 'master.key.new';
export const MASTER_KEY_VARIABLE = 'USMP_GATEWAY_MASTER_KEY';
/** The next master key, while one in the environment is rotated. */
export const NEXT_KEY_VARIABLE = 'USMP_GATEWAY_MASTER_KEY_NEW';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FINGERPRINT_LABEL = 'usmp-gateway key fingerprint v1\0';
const FINGERPRINT_BYTES = 8;
const CHECK_LABEL = 'usmp-gateway master key check v1';
const CHECK_NAME = 'master-key-check';

/** Where a master key stands. */
export type MasterKeyOrigin = 'file' | 'environment';

/** A key of AES-256-GCM that never leaves this object but by `text`. */
export class MasterKey {
  readonly origin: MasterKeyOrigin;
  /** Tells whether it is the key of a database, and nothing else about it. */
  readonly check: string;
  readonly #key: KeyObject;

  constructor(bytes: Uint8Array, origin: MasterKeyOrigin) {
    this.origin = origin;
    this.#key = createSecretKey(bytes);
    this.check = createHmac('sha256', this.#key).update(CHECK_LABEL).digest('hex');
  }

  static random(origin: MasterKeyOrigin): MasterKey {
    return new MasterKey(randomBytes(KEY_BYTES), origin);
  }

  /**
   * @param where it stands, for the error, which never shows the key
   * @throws {GatewayError} `invalid`
   */
  static parse(text: string, origin: MasterKeyOrigin, where: string): MasterKey {
    const [, hex, base64] = /^(?:hex:([0-9a-f]{64})|base64:([\w+/-]{43}=?))$/i.exec(text.trim()) ?? [];
    if (hex !== undefined) return new MasterKey(Buffer.from(hex, 'hex'), origin);
    if (base64 !== undefined) return new MasterKey(Buffer.from(base64, 'base64'), origin);
    throw new GatewayError(
      'invalid',
      `${where} is no master key: it must be ${KEY_BYTES} bytes, written as hex: and 64 digits, or as base64: and 44 characters`,
    );
  }

  /**
   * The master key of a database: that of the environment where it is given, else that of the file. At the first start
   * it makes the file. Finishes a rotation that was interrupted.
   *
   * @param notice is told what the operator should know and that is no error
   * @throws {GatewayError} `invalid`, `unavailable`: there is none, it does not fit the database, or others can read it;
   * the message names the place and says what to do
   */
  static load(
    storage: Storage,
    env: Readonly<Record<string, string | undefined>>,
    notice: (message: string) => void = () => {},
  ): MasterKey {
    const given = env[MASTER_KEY_VARIABLE];
    if (given !== undefined && given !== '') return loadFromEnvironment(storage, env, given, notice);
    return loadFromFile(storage, notice);
  }

  /** Eight bytes, in hexadecimal. */
  fingerprint(deviceId: string, key: Uint8Array): string {
    const mac = createHmac('sha256', this.#key)
      .update(FINGERPRINT_LABEL)
      .update(deviceId)
      .update(key)
      .digest();
    return mac.toString('hex', 0, FINGERPRINT_BYTES);
  }

  /** As it is written into a file or a variable. */
  text(): string {
    return `base64:${this.#key.export().toString('base64')}`;
  }

  /** Nonce, ciphertext, tag. */
  seal(aad: string, plain: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    cipher.setAAD(Buffer.from(aad));
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** What `seal` was given; undefined when another key sealed it, or it was for another `aad`, or it was changed. */
  open(aad: string, sealed: Uint8Array): Buffer | undefined {
    const end = sealed.length - TAG_BYTES;
    if (end < NONCE_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(aad));
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(NONCE_BYTES, end));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

/** Stores which master key is right; in the transaction that seals the keys with it. */
export function storeCheck(storage: Storage, master: MasterKey): void {
  storage
    .prepare(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    )
    .run(CHECK_NAME, master.check);
}

export function keyFiles(folder: string): { readonly current: KeyFile; readonly next: KeyFile } {
  return { current: keyFile(join(folder, MASTER_KEY_FILE)), next: keyFile(join(folder, NEXT_KEY_FILE)) };
}

function loadFromEnvironment(
  storage: Storage,
  env: Readonly<Record<string, string | undefined>>,
  text: string,
  notice: (message: string) => void,
): MasterKey {
  const { current } = keyFiles(storage.folder);
  const master = MasterKey.parse(text, 'environment', MASTER_KEY_VARIABLE);
  const fitting = fits(storage, master);
  const next = env[NEXT_KEY_VARIABLE];
  if (!fitting && next !== undefined && next !== '') {
    // The rotation was committed, and the gateway started again before anybody changed its environment.
    const rotated = MasterKey.parse(next, 'environment', NEXT_KEY_VARIABLE);
    if (isChecked(storage, rotated)) {
      notice(
        `the master key has been rotated: move the value of ${NEXT_KEY_VARIABLE} to ${MASTER_KEY_VARIABLE}`,
      );
      return rotated;
    }
  }
  if (!fitting)
    throw misfit(
      storage,
      `the master key in ${MASTER_KEY_VARIABLE}`,
      current.exists()
        ? `set the right one, or unset it to use ${current.path}`
        : 'set the one that was used so far',
    );
  if (current.exists())
    notice(`${MASTER_KEY_VARIABLE} is used as master key, ${current.path} is not: remove one of the two`);
  adopt(storage, master);
  return master;
}

function loadFromFile(storage: Storage, notice: (message: string) => void): MasterKey {
  const { current, next } = keyFiles(storage.folder);
  const master = current.exists() ? MasterKey.parse(current.read(), 'file', current.path) : undefined;
  if (master !== undefined && fits(storage, master)) {
    // Of a rotation that did not come to its commit: nothing is sealed with it.
    next.remove();
    adopt(storage, master);
    return master;
  }
  const finished =
    hasKeys(storage) && next.exists() ? MasterKey.parse(next.read(), 'file', next.path) : undefined;
  if (finished !== undefined && isChecked(storage, finished)) {
    next.renameTo(current);
    notice(`the rotation of the master key was interrupted and is finished now`);
    return finished;
  }
  if (master !== undefined)
    throw misfit(storage, current.path, `bring back the ${MASTER_KEY_FILE} that belongs to this database`);
  if (hasKeys(storage))
    throw new GatewayError(
      'unavailable',
      `${current.path} is missing, and the device keys in ${join(storage.folder, DATABASE_FILE)} are sealed with it: bring it back from a backup, or set ${MASTER_KEY_VARIABLE}. Without it every device needs a new key: move the database away to start anew`,
    );
  return make(storage);
}

/** Written aside and renamed, so that no half of a key is ever found under its name. */
function make(storage: Storage): MasterKey {
  const { current, next } = keyFiles(storage.folder);
  const master = MasterKey.random('file');
  next.remove();
  next.write(`${master.text()}\n`);
  next.renameTo(current);
  adopt(storage, master);
  return master;
}

/** While nothing is sealed any key will do. */
function fits(storage: Storage, master: MasterKey): boolean {
  return isChecked(storage, master) || !hasKeys(storage);
}

function isChecked(storage: Storage, master: MasterKey): boolean {
  const row = storage.prepare<{ value: string }>('SELECT value FROM meta WHERE name = ?').get(CHECK_NAME);
  return row?.value === master.check;
}

function hasKeys(storage: Storage): boolean {
  return storage.prepare('SELECT 1 FROM device_keys LIMIT 1').get() !== undefined;
}

/** Before anything is sealed with it. */
function adopt(storage: Storage, master: MasterKey): void {
  if (!isChecked(storage, master)) storage.transaction(() => storeCheck(storage, master));
}

function misfit(storage: Storage, what: string, remedy: string): GatewayError {
  return new GatewayError(
    'unavailable',
    `${what} does not fit ${join(storage.folder, DATABASE_FILE)}, whose device keys another one has sealed: ${remedy}`,
  );
}
