/**
 * The seam over BearSSL. Only what is named here is linked: no `br_ec_get_default` and the like, which bring other
 * implementations with them, and none that looks anything up in a table by secret bits.
 *
 * What BearSSL's own functions leave behind in their stack frames is not overwritten; nobody outside of them can do that.
 */
#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_BEARSSL)

#include <string.h>

/*
 * USMP_BEARSSL_M15: 1 for chips whose multiplication 32 x 32 -> 64 is missing or takes a time that depends on the numbers, 0
 * where it is there and always takes the same time. Defining it overrides the choice that is made here.
 *
 *   Cortex-M0, M0+, M1, M23    1: only MULS, 32 x 32 -> 32
 *   Cortex-M3                  1: UMULL ends earlier for small numbers, MUL does not
 *   Cortex-M4, M7, M33, M55    0
 *   RISC-V with M              0: MUL and MULHU
 *   Xtensa LX6, LX7 (ESP32)    0: MULL and MULUH
 *   Xtensa LX106 (ESP8266)     1: only MULL, 32 x 32 -> 32
 *   AVR with MUL               1: 8 x 8 -> 16
 *   64-bit hosts               0
 *   what is not known          1: it asks least of the chip
 *
 * Where every multiplication is a loop in libgcc, none takes a constant time, whichever is chosen.
 */
#if defined(__XTENSA__) && defined(__has_include)
#if __has_include(<xtensa/config/core-isa.h>)
#include <xtensa/config/core-isa.h> /* says what this Xtensa can do: XCHAL_HAVE_… */
#endif
#endif

#if !defined(USMP_BEARSSL_M15)
#if UINTPTR_MAX > 0xFFFFFFFF || defined(__i386__)
#define USMP_BEARSSL_M15 0
#elif defined(__riscv_mul) || defined(__riscv_zmmul)
#define USMP_BEARSSL_M15 0
#elif defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define USMP_BEARSSL_M15 0
#elif defined(XCHAL_HAVE_MUL32_HIGH)
#define USMP_BEARSSL_M15 (!XCHAL_HAVE_MUL32_HIGH)
#elif defined(__XCHAL_HAVE_MUL32_HIGH) /* GCC from 13 on */
#define USMP_BEARSSL_M15 (!__XCHAL_HAVE_MUL32_HIGH)
#elif defined(__riscv) || (defined(__AVR__) && !defined(__AVR_HAVE_MUL__))
#error "no multiplication instruction: BearSSL leaks keys by time here; -DUSMP_BEARSSL_M15=1 builds it all the same"
#else
#define USMP_BEARSSL_M15 1
#endif
#endif

#if USMP_BEARSSL_M15
static const br_ec_impl *const x25519 = &br_ec_c25519_m15;
static const br_ghash ghash = br_ghash_ctmul32;
#else
static const br_ec_impl *const x25519 = &br_ec_c25519_m31;
static const br_ghash ghash = br_ghash_ctmul;
#endif

bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32])
{
    return x25519->mulgen(public_key, private_key, USMP_KEY_LENGTH, BR_EC_curve25519) == USMP_KEY_LENGTH;
}

bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer_public_key[32],
                              bool *low_order)
{
    static const uint8_t zero[USMP_KEY_LENGTH];

    /* Works in place, and takes the scalar as RFC 7748 has it: little-endian, clamped by the function itself. */
    memcpy(secret, peer_public_key, USMP_KEY_LENGTH);
    bool done = x25519->mul(secret, USMP_KEY_LENGTH, private_key, USMP_KEY_LENGTH, BR_EC_curve25519) == 1;
    *low_order = done && usmp_crypto_equal(secret, zero, USMP_KEY_LENGTH);
    return done && !*low_order;
}

/** Not inlined: the context is on the stack only after the key has been taken in, which takes as much again. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static void hmac_of(uint8_t mac[32], const br_hmac_key_context *key, const uint8_t *data, size_t length)
{
    br_hmac_context message;
    br_hmac_init(&message, key, USMP_MAC_LENGTH);
    br_hmac_update(&message, data, length);
    br_hmac_out(&message, mac);
    usmp_crypto_wipe(&message, sizeof message);
}

bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    br_hmac_key_context prepared;
    br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_length);
    hmac_of(mac, &prepared, data, length);
    usmp_crypto_wipe(&prepared, sizeof prepared);
    return true;
}

bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32])
{
    br_aes_ct_ctr_init(&aead->aes, key, USMP_KEY_LENGTH);
    br_gcm_init(&aead->gcm, &aead->aes.vtable, ghash);
    return true;
}

/** All of GCM that comes before the text. */
static void begin(br_gcm_context *gcm, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length)
{
    br_gcm_reset(gcm, nonce, USMP_NONCE_LENGTH);
    br_gcm_aad_inject(gcm, aad, aad_length);
    br_gcm_flip(gcm);
}

bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    begin(&aead->gcm, nonce, aad, aad_length);
    br_gcm_run(&aead->gcm, 1, text, length);
    br_gcm_get_tag(&aead->gcm, text + length);
    return true;
}

bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    begin(&aead->gcm, nonce, aad, aad_length);
    br_gcm_run(&aead->gcm, 0, text, length);
    if (br_gcm_check_tag(&aead->gcm, text + length) == 1) return true;

    /*
     * BearSSL decrypts before the tag is known. CTR is its own inverse: running it again brings back what was there. No tag
     * is made this time, so the additional data do not matter.
     */
    begin(&aead->gcm, nonce, aad, 0);
    br_gcm_run(&aead->gcm, 1, text, length);
    return false;
}

void usmp_aead_release(usmp_aead_t *aead)
{
    usmp_crypto_wipe(aead, sizeof *aead);
}

#endif
