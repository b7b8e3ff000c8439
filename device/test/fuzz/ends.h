/**
 * What the targets share: the script that the fuzzer writes, two ends with an application on top that keeps account of every
 * message, a clock, and the promises that hold whatever happens. One that is broken ends the program (`watch.h`).
 */
#ifndef ENDS_H
#define ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/usmp.h"

#include "watch.h"

#define MAX_SENT 96u
#define MAX_ROUNDS 4000u

/** The input of the fuzzer, read byte by byte; zeros behind its end. */
typedef struct script {
    const uint8_t *at;
    const uint8_t *end;
} script_t;

uint8_t script_byte(script_t *script);
uint16_t script_number(script_t *script);

/** A message that an end has sent; its bytes follow from its direction and number. */
typedef struct sent {
    uint16_t number;
    uint16_t length;
    /** Longer than the receiver takes. */
    bool overlong;
} sent_t;

typedef struct end end_t;

struct end {
    usmp_t usmp;
    usmp_settings_t settings;
    bool is_server;
    /** Numbers the messages of both directions apart. */
    uint8_t direction;
    end_t *peer;
    /** Answer to KEYS_WANTED: how many keys, and which of them is the right one; 0xFF: later. */
    usmp_key_t keys[2];
    uint8_t key_count;
    bool keys_later;
    bool keys_asked;
    uint8_t asked_for[USMP_DEVICE_ID_LENGTH];

    /* What it has told. */
    bool opened;
    bool closed;
    usmp_error_t error;
    unsigned messages;
    unsigned dropped;
    unsigned rekeyed;

    /** Messages it has sent, and how many of the peer's have come or can come no more. */
    sent_t sent[MAX_SENT];
    unsigned sent_count;
    unsigned taken_from_peer;
    /** Messages that its sender knew of when it closed in order. */
    bool closed_by_us;
    /** Parts of a message that the fuzzer makes itself. */
    unsigned forged_parts;
    unsigned forged_length;
    bool found_over;
};

/** What is true of the conversation as far as it has gone. */
typedef struct world {
    uint32_t now;
    usmp_transport_t transport;
    end_t ends[2];
    /** Something was changed, lost or made up on the way: nothing is promised about what arrives in the end. */
    bool tainted;
    /** A peer that has authenticated breaks the rules (§5, §6). */
    bool hostile;
    /** Deadlines were missed by the driver. */
    bool late;
    /** Messages may be missing, where one part was lost for good. */
    bool may_lose;
    /** Parts were made up that may be lost for good, so that others are taken for a message. */
    bool unaccountable;
} world_t;

#define CLIENT(world) (&(world)->ends[0])
#define SERVER(world) (&(world)->ends[1])

/** Two ends whose handshake can succeed, not yet begun. The first bytes of the script choose clock, times and keys. */
void world_begin(world_t *world, usmp_transport_t transport, script_t *script);
void end_connect(world_t *world, end_t *end);
void end_accept(world_t *world, end_t *end);

/** A new conversation: messages of the one before come no more. */
void end_forget(end_t *end);

/** Takes at most `most` events, and checks each. @return how many */
unsigned end_poll_events(world_t *world, end_t *end, unsigned most);

/** KEYS_WANTED is answered now. */
void end_provide_keys(world_t *world, end_t *end);

/** Hands over bytes in memory of exactly their size. @return how many were taken */
size_t end_input(world_t *world, end_t *end, const uint8_t *bytes, size_t length);

/** Bytes to send, judged; null for none. */
const uint8_t *end_poll_transmit(world_t *world, end_t *end, size_t *length);

void end_send(world_t *world, end_t *end, size_t length);
void end_close(world_t *world, end_t *end);

/** Acts on what is due now, and sees that the time does not stand still. */
void end_be_timely(world_t *world, end_t *end);

/** The clock goes on; what is due on the way happens on the way. `drain` is called after each. */
void world_advance(world_t *world, uint32_t milliseconds, void (*drain)(world_t *world));
void world_jump(world_t *world, uint32_t milliseconds);

/** The contents of a message. */
void message_fill(uint8_t *out, uint8_t direction, unsigned number, size_t from, size_t length);

/** Writes a frame of any type and text, sealed in the name of an end: 0 when it cannot. It must not be lost on the way. */
size_t end_forge(world_t *world, end_t *end, uint8_t type, size_t length, uint8_t *frame);

/** What both ends must agree on when nothing is under way any more. */
void world_check_quiet(world_t *world);

/** An end that is over keeps nothing. */
void end_check_over(end_t *end);

/** Frees nothing, but sees that both ends can be wiped and leave no key behind. */
void world_finish(world_t *world);

#endif
