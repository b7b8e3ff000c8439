#include "usmp/key_schedule.h"

#include <string.h>

#include "usmp/frame.h"

#define SESSION_LABEL_LENGTH 7u
#define REKEY_LABEL_LENGTH 10u
#define LONGEST_INFO (SESSION_LABEL_LENGTH + 64u)

static const uint8_t SESSION_LABEL[SESSION_LABEL_LENGTH] = {'u', 's', 'm', 'p', '-', 'v', '2'};
static const uint8_t REKEY_LABEL[REKEY_LABEL_LENGTH] = {'u', 's', 'm', 'p', '-', 'r', 'e', 'k', 'e', 'y'};

/**
 * HKDF-SHA256 (RFC 5869) for 64 bytes, composed of HMAC as its §2.2 and §2.3 say; the salt has 32 bytes here. `info` is
 * `label || context`.
 */
static bool hkdf(uint8_t okm[64], const uint8_t *ikm, size_t ikm_length, const uint8_t salt[32], const uint8_t *label,
                 size_t label_length, const uint8_t *context, size_t context_length)
{
    uint8_t prk[32];
    /* The block before, info, and a counter. */
    uint8_t data[32 + LONGEST_INFO + 1];
    uint8_t *info = data + 32;
    size_t info_length = label_length + context_length;
    memcpy(info, label, label_length);
    memcpy(info + label_length, context, context_length);
    info[info_length] = 0x01;
    bool done = usmp_crypto_hmac_sha256(prk, salt, 32, ikm, ikm_length) &&
                usmp_crypto_hmac_sha256(okm, prk, 32, info, info_length + 1);
    memcpy(data, okm, 32);
    info[info_length] = 0x02;
    done = done && usmp_crypto_hmac_sha256(okm + 32, prk, 32, data, 32 + info_length + 1);
    usmp_crypto_wipe(prk, sizeof prk);
    usmp_crypto_wipe(data, 32);
    return done;
}

USMP_INTERNAL bool usmp_derive_session_keys(uint8_t keys[64], const uint8_t secret[32], const uint8_t transcript[96])
{
    return hkdf(keys, secret, 32, transcript, SESSION_LABEL, SESSION_LABEL_LENGTH, transcript + 32, 64);
}

USMP_INTERNAL bool usmp_derive_rekey_keys(uint8_t keys[64], const uint8_t old[64], const uint8_t salt[32], const uint8_t session_id[16])
{
    return hkdf(keys, old, 64, salt, REKEY_LABEL, REKEY_LABEL_LENGTH, session_id, 16);
}

USMP_INTERNAL void usmp_swap_keys(uint8_t keys[64])
{
    for (size_t i = 0; i < USMP_KEY_LENGTH; i++) {
        uint8_t byte = keys[i];
        keys[i] = keys[i + USMP_KEY_LENGTH];
        keys[i + USMP_KEY_LENGTH] = byte;
    }
}

USMP_INTERNAL bool usmp_handshake_mac(uint8_t mac[32], uint8_t type, const uint8_t *psk, size_t psk_length, const uint8_t *identity,
                        const uint8_t transcript[96])
{
    size_t identity_length = type == USMP_HELLO_ACK ? 6 : 16;
    uint8_t data[4 + USMP_TRANSCRIPT_LENGTH + 16] = {USMP_MAGIC_LOW, USMP_MAGIC_HIGH, USMP_VERSION, type};
    uint8_t *end = data + 4;
    memcpy(end, transcript, 32);
    memcpy(end + 32, identity, identity_length);
    memcpy(end + 32 + identity_length, transcript + 32, 64);
    return usmp_crypto_hmac_sha256(mac, psk, psk_length, data, 4 + USMP_TRANSCRIPT_LENGTH + identity_length);
}
