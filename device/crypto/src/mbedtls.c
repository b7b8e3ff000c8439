/**
 * The seam over the classic functions of Mbed TLS, for 2.28 and 3.x: no member of a structure that 3.x has made private is
 * touched, and keys and points go in and out as bytes.
 */
#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_MBEDTLS)

#include <string.h>

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>

/* As the library itself does it. */
#if defined(MBEDTLS_PLATFORM_C)
#include <mbedtls/platform.h>
#else
#include <stdlib.h>
#define mbedtls_calloc calloc
#define mbedtls_free free
#endif

/*
 * Each draw below makes a pool of its own, and the first use of a pool rewrites the seed in flash, which would wear out. PSA
 * Crypto keeps one pool for good.
 */
#if defined(MBEDTLS_ENTROPY_NV_SEED)
#error "MBEDTLS_ENTROPY_NV_SEED would be rewritten with every random number: use USMP_CRYPTO_PSA"
#endif

/** Plaintext of a frame (spec/protocol.md §4.1). */
#define MAX_TEXT 452u

/**
 * Straight from the entropy pool, which hashes what the platform's sources give (`mbedtls_hardware_poll` on a
 * microcontroller) and needs no generator behind it: a handshake draws a few times 32 bytes, and a session then draws no
 * more. So there is no state that takes memory for good, has to be seeded at the right time, or is shared by threads. The
 * pool is on the heap, which Mbed TLS needs anyway: 0.6 kB on a microcontroller, but 38 kB where HAVEGE is a source.
 */
bool usmp_crypto_random(uint8_t *out, size_t length)
{
    mbedtls_entropy_context *entropy = mbedtls_calloc(1, sizeof *entropy);
    if (entropy == NULL) return false;

    mbedtls_entropy_init(entropy);
    bool done = true;
    while (done && length > 0) {
        size_t count = length < MBEDTLS_ENTROPY_BLOCK_SIZE ? length : MBEDTLS_ENTROPY_BLOCK_SIZE;
        done = mbedtls_entropy_func(entropy, out, count) == 0;
        out += count;
        length -= count;
    }
    mbedtls_entropy_free(entropy);
    usmp_crypto_wipe(entropy, sizeof *entropy);
    mbedtls_free(entropy);
    return done;
}

/** Random numbers for the library: it blinds X25519 with them. */
static int draw(void *context, unsigned char *out, size_t length)
{
    (void)context;
    return usmp_crypto_random(out, length) ? 0 : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

/** RFC 7748 §5. Returns 0, or an error of Mbed TLS; that of a point of low order is MBEDTLS_ERR_ECP_INVALID_KEY. */
static int x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t u_coordinate[32])
{
    mbedtls_ecp_group curve;
    mbedtls_ecp_point point, product;
    mbedtls_mpi factor;
    uint8_t clamped[USMP_KEY_LENGTH];
    size_t written = 0;

    mbedtls_ecp_group_init(&curve);
    mbedtls_ecp_point_init(&point);
    mbedtls_ecp_point_init(&product);
    mbedtls_mpi_init(&factor);
    memcpy(clamped, scalar, sizeof clamped);
    clamped[0] &= 0xF8u;
    clamped[31] &= 0x7Fu;
    clamped[31] |= 0x40u;

    int error = mbedtls_ecp_group_load(&curve, MBEDTLS_ECP_DP_CURVE25519);
    if (error == 0) error = mbedtls_mpi_read_binary_le(&factor, clamped, sizeof clamped);
    if (error == 0) error = mbedtls_ecp_point_read_binary(&curve, &point, u_coordinate, USMP_KEY_LENGTH);
    if (error == 0) error = mbedtls_ecp_mul(&curve, &product, &factor, &point, draw, NULL);
    if (error == 0) {
        error = mbedtls_ecp_point_write_binary(&curve, &product, MBEDTLS_ECP_PF_COMPRESSED, &written, out, USMP_KEY_LENGTH);
        if (error == 0 && written != USMP_KEY_LENGTH) error = MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
    }

    usmp_crypto_wipe(clamped, sizeof clamped);
    mbedtls_mpi_free(&factor); /* these overwrite what they free */
    mbedtls_ecp_point_free(&product);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&curve);
    return error;
}

bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32])
{
    static const uint8_t base_point[USMP_KEY_LENGTH] = {9};
    return x25519(public_key, private_key, base_point) == 0;
}

bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer_public_key[32],
                              bool *low_order)
{
    static const uint8_t zero[USMP_KEY_LENGTH];

    /* Mbed TLS refuses points of low order before it multiplies. A clamped private key is always valid. */
    int error = x25519(secret, private_key, peer_public_key);
    *low_order = error == MBEDTLS_ERR_ECP_INVALID_KEY || (error == 0 && usmp_crypto_equal(secret, zero, sizeof zero));
    if (error == 0 && !*low_order) return true;

    usmp_crypto_wipe(secret, USMP_KEY_LENGTH);
    return false;
}

bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (sha256 == NULL) return false;

    /* Into memory of our own, as Mbed TLS does not promise that `data` may be where the result goes. */
    uint8_t result[USMP_MAC_LENGTH];
    bool done = mbedtls_md_hmac(sha256, key, key_length, data, length, result) == 0;
    if (done) memcpy(mac, result, sizeof result);
    usmp_crypto_wipe(result, sizeof result);
    return done;
}

bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32])
{
    mbedtls_gcm_init(&aead->gcm);
    aead->prepared = true;
    if (mbedtls_gcm_setkey(&aead->gcm, MBEDTLS_CIPHER_ID_AES, key, USMP_KEY_LENGTH * 8u) == 0) return true;

    usmp_aead_release(aead);
    return false;
}

bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    if (!aead->prepared) return false;

    return mbedtls_gcm_crypt_and_tag(&aead->gcm, MBEDTLS_GCM_ENCRYPT, length, nonce, USMP_NONCE_LENGTH, aad, aad_length,
                                     text, text, USMP_TAG_LENGTH, text + length) == 0;
}

bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    /* Not in place: Mbed TLS clears its output where the tag does not fit. */
    uint8_t opened[MAX_TEXT];
    if (!aead->prepared || length > MAX_TEXT) return false;

    bool done = mbedtls_gcm_auth_decrypt(&aead->gcm, length, nonce, USMP_NONCE_LENGTH, aad, aad_length, text + length,
                                         USMP_TAG_LENGTH, text, opened) == 0;
    if (done) memcpy(text, opened, length);
    usmp_crypto_wipe(opened, length);
    return done;
}

void usmp_aead_release(usmp_aead_t *aead)
{
    if (aead->prepared) mbedtls_gcm_free(&aead->gcm);
    usmp_crypto_wipe(aead, sizeof *aead);
}

#endif
