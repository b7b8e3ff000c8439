/**
 * The seam to the platform's cryptography. Everything is synchronous; nothing behind it is written by hand.
 *
 * @module
 */

/** What the protocol needs of a platform. Implementations: `src/crypto/`. */
export interface CryptoProvider {
  /** Unpredictable bytes. */
  randomBytes(length: number): Uint8Array;

  /** A fresh X25519 key pair (RFC 7748 §6.1). */
  generateKeyPair(): KeyPair;

  /** HMAC-SHA256 (RFC 2104) of `data`: 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;

  /** HKDF-SHA256 (RFC 5869), extract and expand. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;

  /** AES-256-GCM (NIST SP 800-38D) under a key of 32 bytes, which the implementation copies. */
  aes256gcm(key: Uint8Array): Aead;

  /** Compares byte strings of equal length in constant time; different lengths are unequal. */
  equal(a: Uint8Array, b: Uint8Array): boolean;

  /** Memory for outgoing bytes; may be uninitialised. */
  allocate(length: number): Uint8Array;
}

/** One side of a Diffie-Hellman exchange. */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;

  /** The shared secret of 32 bytes, or undefined when it is all zero (low-order point, RFC 7748 §6.1). */
  agree(peerPublicKey: Uint8Array): Uint8Array | undefined;
}

/** A key that is ready for use. */
export interface Aead {
  /** Writes ciphertext and tag (`plaintext.length + 16` bytes) to `out` at `offset`. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, offset: number): void;

  /** The plaintext of ciphertext and tag, or undefined when they do not authenticate. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}
