/**
 * The crypto seam over `node:crypto`.
 *
 * @module
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto';
import type { Aead, CryptoProvider, KeyPair } from '../core/crypto.js';
import { TAG_LENGTH } from '../core/limits.js';

const CIPHER = 'aes-256-gcm';
const HASH = 'sha256';

/** `node:crypto` as the core wants it. */
export const nodeCrypto: CryptoProvider = {
  randomBytes: takeRandom,
  generateKeyPair: () => new X25519KeyPair(),
  hmacSha256: (key, data) => createHmac(HASH, key).update(data).digest(),
  hkdfSha256: (ikm, salt, info, length) => new Uint8Array(hkdfSync(HASH, ikm, salt, info, length)),
  aes256gcm: (key) => new AesGcm(key),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  allocate: (length) => Buffer.allocUnsafe(length),
};

/** Random bytes in advance: asking for 4 KiB costs hardly more than asking for 32 bytes. */
const RANDOM = Buffer.alloc(4_096);
let randomUsed = RANDOM.length;

/** Takes bytes that are handed out once and then overwritten. */
function takeRandom(length: number): Uint8Array {
  const taken = new Uint8Array(length);
  if (length > RANDOM.length) return randomFillSync(taken);
  if (randomUsed + length > RANDOM.length) {
    randomFillSync(RANDOM);
    randomUsed = 0;
  }
  taken.set(RANDOM.subarray(randomUsed, randomUsed + length));
  RANDOM.fill(0, randomUsed, randomUsed + length);
  randomUsed += length;
  return taken;
}

/**
 * Keys pass in and out as JWK: the DER decoder of OpenSSL takes seven times as long. The public key is encoded by the
 * generation itself: `publicKey.export({ format: 'jwk' })` after it can hang the process, because it holds the lock of
 * the key while it allocates, and garbage collection may then dispose of the generation, which wants the same lock.
 * See docs/decisions/0003-x25519-on-node.md.
 */
class X25519KeyPair implements KeyPair {
  readonly #privateKey: KeyObject;
  readonly publicKey: Uint8Array;

  constructor() {
    const { publicKey, privateKey } = generateX25519(PUBLIC_AS_JWK);
    this.#privateKey = privateKey;
    this.publicKey = new Uint8Array(Buffer.from(publicKey.x, 'base64url'));
  }

  agree(peerPublicKey: Uint8Array): Uint8Array | undefined {
    const { buffer, byteOffset, length } = peerPublicKey;
    const x = Buffer.from(buffer, byteOffset, length).toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    try {
      return diffieHellman({ privateKey: this.#privateKey, publicKey });
    } catch {
      return undefined; // OpenSSL refuses to derive an all-zero secret.
    }
  }
}

const PUBLIC_AS_JWK = { publicKeyEncoding: { format: 'jwk' } } as const;

/** The encoding is documented by Node, and missing from its types. */
const generateX25519 = (generateKeyPairSync as unknown as X25519Generator).bind(undefined, 'x25519');

type X25519Generator = (
  type: 'x25519',
  options: typeof PUBLIC_AS_JWK,
) => { publicKey: { x: string }; privateKey: KeyObject };

/** Node has no one-shot AEAD: each frame makes a cipher object, which a `KeyObject` makes cheaper. */
class AesGcm implements Aead {
  readonly #key: KeyObject;

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, offset: number): void {
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    cipher.setAAD(aad);
    out.set(cipher.update(plaintext), offset);
    cipher.final();
    out.set(cipher.getAuthTag(), offset + plaintext.length);
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const length = sealed.length - TAG_LENGTH;
    if (length < 0) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, GCM_OPTIONS);
    decipher.setAAD(aad);
    for (let i = 0; i < TAG_LENGTH; i++) TAG[i] = sealed[length + i];
    decipher.setAuthTag(TAG);
    const { buffer, byteOffset } = decipher.update(plain(sealed, length));
    const plaintext = new Uint8Array(buffer, byteOffset, length);
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      return undefined;
    }
    return plaintext;
  }
}

/** Scratch memory for a tag: cheaper than a view, and `setAuthTag` copies. */
const TAG = new Uint8Array(TAG_LENGTH);

/** The beginning of some bytes, without the detour of `subarray` over the class of a Buffer. */
function plain(bytes: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

/** Without it a shorter tag would be taken by some releases of Node. */
const GCM_OPTIONS = { authTagLength: TAG_LENGTH };
