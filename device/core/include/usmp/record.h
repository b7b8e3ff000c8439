/**
 * Session records of version 2 (spec/protocol.md §4, §7): sealing and opening of frames, sequence numbers, and the change of
 * keys under traffic. Inside of the core.
 */
#ifndef USMP_RECORD_H
#define USMP_RECORD_H

#include "usmp/config.h"
#include "usmp/crypto.h"
#include "usmp/errors.h"
#include "usmp/key_schedule.h"
#include "usmp/replay.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Length of the salt that REKEY carries (§7.1). */
#define USMP_REKEY_SALT_LENGTH 32u

/** What the receive key before a REKEY still opens. */
enum {
    USMP_BEFORE_NOTHING,
    /** Frames that the peer had under way (§7.2). */
    USMP_BEFORE_NEW_FRAMES,
    /** Over datagrams: repeats of what was taken, to answer them again (§9.5). */
    USMP_BEFORE_REPEATS
};

/** Both directions of one session. What is small comes first: that makes shorter instructions. */
typedef struct usmp_record {
    uint32_t tx_seq;
    usmp_replay_t filter;
    usmp_replay_t filter_before;
    /** False from a REKEY on until a frame under the new receive key has been opened (§7.4). */
    bool rekey_complete;
    uint8_t before;
#if USMP_DATAGRAM
    /** Whether USMP_SAFE_REKEY_FRAMES numbers have been used under one key. */
    bool sent_many;
    /** The sending key under which our REKEY went, until that is acknowledged (§9.5). */
    bool has_rekey_mac_key;
    uint8_t rekey_mac_key[USMP_KEY_LENGTH];
#endif
    uint8_t session_id[16];
    /** The keys in use, `k_tx || k_rx`. */
    uint8_t keys[USMP_TRAFFIC_KEYS_LENGTH];
    /** The pair before a REKEY. Its receive key is made ready only while it opens a frame: that is rare, and memory is not. */
    uint8_t keys_before[USMP_TRAFFIC_KEYS_LENGTH];
    usmp_aead_t tx;
    usmp_aead_t rx;
} usmp_record_t;

/** Begins a session. `record` must be all zero bytes. @param keys `k_tx || k_rx` */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_record_begin(usmp_record_t *record, const uint8_t session_id[16], const uint8_t keys[64]);

/** Frames that may still be sealed under the present key. */
USMP_INTERNAL uint32_t usmp_record_sealable(const usmp_record_t *record);

/**
 * Writes a whole frame of `length + USMP_RECORD_OVERHEAD` bytes. The sequence number is used up whatever becomes of the frame
 * (§4.2).
 *
 * @return USMP_OK, USMP_ERROR_SEQUENCE_SPENT, USMP_ERROR_CRYPTO_FAILED
 */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_record_seal(usmp_record_t *record, uint8_t type, const uint8_t *plaintext, size_t length,
                                              uint8_t *frame);

/**
 * Opens a frame of a stream in place, in the order of §4.3, from step 3 on: the plaintext stands behind header and nonce.
 *
 * @return USMP_OK, or why it is not the frame that must come next; over a stream that ends the session
 */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_record_open(usmp_record_t *record, uint8_t *frame, size_t size);

#if USMP_DATAGRAM
/** How a frame that came as a datagram has authenticated. */
typedef struct usmp_opened {
    bool repeat;
    bool under_old_key;
} usmp_opened_t;

/**
 * Opens a frame that came as a datagram in place, also one that was received before (§9.4). It does not count as received
 * until `usmp_record_confirm`.
 *
 * @return false when it does not authenticate or its number is refused; it is as it was then
 */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_record_authenticate(usmp_record_t *record, uint8_t *frame, size_t size, usmp_opened_t *opened);

/** Counts a frame that `usmp_record_authenticate` has opened as received. */
USMP_INTERNAL void usmp_record_confirm(usmp_record_t *record, uint32_t seq, usmp_opened_t opened);

/** The MAC of a UTACK for a frame of the peer (§9.1). */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_record_utack_mac(const usmp_record_t *record, uint8_t mac[8], const uint8_t header[7],
                                           bool under_old_key);

/** Whether a MAC is that of a UTACK for a frame of ours; for REKEY itself the key before it serves too (§9.5). */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_record_verify_utack(const usmp_record_t *record, const uint8_t mac[8], const uint8_t header[7]);

/** Our REKEY has arrived. */
USMP_INTERNAL void usmp_record_rekey_acknowledged(usmp_record_t *record);
#endif

/** Who has sent a REKEY. */
typedef enum usmp_rekey_role { USMP_REKEY_RESPONDER, USMP_REKEY_INITIATOR } usmp_rekey_role_t;

/**
 * Switches to new keys (§7.2): as the initiator right after the REKEY frame with this salt has been sealed, and what the peer
 * sealed before it saw REKEY stays readable; as the responder when REKEY of the peer has been opened, by §7.3 where it crosses one
 * of ours.
 *
 * @param datagrams the initiator keeps the old sending key for the UTACK, until `usmp_record_rekey_acknowledged`; the responder
 *        keeps the old receive key for repeats, until a frame under the new one opens
 */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_record_rekey(usmp_record_t *record, usmp_rekey_role_t role, const uint8_t salt[32], bool datagrams);

/** Overwrites the keys. Nothing can be sealed or opened after that; the session id, which is no secret, can still be read. */
USMP_INTERNAL void usmp_record_wipe(usmp_record_t *record);

#ifdef __cplusplus
}
#endif

#endif
