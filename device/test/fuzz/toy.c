/**
 * A seam that keeps the contract of usmp/crypto.h and protects nothing: a conversation costs microseconds, so that the fuzzer
 * makes many more of them. What it is made of:
 *
 *   X25519   four multiplications modulo 2^64: commutative, and zero for a public key of zero, the point of low order here
 *   HMAC     64-bit multiplications with a keyed start, four times
 *   AEAD     xor with a keyed sequence, and a sum over key, nonce, additional data and text
 *
 * The fuzzer does not see into this file (it is built without its instrumentation), so it cannot learn to forge by comparing
 * byte by byte. THIS IS NOT CRYPTOGRAPHY.
 */
#include <string.h>

#include "usmp/crypto.h"

#define ODD 0x9E3779B97F4A7C15u

static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * ODD;
    return state ^ state >> 29;
}

static uint64_t load(const uint8_t *bytes, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, bytes, length);
    return word;
}

static uint64_t absorb(uint64_t state, const uint8_t *bytes, size_t length)
{
    size_t left = length;
    for (; left >= 8; left -= 8, bytes += 8) state = mix(state, load(bytes, 8));
    if (left > 0) state = mix(state, load(bytes, left));
    return mix(state, length);
}

/* ── X25519 ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool multiply(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
    uint64_t any = 0;
    for (size_t i = 0; i < 32; i += 8) {
        uint64_t product = (load(scalar + i, 8) | 1) * load(point + i, 8);
        memcpy(out + i, &product, 8);
        any |= product;
    }
    return any != 0;
}

bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32])
{
    static const uint8_t BASE[32] = {9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7};
    return multiply(public_key, private_key, BASE);
}

bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer_public_key[32],
                              bool *low_order)
{
    *low_order = !multiply(secret, private_key, peer_public_key);
    return !*low_order;
}

/* ── HMAC ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    uint64_t state = absorb(absorb(ODD, key, key_length), data, length);
    for (size_t i = 0; i < 32; i += 8) {
        state = mix(state, i + 1);
        memcpy(mac + i, &state, 8);
    }
    return true;
}

/* ── AEAD ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32])
{
    aead->key[0] = absorb(1, key, 32);
    aead->key[1] = absorb(2, key, 32) | 1;
    return true;
}

static void apply(const usmp_aead_t *aead, const uint8_t *nonce, uint8_t *text, size_t length)
{
    uint64_t state = absorb(aead->key[0], nonce, 12);
    for (size_t i = 0; i < length; i += 8) {
        size_t count = length - i < 8 ? length - i : 8;
        state = mix(state, i);
        uint64_t word = load(text + i, count) ^ state;
        memcpy(text + i, &word, count);
    }
}

static void tag_of(const usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, const uint8_t *text,
                   size_t length, uint8_t tag[16])
{
    uint64_t state = absorb(absorb(absorb(aead->key[1], nonce, 12), aad, aad_length), text, length);
    uint64_t second = mix(state, aead->key[0]);
    memcpy(tag, &state, 8);
    memcpy(tag + 8, &second, 8);
}

bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    apply(aead, nonce, text, length);
    tag_of(aead, nonce, aad, aad_length, text, length, text + length);
    return true;
}

bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    uint8_t tag[USMP_TAG_LENGTH];
    tag_of(aead, nonce, aad, aad_length, text, length, tag);
    if (!usmp_crypto_equal(tag, text + length, sizeof tag)) return false;
    apply(aead, nonce, text, length);
    return true;
}

void usmp_aead_release(usmp_aead_t *aead)
{
    usmp_crypto_wipe(aead, sizeof *aead);
}
