/** The handshake of version 2 for both roles (spec/protocol.md §3): which frame each state takes, and what comes of it. Inside. */
#ifndef USMP_HANDSHAKE_H
#define USMP_HANDSHAKE_H

#include "usmp/config.h"
#include "usmp/crypto.h"
#include "usmp/errors.h"
#include "usmp/limits.h"
#include "usmp/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a side waits for. KEYS is the server's wait for its own key look-up. */
typedef enum usmp_handshake_state {
    USMP_WAIT_CHALLENGE,
    USMP_WAIT_SESSION_OK,
    USMP_WAIT_HELLO,
    USMP_WAIT_HELLO_ACK,
    USMP_WAIT_KEYS,
    USMP_HANDSHAKE_DONE
} usmp_handshake_state_t;

/** Payload of HELLO without a cookie (§3.1), and the longest frame of a handshake. */
#define USMP_HELLO_LENGTH 38u
#define USMP_MAX_HANDSHAKE_FRAME (USMP_HEADER_LENGTH + 64u)

/** One handshake. All zero bytes are a client's that has no key pair yet. */
typedef struct usmp_handshake {
    uint8_t state;
    bool has_key_pair;
    /** Client: the shared secret has been computed; `keys` has the keys of the session. */
    bool agreed;
    uint8_t key_index;
    /** Of the frame that was last asked for; 0 for none. */
    uint8_t reply_length;
    uint8_t private_key[32];
    /** `nonce || pub_C || pub_S` */
    uint8_t transcript[96];
    uint8_t keys[64];
    uint8_t session_id[16];
#if USMP_SERVER
    uint8_t device_id[6];
    uint8_t received_mac[32];
    bool has_keys;
    uint8_t key_count;
    const usmp_key_t *candidates;
#endif
} usmp_handshake_t;

/** Makes the key pair, where there is none yet. Computes one X25519 then. @param server whose place in the transcript it has */
USMP_MUST_CHECK USMP_INTERNAL bool usmp_handshake_make_key_pair(usmp_handshake_t *handshake, bool server);

/**
 * The client's first frame; over UDP again, with the cookie that the server has asked for (§9.2).
 *
 * @param cookie null for none
 * @return its length
 */
USMP_INTERNAL size_t usmp_handshake_hello(const usmp_handshake_t *handshake, const uint8_t device_id[6], const uint8_t *cookie, uint8_t *frame);

/** Whether a frame has the type and the length that come next. */
USMP_INTERNAL bool usmp_handshake_expects(const usmp_handshake_t *handshake, const uint8_t *frame, size_t size);

/**
 * Takes the next frame of the peer.
 *
 * @param reply room for USMP_MAX_HANDSHAKE_FRAME bytes: the frame to send, of `reply_length` bytes
 * @return USMP_OK, or why the handshake has failed
 */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_handshake_handle_frame(usmp_handshake_t *handshake, const usmp_settings_t *settings,
                                                         const uint8_t *frame, size_t size, uint8_t *reply);

/** Client: computes the shared secret and the keys, where that is not done yet. One X25519. */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_handshake_agree(usmp_handshake_t *handshake);

#if USMP_SERVER
/** Server: CHALLENGE, once HELLO has come. @return its length */
USMP_INTERNAL size_t usmp_handshake_challenge(const usmp_handshake_t *handshake, uint8_t *frame);

/** Server: the answer to "which keys has this device?"; SESSION_OK is in `reply` when HELLO_ACK was waiting for it. */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_handshake_provide_keys(usmp_handshake_t *handshake, const usmp_settings_t *settings,
                                                         const usmp_key_t *keys, size_t count, uint8_t *reply);
#endif

#ifdef __cplusplus
}
#endif

#endif
