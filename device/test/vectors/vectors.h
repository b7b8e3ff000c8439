/**
 * The vectors of spec/vectors, in C: `convert.js` writes `device/build/vectors/vectors.c`. Fields are those of
 * spec/vectors/README.md. Bytes are hexadecimal; lists of byte strings end with a null pointer.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stddef.h>
#include <stdint.h>

typedef enum role { CLIENT, SERVER } role_t;

typedef struct crc_vector {
    const char *bytes;
    uint16_t crc;
} crc_vector_t;

typedef struct handshake_frames {
    const char *hello, *challenge, *hello_ack, *session_ok;
} handshake_frames_t;

/** @see session_vector_t. `plaintext` is null where BYE ends an unfinished message */
typedef struct message_vector {
    role_t from;
    const char *plaintext;
    const char *const *frames;
    size_t frame_count;
} message_vector_t;

typedef struct control_vector {
    role_t from;
    unsigned type;
    uint32_t seq;
    const char *frame;
} control_vector_t;

typedef struct session_vector {
    const char *name, *psk, *device_id;
    const char *client_private, *server_private, *client_public, *server_public;
    const char *nonce, *session_id, *shared_secret, *hkdf_info;
    const char *k_c2s, *k_s2c, *mac_c, *mac_s;
    const char *hello, *challenge, *hello_ack, *session_ok;
    handshake_frames_t unchecked;
    const message_vector_t *messages;
    size_t message_count;
    const control_vector_t *control;
    size_t control_count;
    const message_vector_t *receive_only;
    size_t receive_only_count;
} session_vector_t;

typedef struct salt_vector {
    role_t from;
    const char *salt, *old_k_c2s, *old_k_s2c, *k_c2s, *k_s2c;
} salt_vector_t;

typedef struct rekey_frame {
    role_t from;
    unsigned type;
    uint32_t seq;
    unsigned keys;
    const char *plaintext, *frame;
} rekey_frame_t;

/** What one side lives through; no view where it cannot be tested. */
typedef struct rekey_side {
    const unsigned char *view;
    size_t view_length;
    const char *const *received;
    size_t received_count;
    const unsigned char *completed;
    size_t completed_count;
} rekey_side_t;

typedef struct rekey_vector {
    const char *name, *session;
    const salt_vector_t *rekeys;
    size_t rekey_count;
    const rekey_frame_t *frames;
    size_t frame_count;
    rekey_side_t sides[2];
} rekey_vector_t;

/** `error` is null where neither a frame nor an error comes out. */
typedef struct stream_vector {
    const char *name, *bytes, *error;
    size_t at;
} stream_vector_t;

typedef struct invalid_vector {
    const char *name;
    role_t role;
    const char *session;
    const char *const *frames;
    const char *bytes, *error;
} invalid_vector_t;

typedef struct invalid_rekey_vector {
    const char *name;
    role_t role;
    const char *script;
    size_t steps;
    const char *bytes, *error;
} invalid_rekey_vector_t;

typedef struct block_vector {
    const char *name, *decoded, *encoded;
} block_vector_t;

typedef struct line_vector {
    const char *name, *bytes;
    const char *const *frames;
    size_t dropped;
} line_vector_t;

typedef struct utack_vector {
    const char *name, *session;
    role_t from;
    unsigned type;
    uint32_t seq;
    const char *key, *bytes;
} utack_vector_t;

typedef struct utack_rekey_vector {
    const char *script;
    role_t from;
    unsigned type;
    uint32_t seq;
    const char *old, *new_;
} utack_rekey_vector_t;

typedef struct datagram_vector {
    const char *name, *bytes;
} datagram_vector_t;

typedef struct cookie_vector {
    const char *session, *cookie, *hello, *hello_retry, *hello_with_cookie;
} cookie_vector_t;

#define DECLARE_VECTORS(type, name)                                                                                         \
    extern const type name[];                                                                                               \
    extern const size_t name##_COUNT

DECLARE_VECTORS(crc_vector_t, CRCS);
DECLARE_VECTORS(session_vector_t, SESSIONS);
DECLARE_VECTORS(rekey_vector_t, REKEYS);
DECLARE_VECTORS(stream_vector_t, INVALID_STREAMS);
DECLARE_VECTORS(invalid_vector_t, INVALID_HANDSHAKES);
DECLARE_VECTORS(invalid_vector_t, INVALID_SESSIONS);
DECLARE_VECTORS(invalid_rekey_vector_t, INVALID_REKEYS);
DECLARE_VECTORS(block_vector_t, COBS_BLOCKS);
DECLARE_VECTORS(block_vector_t, COBS_DECODE_ONLY);
DECLARE_VECTORS(block_vector_t, COBS_INVALID);
DECLARE_VECTORS(line_vector_t, COBS_LINES);
DECLARE_VECTORS(utack_vector_t, UTACK_HANDSHAKES);
DECLARE_VECTORS(utack_vector_t, UTACK_SESSIONS);
DECLARE_VECTORS(utack_rekey_vector_t, UTACK_REKEYS);
DECLARE_VECTORS(utack_vector_t, UTACK_INVALID);
DECLARE_VECTORS(datagram_vector_t, INVALID_DATAGRAMS);
extern const cookie_vector_t COOKIE;

#endif
