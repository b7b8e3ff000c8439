/**
 * The seam over PSA Crypto: that of Mbed TLS 2.28, 3.x and 4.x, or any other. Nothing here is particular to Mbed TLS but the
 * few lines about MBEDTLS_PSA_CRYPTO_KEY_ID_ENCODES_OWNER.
 *
 * PSA knows keys only as numbers. All but those of AES exist during one call; each path destroys them.
 */
#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_PSA)

#include <string.h>

/* A library that is built for a secure partition manager tells keys apart by their owner too; ours is always 0, itself. */
#if defined(MBEDTLS_PSA_CRYPTO_KEY_ID_ENCODES_OWNER)
typedef mbedtls_svc_key_id_t key_handle_t;
#define NO_KEY MBEDTLS_SVC_KEY_ID_INIT
#define HANDLE_OF(id) mbedtls_svc_key_id_make(0, id)
#define ID_OF(handle) MBEDTLS_SVC_KEY_ID_GET_KEY_ID(handle)
#else
typedef psa_key_id_t key_handle_t;
#define NO_KEY ((psa_key_id_t)0)
#define HANDLE_OF(id) (id)
#define ID_OF(handle) (handle)
#endif

/** Plaintext of a frame (spec/protocol.md §4.1). */
#define MAX_TEXT 452u

/** Block of SHA-256: the longest key that HMAC takes as it is. */
#define HMAC_BLOCK 64u

#define X25519_KEY PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY)
#define X25519_BITS 255u
#define AES_BITS 256u

/** What a key is for: one type, one algorithm, one use, as PSA wants it. */
typedef struct purpose {
    psa_key_type_t type;
    psa_algorithm_t algorithm;
    psa_key_usage_t usage;
} purpose_t;

/** Gives bytes to the library as a key. The caller destroys it. */
static bool import_key(key_handle_t *handle, const purpose_t *purpose, const uint8_t *bytes, size_t length, size_t bits)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, purpose->type);
    psa_set_key_bits(&attributes, bits);
    psa_set_key_algorithm(&attributes, purpose->algorithm);
    psa_set_key_usage_flags(&attributes, purpose->usage);

    return psa_crypto_init() == PSA_SUCCESS && psa_import_key(&attributes, bytes, length, handle) == PSA_SUCCESS;
}

static bool destroy_key(key_handle_t handle)
{
    return psa_destroy_key(handle) == PSA_SUCCESS;
}

bool usmp_crypto_random(uint8_t *out, size_t length)
{
    return psa_crypto_init() == PSA_SUCCESS && psa_generate_random(out, length) == PSA_SUCCESS;
}

/** A private key of X25519. PSA takes it only as RFC 7748 §5 decodes it; Mbed TLS would do that itself, others refuse. */
static bool import_private_key(key_handle_t *handle, const uint8_t private_key[32])
{
    static const purpose_t purpose = {X25519_KEY, PSA_ALG_ECDH, PSA_KEY_USAGE_DERIVE};
    uint8_t clamped[USMP_KEY_LENGTH];
    memcpy(clamped, private_key, sizeof clamped);
    clamped[0] &= 0xF8u;
    clamped[31] &= 0x7Fu;
    clamped[31] |= 0x40u;

    bool imported = import_key(handle, &purpose, clamped, sizeof clamped, X25519_BITS);
    usmp_crypto_wipe(clamped, sizeof clamped);
    return imported;
}

bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32])
{
    key_handle_t handle = NO_KEY;
    if (!import_private_key(&handle, private_key)) return false;

    size_t length = 0;
    psa_status_t status = psa_export_public_key(handle, public_key, USMP_KEY_LENGTH, &length);
    bool destroyed = destroy_key(handle);
    return status == PSA_SUCCESS && length == USMP_KEY_LENGTH && destroyed;
}

bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer_public_key[32],
                              bool *low_order)
{
    static const uint8_t zero[USMP_KEY_LENGTH];
    *low_order = false;

    key_handle_t handle = NO_KEY;
    if (!import_private_key(&handle, private_key)) return false;

    size_t length = 0;
    psa_status_t status =
        psa_raw_key_agreement(PSA_ALG_ECDH, handle, peer_public_key, USMP_KEY_LENGTH, secret, USMP_KEY_LENGTH, &length);
    bool destroyed = destroy_key(handle);

    /*
     * Mbed TLS knows the points of low order and refuses them as an argument, as which nothing else can be wrong here: the
     * private key was taken. Other libraries compute, and the result is zero.
     */
    bool done = status == PSA_SUCCESS && length == USMP_KEY_LENGTH && destroyed;
    *low_order = status == PSA_ERROR_INVALID_ARGUMENT || (done && usmp_crypto_equal(secret, zero, sizeof zero));
    if (done && !*low_order) return true;

    usmp_crypto_wipe(secret, USMP_KEY_LENGTH);
    return false;
}

bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    static const purpose_t purpose = {PSA_KEY_TYPE_HMAC, PSA_ALG_HMAC(PSA_ALG_SHA_256), PSA_KEY_USAGE_SIGN_MESSAGE};
    uint8_t short_key[USMP_MAC_LENGTH] = {0};
    uint8_t result[USMP_MAC_LENGTH];
    size_t written = 0;

    /*
     * RFC 2104 §2 hashes a key that is longer than a block, and fills up a shorter one with zeros. The first is done here
     * because PSA may limit the length of a key, the second for a key of no bytes, which PSA does not take.
     */
    bool done = true;
    if (key_length > HMAC_BLOCK)
        done = psa_crypto_init() == PSA_SUCCESS &&
               psa_hash_compute(PSA_ALG_SHA_256, key, key_length, short_key, sizeof short_key, &written) == PSA_SUCCESS &&
               written == sizeof short_key;
    if (key_length > HMAC_BLOCK || key_length == 0) {
        key = short_key;
        key_length = sizeof short_key;
    }

    key_handle_t handle = NO_KEY;
    done = done && import_key(&handle, &purpose, key, key_length, key_length * 8u);
    usmp_crypto_wipe(short_key, sizeof short_key);
    if (!done) return false;

    /* Into memory of our own, as PSA does not promise that `data` may be where the result goes. */
    written = 0;
    psa_status_t status =
        psa_mac_compute(handle, PSA_ALG_HMAC(PSA_ALG_SHA_256), data, length, result, sizeof result, &written);
    done = destroy_key(handle) && status == PSA_SUCCESS && written == USMP_MAC_LENGTH;
    if (done) memcpy(mac, result, sizeof result);
    usmp_crypto_wipe(result, sizeof result);
    return done;
}

bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32])
{
    static const purpose_t purpose = {PSA_KEY_TYPE_AES, PSA_ALG_GCM, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT};
    key_handle_t handle = NO_KEY;
    bool imported = import_key(&handle, &purpose, key, USMP_KEY_LENGTH, AES_BITS);
    aead->key = imported ? ID_OF(handle) : 0;
    return imported;
}

/* PSA does not promise that it can work in place, so the result is made beside the text and takes its place at the end. */

bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    uint8_t sealed[MAX_TEXT + USMP_TAG_LENGTH];
    if (length > MAX_TEXT) return false;

    size_t written = 0;
    psa_status_t status = psa_aead_encrypt(HANDLE_OF(aead->key), PSA_ALG_GCM, nonce, USMP_NONCE_LENGTH, aad, aad_length,
                                           text, length, sealed, length + USMP_TAG_LENGTH, &written);
    bool done = status == PSA_SUCCESS && written == length + USMP_TAG_LENGTH;
    if (done) memcpy(text, sealed, written);
    usmp_crypto_wipe(sealed, length + USMP_TAG_LENGTH);
    return done;
}

bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    uint8_t opened[MAX_TEXT];
    if (length > MAX_TEXT) return false;

    size_t written = 0;
    psa_status_t status = psa_aead_decrypt(HANDLE_OF(aead->key), PSA_ALG_GCM, nonce, USMP_NONCE_LENGTH, aad, aad_length,
                                           text, length + USMP_TAG_LENGTH, opened, length, &written);
    bool done = status == PSA_SUCCESS && written == length;
    if (done) memcpy(text, opened, length);
    usmp_crypto_wipe(opened, length);
    return done;
}

void usmp_aead_release(usmp_aead_t *aead)
{
    /* Without effect on key 0. A failure could not be told to anyone, and leaves a number that nobody knows any more. */
    (void)psa_destroy_key(HANDLE_OF(aead->key));
    aead->key = 0;
}

#endif
