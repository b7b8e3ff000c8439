/**
 * The crypto seam over the noble packages, for where there is no `node:crypto`. Synchronous, as the core wants it, and
 * so not over WebCrypto, which moreover browsers have only on pages that came over https.
 *
 * @module
 */

import { gcm } from '@noble/ciphers/aes.js';
import { equalBytes } from '@noble/ciphers/utils.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Aead, CryptoProvider, KeyPair } from '../core/crypto.js';

/** What `getRandomValues` gives at once. Bytes. */
const RANDOM_QUOTA = 65_536;

/** Private keys of X25519. Bytes. */
const PRIVATE_KEY_LENGTH = 32;

/** Cryptography in JavaScript. Only chance comes from the platform. */
export const webCrypto: CryptoProvider = {
  randomBytes,
  generateKeyPair: () => new X25519KeyPair(),
  hmacSha256: (key, data) => hmac(sha256, key, data),
  hkdfSha256: (ikm, salt, info, length) => hkdf(sha256, ikm, salt, info, length),
  aes256gcm: (key) => new AesGcm(key),
  equal: equalBytes,
  allocate: (length) => new Uint8Array(length),
};

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += RANDOM_QUOTA) {
    globalThis.crypto.getRandomValues(bytes.subarray(start, start + RANDOM_QUOTA));
  }
  return bytes;
}

class X25519KeyPair implements KeyPair {
  readonly #privateKey = randomBytes(PRIVATE_KEY_LENGTH);
  readonly publicKey = x25519.getPublicKey(this.#privateKey);

  agree(peerPublicKey: Uint8Array): Uint8Array | undefined {
    try {
      return x25519.getSharedSecret(this.#privateKey, peerPublicKey);
    } catch {
      return undefined; // A point of low order, whose secret would be all zero.
    }
  }
}

class AesGcm implements Aead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = new Uint8Array(key);
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, offset: number): void {
    out.set(gcm(this.#key, nonce, aad).encrypt(plaintext), offset);
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    try {
      return gcm(this.#key, nonce, aad).decrypt(sealed);
    } catch {
      return undefined; // The tag is wrong, or there is none. Nothing was decrypted.
    }
  }
}
