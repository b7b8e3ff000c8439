#include "usmp/record.h"

#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"
#include "usmp/limits.h"

#define TX_KEY(keys) (keys)
#define RX_KEY(keys) ((keys) + USMP_KEY_LENGTH)
#define SEQ(frame) ((frame) + 4)

/** Whether `seq || session_id[0..8)` stands in front of the payload (§4.1). Nothing of it is secret. */
static bool has_own_nonce(const usmp_record_t *record, const uint8_t *frame)
{
    return memcmp(USMP_PAYLOAD(frame), SEQ(frame), 4) == 0 && memcmp(USMP_PAYLOAD(frame) + 4, record->session_id, 8) == 0;
}

static bool prepare_keys(usmp_record_t *record)
{
    usmp_aead_release(&record->tx);
    usmp_aead_release(&record->rx);
    return usmp_aead_prepare(&record->tx, TX_KEY(record->keys)) && usmp_aead_prepare(&record->rx, RX_KEY(record->keys));
}

static bool decrypt(usmp_aead_t *rx, uint8_t *frame, size_t size)
{
    return usmp_aead_open(rx, USMP_PAYLOAD(frame), frame, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(frame), size - USMP_RECORD_OVERHEAD);
}

/** Not inlined, so that the memory of the key is taken from the stack only while it is needed. */
#if defined(__GNUC__)
__attribute__((noinline))
#endif
static bool decrypt_before(const usmp_record_t *record, uint8_t *frame, size_t size)
{
    usmp_aead_t rx;
    memset(&rx, 0, sizeof rx);
    bool opened = usmp_aead_prepare(&rx, RX_KEY(record->keys_before)) && decrypt(&rx, frame, size);
    usmp_aead_release(&rx);
    return opened;
}

static void forget_before(usmp_record_t *record)
{
    record->before = USMP_BEFORE_NOTHING;
    usmp_crypto_wipe(record->keys_before, sizeof record->keys_before);
}

static void complete_rekey(usmp_record_t *record)
{
    record->rekey_complete = true;
    forget_before(record);
}

USMP_INTERNAL bool usmp_record_begin(usmp_record_t *record, const uint8_t session_id[16], const uint8_t keys[64])
{
    memcpy(record->session_id, session_id, sizeof record->session_id);
    memcpy(record->keys, keys, sizeof record->keys);
    record->rekey_complete = true;
    return prepare_keys(record);
}

USMP_INTERNAL uint32_t usmp_record_sealable(const usmp_record_t *record)
{
    return USMP_MAX_SEQUENCE + 1 - record->tx_seq;
}

USMP_INTERNAL usmp_error_t usmp_record_seal(usmp_record_t *record, uint8_t type, const uint8_t *plaintext, size_t length, uint8_t *frame)
{
    if (usmp_record_sealable(record) == 0) return USMP_ERROR_SEQUENCE_SPENT;
    uint32_t seq = record->tx_seq++;
#if USMP_DATAGRAM
    if (record->tx_seq >= USMP_SAFE_REKEY_FRAMES) record->sent_many = true;
#endif
    usmp_frame_write_header(frame, type, seq, length + USMP_SEAL_OVERHEAD);
    memcpy(USMP_PAYLOAD(frame), SEQ(frame), 4);
    memcpy(USMP_PAYLOAD(frame) + 4, record->session_id, 8);
    if (length > 0) memcpy(USMP_TEXT(frame), plaintext, length);
    if (!usmp_aead_seal(&record->tx, USMP_PAYLOAD(frame), frame, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(frame), length)) {
        usmp_crypto_wipe(USMP_TEXT(frame), length);
        return USMP_ERROR_CRYPTO_FAILED;
    }
    usmp_frame_write_checksum(frame);
    return USMP_OK;
}

USMP_INTERNAL usmp_error_t usmp_record_open(usmp_record_t *record, uint8_t *frame, size_t size)
{
    if (size < USMP_RECORD_OVERHEAD) return USMP_ERROR_BAD_LENGTH;
    uint32_t seq = usmp_load32(frame + 4);
    if (seq > USMP_MAX_SEQUENCE) return USMP_ERROR_SEQUENCE_SPENT;
    bool current = usmp_replay_is_next(&record->filter, seq);
    bool before = record->before == USMP_BEFORE_NEW_FRAMES && usmp_replay_is_next(&record->filter_before, seq);
    if (!current && !before) return USMP_ERROR_BAD_SEQUENCE;
    if (!has_own_nonce(record, frame)) return USMP_ERROR_BAD_NONCE;

    /* Where both keys await the same number, both are tried (§7.2). */
    if (before && decrypt_before(record, frame, size)) {
        record->filter_before.expected = seq + 1;
        return USMP_OK;
    }
    if (!current || !decrypt(&record->rx, frame, size)) return USMP_ERROR_BAD_TAG;
    record->filter.expected = seq + 1;
    if (!record->rekey_complete) complete_rekey(record);
    return USMP_OK;
}

#if USMP_DATAGRAM

USMP_INTERNAL bool usmp_record_authenticate(usmp_record_t *record, uint8_t *frame, size_t size, usmp_opened_t *opened)
{
    if (size < USMP_RECORD_OVERHEAD) return false;
    uint32_t seq = usmp_load32(frame + 4);
    if (!has_own_nonce(record, frame)) return false;
    usmp_standing_t standing = usmp_replay_judge(&record->filter, seq);
    opened->under_old_key = false;
    opened->repeat = standing == USMP_STANDING_REPEAT;
    if (standing != USMP_STANDING_REFUSED && decrypt(&record->rx, frame, size)) return true;

    if (record->before == USMP_BEFORE_NOTHING) return false;
    standing = usmp_replay_judge(&record->filter_before, seq);
    if (standing == USMP_STANDING_REFUSED) return false;
    if (standing == USMP_STANDING_NEW && record->before == USMP_BEFORE_REPEATS) return false;
    opened->under_old_key = true;
    opened->repeat = standing == USMP_STANDING_REPEAT;
    return decrypt_before(record, frame, size);
}

USMP_INTERNAL void usmp_record_confirm(usmp_record_t *record, uint32_t seq, usmp_opened_t opened)
{
    usmp_replay_confirm(opened.under_old_key ? &record->filter_before : &record->filter, seq);
    if (!opened.under_old_key && !record->rekey_complete) complete_rekey(record);
}

static bool utack_mac(uint8_t mac[32], const uint8_t *key, const uint8_t header[7])
{
    return usmp_crypto_hmac_sha256(mac, key, USMP_KEY_LENGTH, header, USMP_UTACK_HEADER_LENGTH);
}

USMP_INTERNAL bool usmp_record_utack_mac(const usmp_record_t *record, uint8_t mac[8], const uint8_t header[7], bool under_old_key)
{
    uint8_t whole[USMP_MAC_LENGTH];
    if (!utack_mac(whole, RX_KEY(under_old_key ? record->keys_before : record->keys), header)) return false;
    memcpy(mac, whole, USMP_UTACK_MAC_LENGTH);
    return true;
}

USMP_INTERNAL bool usmp_record_verify_utack(const usmp_record_t *record, const uint8_t mac[8], const uint8_t header[7])
{
    uint8_t expected[USMP_MAC_LENGTH];
    if (!utack_mac(expected, TX_KEY(record->keys), header)) return false;
    if (usmp_crypto_equal(expected, mac, USMP_UTACK_MAC_LENGTH)) return true;
    if (header[2] != USMP_REKEY || !record->has_rekey_mac_key) return false;
    if (!utack_mac(expected, record->rekey_mac_key, header)) return false;
    return usmp_crypto_equal(expected, mac, USMP_UTACK_MAC_LENGTH);
}

USMP_INTERNAL void usmp_record_rekey_acknowledged(usmp_record_t *record)
{
    record->has_rekey_mac_key = false;
    usmp_crypto_wipe(record->rekey_mac_key, sizeof record->rekey_mac_key);
}

#endif

USMP_INTERNAL bool usmp_record_rekey(usmp_record_t *record, usmp_rekey_role_t role, const uint8_t salt[32], bool datagrams)
{
    uint8_t derived[USMP_TRAFFIC_KEYS_LENGTH];
    bool responds = role == USMP_REKEY_RESPONDER;
    bool crossed = record->before == USMP_BEFORE_NEW_FRAMES;
#if USMP_DATAGRAM
    if (datagrams && !responds) {
        memcpy(record->rekey_mac_key, TX_KEY(record->keys), USMP_KEY_LENGTH);
        record->has_rekey_mac_key = true;
    }
#endif
    if (!crossed) {
        memcpy(record->keys_before, record->keys, sizeof record->keys);
        record->filter_before = record->filter;
        record->tx_seq = 0;
    }
    /* The keys are derived as the initiator holds them (§7.1). */
    memcpy(derived, record->keys_before, sizeof derived);
    if (responds) usmp_swap_keys(derived);
    bool done = usmp_derive_rekey_keys(derived, derived, salt, record->session_id);
    if (responds) usmp_swap_keys(derived);
    /* After a crossing we go on sending under our own REKEY and receive under the peer's (§7.3). */
    size_t from = crossed ? USMP_KEY_LENGTH : 0;
    memcpy(record->keys + from, derived + from, sizeof derived - from);
    usmp_crypto_wipe(derived, sizeof derived);

    memset(&record->filter, 0, sizeof record->filter);
    record->rekey_complete = false;
    record->before = responds ? USMP_BEFORE_REPEATS : USMP_BEFORE_NEW_FRAMES;
    if (responds && !datagrams) forget_before(record);
    return done && prepare_keys(record);
}

USMP_INTERNAL void usmp_record_wipe(usmp_record_t *record)
{
    usmp_aead_release(&record->tx);
    usmp_aead_release(&record->rx);
    forget_before(record);
    usmp_crypto_wipe(record->keys, sizeof record->keys);
#if USMP_DATAGRAM
    usmp_record_rekey_acknowledged(record);
#endif
    record->tx_seq = USMP_MAX_SEQUENCE + 1;
}
