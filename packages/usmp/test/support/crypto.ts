/** Cryptography for tests: the real one, watched or with the answers of chance written beforehand. */

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import type { Aead, CryptoProvider, KeyPair } from '#dist/core/crypto.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { webCrypto } from '#dist/crypto/web.js';
import { hex, toHex } from './bytes.js';

/** What chance will say, in the order in which it is asked. */
export interface Script {
  /** X25519 private keys. */
  readonly privateKeys?: readonly (Uint8Array | KeyPair)[];
  /** Answers of `randomBytes`; each must have the length that is asked for. */
  readonly random?: readonly Uint8Array[];
}

/** An implementation of the seam, and how it gets private keys that were written beforehand. */
export interface TestedCrypto {
  readonly name: string;
  readonly crypto: CryptoProvider;
  importKeyPair(privateBytes: Uint8Array): KeyPair;
}

export const OVER_NODE: TestedCrypto = { name: 'node:crypto', crypto: nodeCrypto, importKeyPair };
export const OVER_WEB: TestedCrypto = { name: 'noble', crypto: webCrypto, importKeyPair: importWebKeyPair };

/** The real cryptography, except that keys and random bytes come from a script. */
export function scriptedCrypto(script: Script, tested = OVER_NODE): CryptoProvider {
  const pairs = [...(script.privateKeys ?? [])];
  const random = [...(script.random ?? [])];
  return {
    ...tested.crypto,
    generateKeyPair() {
      const pair = pairs.shift();
      if (pair === undefined) throw new Error('the script has no further private key');
      return pair instanceof Uint8Array ? tested.importKeyPair(pair) : pair;
    },
    randomBytes(length) {
      const bytes = random.shift();
      if (bytes?.length !== length) throw new Error(`the script has no ${length} bytes here`);
      return bytes.slice();
    },
  };
}

/** PKCS #8 around an X25519 private key (RFC 8410 §7). */
const PKCS8_PREFIX = hex('302e020100300506032b656e04220420');
/** SubjectPublicKeyInfo around a public one (RFC 8410 §4). */
const SPKI_PREFIX = hex('302a300506032b656e032100');

/** An X25519 key pair from the 32 bytes of its private key. */
export function importKeyPair(privateBytes: Uint8Array): KeyPair {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, privateBytes]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.length)),
    agree: (peerPublicKey) => agree(privateKey, peerPublicKey),
  };
}

/** The same of noble: where it asks for chance first, it gets the key. What it asks for later blinds its arithmetic. */
function importWebKeyPair(privateBytes: Uint8Array): KeyPair {
  const chance = globalThis.crypto;
  const getRandomValues = (bytes: Uint8Array) => {
    Reflect.deleteProperty(chance, 'getRandomValues');
    bytes.set(privateBytes);
  };
  Object.defineProperty(chance, 'getRandomValues', { value: getRandomValues, configurable: true });
  return webCrypto.generateKeyPair();
}

function agree(privateKey: KeyObject, peerPublicKey: Uint8Array): Uint8Array | undefined {
  const key = Buffer.concat([SPKI_PREFIX, peerPublicKey]);
  const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
  try {
    return new Uint8Array(diffieHellman({ privateKey, publicKey }));
  } catch {
    return undefined;
  }
}

/** Keeps an eye on one side's cryptography. */
export class WatchedCrypto implements CryptoProvider {
  readonly #real: CryptoProvider;
  readonly #sealed = new Set<string>();
  /** Every secret that the seam has handed out: shared secrets and traffic keys. */
  readonly secrets: Uint8Array[] = [];
  /** Every key that a cipher was made of, as it lies in the memory of the caller. */
  readonly cipherKeys: Uint8Array[] = [];
  /** Key and nonce of frames that were sealed under a pair already used. Must stay empty. */
  readonly reused: string[] = [];

  constructor(real: CryptoProvider = nodeCrypto) {
    this.#real = real;
  }

  randomBytes(length: number): Uint8Array {
    return this.#real.randomBytes(length);
  }

  generateKeyPair(): KeyPair {
    const pair = this.#real.generateKeyPair();
    return { publicKey: pair.publicKey, agree: (peer) => this.#keep(pair.agree(peer)) };
  }

  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
    return this.#real.hmacSha256(key, data);
  }

  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    return this.#keep(this.#real.hkdfSha256(ikm, salt, info, length));
  }

  aes256gcm(key: Uint8Array): Aead {
    const name = toHex(key);
    this.cipherKeys.push(key);
    const aead = this.#real.aes256gcm(key);
    return {
      seal: (nonce, aad, plaintext, out, offset) => {
        const use = `${name} ${toHex(nonce)}`;
        if (this.#sealed.has(use)) this.reused.push(use);
        this.#sealed.add(use);
        aead.seal(nonce, aad, plaintext, out, offset);
      },
      open: (nonce, aad, sealed) => aead.open(nonce, aad, sealed),
    };
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return this.#real.equal(a, b);
  }

  allocate(length: number): Uint8Array {
    return this.#real.allocate(length);
  }

  #keep<T extends Uint8Array | undefined>(secret: T): T {
    if (secret !== undefined) this.secrets.push(secret);
    return secret;
  }
}

/** Whether nothing is left of a secret. */
export function isWiped(secret: Uint8Array): boolean {
  return secret.every((byte) => byte === 0);
}
