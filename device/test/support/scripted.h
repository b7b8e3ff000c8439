/** One side of a conversation of the vectors, whose chance is scripted by them. What it sends is kept until it is taken. */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include "usmp/usmp.h"

#include "vectors.h"

#define MAX_RECEIVED 16u

/** A message that has come, or that was dropped as too long for this device. */
typedef struct received {
    uint8_t bytes[1808];
    size_t length;
    bool dropped;
} received_t;

typedef struct scripted {
    role_t role;
    const session_vector_t *session;
    usmp_t usmp;
    usmp_settings_t settings;
    uint8_t psk[80];
    usmp_key_t key;
    uint8_t decoy[32];

    /** Whether the client computes the secret as soon as it is asked to, or waits for SESSION_OK. */
    bool agrees_late;

    received_t received[MAX_RECEIVED];
    size_t received_count;
    unsigned opened, rekeyed, pongs, closed, events;
    uint8_t session_id[16], device_id[6];
    usmp_error_t error;

    uint8_t sent[4096];
    size_t sent_length;
} scripted_t;

/** @param salts those of a script of REKEYs that this role sends; null for none */
void scripted_begin(scripted_t *end, const session_vector_t *session, role_t role, const rekey_vector_t *salts);

/** A side whose handshake is done. @return false when it could not be */
bool scripted_open(scripted_t *end, const session_vector_t *session, role_t role, const rekey_vector_t *salts);

/** Hands over bytes in pieces of at most `piece`, 0 for all at once. PONGs stay owed until output is taken. */
void scripted_input(scripted_t *end, const uint8_t *bytes, size_t length, size_t piece);
void scripted_input_hex(scripted_t *end, const char *digits, size_t piece);

/** Acts on what is due at once: the client's shared secret. */
void scripted_be_timely(scripted_t *end);

/** Whether the next bytes that were sent are these; takes them. */
bool scripted_has_sent(scripted_t *end, const char *digits);

/** Takes all that was sent. @return how much it was */
size_t scripted_take_all(scripted_t *end);

/** Sends a message. One that is too long for this device uses up its numbers. @return whether it was sent */
bool scripted_send(scripted_t *end, const char *digits);

/** Whether what came is this list; what is too long for this device was dropped. */
bool scripted_has_received(const scripted_t *end, const char *const *expected, size_t count);

/** The first and the second frame that come in at a role. */
const char *incoming(const handshake_frames_t *frames, role_t role, unsigned number);

role_t other_role(role_t role);
const char *role_name(role_t role);
const session_vector_t *session_named(const char *name);
const rekey_vector_t *rekey_named(const char *name);
handshake_frames_t handshake_of(const session_vector_t *session);

#endif
