/**
 * The seam to the platform's cryptography: all that the core needs of it, ten functions. Nothing behind it is written by hand.
 *
 * A backend is one file of `device/crypto/src`, chosen by one macro for the whole program:
 *
 *   USMP_CRYPTO_BEARSSL   BearSSL 0.6: constant time on every chip, no heap
 *   USMP_CRYPTO_PSA       PSA Crypto of Mbed TLS 2.28, 3.x and 4.x (the only way on 4.x)
 *   USMP_CRYPTO_MBEDTLS   the functions mbedtls_* of Mbed TLS 2.28 and 3.x, for builds without PSA
 *
 * Functions that return bool return false when the platform fails: out of memory, no entropy. The connection then ends with
 * USMP_ERROR_CRYPTO_FAILED. Arguments never overlap unless a function says so.
 */
#ifndef USMP_CRYPTO_H
#define USMP_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"

#if defined(USMP_CRYPTO_BEARSSL)
#include "usmp/crypto_bearssl.h"
#elif defined(USMP_CRYPTO_PSA)
#include "usmp/crypto_psa.h"
#elif defined(USMP_CRYPTO_MBEDTLS)
#include "usmp/crypto_mbedtls.h"
#else
#error "define one of USMP_CRYPTO_BEARSSL, USMP_CRYPTO_PSA and USMP_CRYPTO_MBEDTLS for the whole program"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The result tells whether it worked and has to be looked at. */
#if defined(__GNUC__)
#define USMP_MUST_CHECK __attribute__((warn_unused_result))
#else
#define USMP_MUST_CHECK
#endif

#define USMP_KEY_LENGTH 32u
#define USMP_NONCE_LENGTH 12u
#define USMP_TAG_LENGTH 16u
#define USMP_MAC_LENGTH 32u

/**
 * Fills `out` with `length` bytes that nobody can predict. PSA and Mbed TLS bring it; for BearSSL it is a file of its own
 * (`random_posix.c`), because microcontrollers differ: write this one function for yours, over its hardware generator.
 */
USMP_MUST_CHECK bool usmp_crypto_random(uint8_t *out, size_t length);

/**
 * The public key of a private key (RFC 7748 §6.1). Any 32 random bytes are a private key: they are clamped when they are
 * used. One X25519: the slowest thing here.
 */
USMP_MUST_CHECK bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32]);

/**
 * The secret that two sides share (RFC 7748 §6.1). One X25519. Returns false also where the result is all zero, because the
 * peer has sent a point of low order; `*low_order` tells that from a failure.
 */
USMP_MUST_CHECK bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32],
                                              const uint8_t peer_public_key[32], bool *low_order);

/** HMAC-SHA256 (RFC 2104). `key` and `data` of any length; `mac` may be the same memory as one of them. */
USMP_MUST_CHECK bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data,
                                             size_t length);

/**
 * Makes an AES-256-GCM key ready for use (NIST SP 800-38D). `aead` must not be moved or copied, and has to be released, before
 * it is prepared again too.
 */
USMP_MUST_CHECK bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32]);

/** Encrypts `length` bytes (0 to 452) in place and writes the tag of 16 bytes right behind them. */
USMP_MUST_CHECK bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length,
                                    uint8_t *text, size_t length);

/**
 * Decrypts `length` bytes (0 to 452) in place; the tag stands right behind them. Where the tag does not fit it returns false,
 * and `text` and tag are as they were: another key may be tried.
 */
USMP_MUST_CHECK bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length,
                                    uint8_t *text, size_t length);

/** Overwrites the key. Does nothing to one that is all zero bytes or was released. */
void usmp_aead_release(usmp_aead_t *aead);

/** Overwrites memory with zeros, in a way that no compiler leaves out. */
void usmp_crypto_wipe(void *memory, size_t length);

/** Compares in a time that depends on `length` alone. */
USMP_MUST_CHECK bool usmp_crypto_equal(const uint8_t *a, const uint8_t *b, size_t length);

#ifdef __cplusplus
}
#endif

#endif
