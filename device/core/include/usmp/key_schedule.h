/** Where the keys and MACs of version 2 come from (spec/protocol.md §3.3, §3.4, §7.1). Inside of the core. */
#ifndef USMP_KEY_SCHEDULE_H
#define USMP_KEY_SCHEDULE_H

#include "usmp/config.h"
#include "usmp/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The traffic keys of one side, `k_tx || k_rx`. */
#define USMP_TRAFFIC_KEYS_LENGTH (2 * USMP_KEY_LENGTH)

/** What both sides know after CHALLENGE: `nonce || pub_C || pub_S`. */
#define USMP_TRANSCRIPT_LENGTH 96u

/** The first keys of a session as the client holds them (§3.3); the server's are the other way round. */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_derive_session_keys(uint8_t keys[64], const uint8_t secret[32], const uint8_t transcript[96]);

/**
 * The keys after a REKEY as its initiator holds them (§7.1); the responder's are the other way round.
 *
 * @param old the keys before it, as the initiator holds them; may be the same memory as `keys`
 */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_derive_rekey_keys(uint8_t keys[64], const uint8_t old[64], const uint8_t salt[32],
                                            const uint8_t session_id[16]);

/** Makes the keys of one side those of the other. */
USMP_INTERNAL void usmp_swap_keys(uint8_t keys[64]);

/**
 * mac_C and mac_S (§3.4), by the type of the frame that carries them.
 *
 * @param identity the device id for HELLO_ACK, the session id for SESSION_OK
 */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_handshake_mac(uint8_t mac[32], uint8_t type, const uint8_t *psk, size_t psk_length,
                                        const uint8_t *identity, const uint8_t transcript[96]);

#ifdef __cplusplus
}
#endif

#endif
