#include "usmp/handshake.h"

#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"
#include "usmp/key_schedule.h"

#define NONCE(handshake) ((handshake)->transcript)
#define CLIENT_PUBLIC_KEY(handshake) ((handshake)->transcript + 32)
#define SERVER_PUBLIC_KEY(handshake) ((handshake)->transcript + 64)

/** The sequence numbers that the released peers put into handshake frames; no receiver checks them. */
#define HELLO_AGAIN_SEQ 1u
#define HELLO_ACK_SEQ 2u

/** The only frame that a state takes, and its exact payload length (§3.2). */
typedef struct accepted {
    uint8_t type;
    uint8_t length;
} accepted_t;

static const accepted_t ACCEPTS[] = {
    {USMP_CHALLENGE, 64}, /* USMP_WAIT_CHALLENGE */
    {USMP_SESSION_OK, 48}, /* USMP_WAIT_SESSION_OK */
#if USMP_SERVER
    {USMP_HELLO, USMP_HELLO_LENGTH}, /* USMP_WAIT_HELLO */
    {USMP_HELLO_ACK, 32}, /* USMP_WAIT_HELLO_ACK */
    {0, 0}, /* USMP_WAIT_KEYS */
    {0, 0}, /* USMP_HANDSHAKE_DONE */
#endif
};

/** Puts header and checksum around a payload that is in place. */
static size_t finish_frame(uint8_t *frame, uint8_t type, uint32_t seq, size_t length)
{
    usmp_frame_write_header(frame, type, seq, length);
    usmp_frame_write_checksum(frame);
    return USMP_HEADER_LENGTH + length;
}

/** The secret of the peer's public key, and from it the keys as the client holds them (§3.3). */
static usmp_error_t derive_keys(usmp_handshake_t *handshake, const uint8_t peer_public_key[32])
{
    uint8_t secret[32];
    bool low_order = false;
    if (!usmp_crypto_x25519_agree(secret, handshake->private_key, peer_public_key, &low_order)) {
        return low_order ? USMP_ERROR_LOW_ORDER_POINT : USMP_ERROR_CRYPTO_FAILED;
    }
    bool derived = usmp_derive_session_keys(handshake->keys, secret, handshake->transcript);
    usmp_crypto_wipe(secret, sizeof secret);
    usmp_crypto_wipe(handshake->private_key, sizeof handshake->private_key);
    return derived ? USMP_OK : USMP_ERROR_CRYPTO_FAILED;
}

USMP_INTERNAL bool usmp_handshake_make_key_pair(usmp_handshake_t *handshake, bool server)
{
    uint8_t *public_key = server ? SERVER_PUBLIC_KEY(handshake) : CLIENT_PUBLIC_KEY(handshake);
    if (handshake->has_key_pair) return true;
    if (!usmp_crypto_random(handshake->private_key, sizeof handshake->private_key)) return false;
    handshake->has_key_pair = usmp_crypto_x25519_public_key(public_key, handshake->private_key);
    return handshake->has_key_pair;
}

USMP_INTERNAL size_t usmp_handshake_hello(const usmp_handshake_t *handshake, const uint8_t device_id[6], const uint8_t *cookie, uint8_t *frame)
{
    size_t length = USMP_HELLO_LENGTH;
    memcpy(USMP_PAYLOAD(frame), device_id, 6);
    memcpy(USMP_PAYLOAD(frame) + 6, CLIENT_PUBLIC_KEY(handshake), 32);
#if USMP_DATAGRAM
    if (cookie != NULL) {
        memcpy(USMP_PAYLOAD(frame) + length, cookie, USMP_COOKIE_LENGTH);
        length += USMP_COOKIE_LENGTH;
    }
#endif
    return finish_frame(frame, USMP_HELLO, cookie == NULL ? 0 : HELLO_AGAIN_SEQ, length);
}

USMP_INTERNAL bool usmp_handshake_expects(const usmp_handshake_t *handshake, const uint8_t *frame, size_t size)
{
    const accepted_t *accepted = &ACCEPTS[handshake->state];
    return frame[3] == accepted->type && size == USMP_HEADER_LENGTH + accepted->length;
}

/** HELLO_ACK needs no shared secret: that is computed while the server works (§3.2), or before HELLO_ACK is asked for. */
static usmp_error_t on_challenge(usmp_handshake_t *handshake, const usmp_settings_t *settings, const uint8_t *payload, uint8_t *reply)
{
    memcpy(NONCE(handshake), payload, 32);
    memcpy(SERVER_PUBLIC_KEY(handshake), payload + 32, 32);
    if (!usmp_handshake_mac(USMP_PAYLOAD(reply), USMP_HELLO_ACK, settings->psk, settings->psk_length, settings->device_id,
                            handshake->transcript)) {
        return USMP_ERROR_CRYPTO_FAILED;
    }
    handshake->reply_length = (uint8_t)finish_frame(reply, USMP_HELLO_ACK, HELLO_ACK_SEQ, 32);
    handshake->state = USMP_WAIT_SESSION_OK;
    return USMP_OK;
}

USMP_INTERNAL usmp_error_t usmp_handshake_agree(usmp_handshake_t *handshake)
{
    if (handshake->agreed) return USMP_OK;
    usmp_error_t error = derive_keys(handshake, SERVER_PUBLIC_KEY(handshake));
    handshake->agreed = error == USMP_OK;
    return error;
}

static usmp_error_t on_session_ok(usmp_handshake_t *handshake, const usmp_settings_t *settings, const uint8_t *payload)
{
    uint8_t expected[USMP_MAC_LENGTH];
    usmp_error_t error = usmp_handshake_agree(handshake);
    if (error != USMP_OK) return error;
    if (!usmp_handshake_mac(expected, USMP_SESSION_OK, settings->psk, settings->psk_length, payload, handshake->transcript)) {
        return USMP_ERROR_CRYPTO_FAILED;
    }
    if (!usmp_crypto_equal(expected, payload + 16, sizeof expected)) return USMP_ERROR_ROGUE_SERVER;
    memcpy(handshake->session_id, payload, sizeof handshake->session_id);
    handshake->state = USMP_HANDSHAKE_DONE;
    return USMP_OK;
}

#if USMP_SERVER

USMP_INTERNAL size_t usmp_handshake_challenge(const usmp_handshake_t *handshake, uint8_t *frame)
{
    memcpy(USMP_PAYLOAD(frame), NONCE(handshake), 32);
    memcpy(USMP_PAYLOAD(frame) + 32, SERVER_PUBLIC_KEY(handshake), 32);
    return finish_frame(frame, USMP_CHALLENGE, 0, 64);
}

static usmp_error_t on_hello(usmp_handshake_t *handshake, const uint8_t *payload, uint8_t *reply)
{
    memcpy(handshake->device_id, payload, 6);
    memcpy(CLIENT_PUBLIC_KEY(handshake), payload + 6, 32);
    if (!usmp_crypto_random(NONCE(handshake), 32)) return USMP_ERROR_CRYPTO_FAILED;
    if (!usmp_handshake_make_key_pair(handshake, true)) return USMP_ERROR_CRYPTO_FAILED;
    handshake->reply_length = (uint8_t)usmp_handshake_challenge(handshake, reply);
    handshake->state = USMP_WAIT_HELLO_ACK;
    return USMP_OK;
}

/** A key that is missing is stood in for by the decoy, so that a failure always costs two comparisons (§3.5). */
static usmp_error_t find_key(usmp_handshake_t *handshake, const usmp_settings_t *settings, const usmp_key_t **found)
{
    *found = NULL;
    for (uint8_t i = 0; i < USMP_MAX_KEYS; i++) {
        const usmp_key_t *key = i < handshake->key_count ? &handshake->candidates[i] : NULL;
        if (key != NULL && key->length < USMP_MIN_PSK) key = NULL;
        const uint8_t *psk = key != NULL ? key->bytes : settings->decoy_key;
        size_t length = key != NULL ? key->length : USMP_KEY_LENGTH;
        uint8_t expected[USMP_MAC_LENGTH];
        if (!usmp_handshake_mac(expected, USMP_HELLO_ACK, psk, length, handshake->device_id, handshake->transcript)) {
            return USMP_ERROR_CRYPTO_FAILED;
        }
        bool proved = usmp_crypto_equal(expected, handshake->received_mac, sizeof expected);
        if (proved && key != NULL && *found == NULL) {
            *found = key;
            handshake->key_index = i;
        }
    }
    return *found != NULL ? USMP_OK : USMP_ERROR_WRONG_KEY;
}

/** Checks mac_C and only then spends an X25519 agreement on the client. */
static usmp_error_t authenticate(usmp_handshake_t *handshake, const usmp_settings_t *settings, uint8_t *reply)
{
    const usmp_key_t *key;
    usmp_error_t error = find_key(handshake, settings, &key);
    if (error != USMP_OK) return error;
    error = derive_keys(handshake, CLIENT_PUBLIC_KEY(handshake));
    if (error != USMP_OK) return error;
    usmp_swap_keys(handshake->keys);
    if (!usmp_crypto_random(handshake->session_id, sizeof handshake->session_id)) return USMP_ERROR_CRYPTO_FAILED;
    memcpy(USMP_PAYLOAD(reply), handshake->session_id, 16);
    if (!usmp_handshake_mac(USMP_PAYLOAD(reply) + 16, USMP_SESSION_OK, key->bytes, key->length, handshake->session_id,
                            handshake->transcript)) {
        return USMP_ERROR_CRYPTO_FAILED;
    }
    handshake->reply_length = (uint8_t)finish_frame(reply, USMP_SESSION_OK, 0, 48);
    handshake->state = USMP_HANDSHAKE_DONE;
    return USMP_OK;
}

static usmp_error_t on_hello_ack(usmp_handshake_t *handshake, const usmp_settings_t *settings, const uint8_t *payload, uint8_t *reply)
{
    memcpy(handshake->received_mac, payload, sizeof handshake->received_mac);
    handshake->state = USMP_WAIT_KEYS;
    return handshake->has_keys ? authenticate(handshake, settings, reply) : USMP_OK;
}

USMP_INTERNAL usmp_error_t usmp_handshake_provide_keys(usmp_handshake_t *handshake, const usmp_settings_t *settings, const usmp_key_t *keys,
                                         size_t count, uint8_t *reply)
{
    handshake->reply_length = 0;
    handshake->candidates = keys;
    handshake->key_count = (uint8_t)(count < USMP_MAX_KEYS ? count : USMP_MAX_KEYS);
    handshake->has_keys = true;
    return handshake->state == USMP_WAIT_KEYS ? authenticate(handshake, settings, reply) : USMP_OK;
}

#endif

USMP_INTERNAL usmp_error_t usmp_handshake_handle_frame(usmp_handshake_t *handshake, const usmp_settings_t *settings, const uint8_t *frame,
                                         size_t size, uint8_t *reply)
{
    const uint8_t *payload = USMP_PAYLOAD(frame);
    handshake->reply_length = 0;
    if (frame[3] != ACCEPTS[handshake->state].type) return USMP_ERROR_UNEXPECTED_FRAME;
    if (!usmp_handshake_expects(handshake, frame, size)) return USMP_ERROR_BAD_LENGTH;
    switch (handshake->state) {
    case USMP_WAIT_CHALLENGE: return on_challenge(handshake, settings, payload, reply);
#if USMP_SERVER
    case USMP_WAIT_HELLO: return on_hello(handshake, payload, reply);
    case USMP_WAIT_HELLO_ACK: return on_hello_ack(handshake, settings, payload, reply);
#endif
    default: return on_session_ok(handshake, settings, payload);
    }
}
