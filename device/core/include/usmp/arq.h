/**
 * Reliability over datagrams (spec/protocol.md §9.1, §9.4): which frames are under way and when to send them again, and which are
 * kept until it is their turn. No cryptography: what comes in here has authenticated. Inside of the core.
 */
#ifndef USMP_ARQ_H
#define USMP_ARQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"
#include "usmp/handshake.h"
#include "usmp/limits.h"
#include "usmp/message.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_DATAGRAM

/** The round trip and what it says about the patience to have (RFC 6298, with the bounds of §9.1). */
typedef struct usmp_round_trip {
    /** Milliseconds, eight times the smoothed round trip and four times its variation; 0 and 0 before the first measurement. */
    uint32_t smoothed8;
    uint32_t variation4;
    uint32_t rto;
    uint8_t back_off;
    bool measured;
} usmp_round_trip_t;

USMP_INTERNAL void usmp_round_trip_begin(usmp_round_trip_t *trip);

/** Takes a measurement, which must not be of a repeated frame (Karn's rule). */
USMP_INTERNAL void usmp_round_trip_measure(usmp_round_trip_t *trip, uint32_t milliseconds);

/**
 * Frames have timed out. Until a measurement, others wait longer too, within a limit: where the round trip has grown beyond the
 * time-out, every frame would be repeated, and none could be measured.
 */
USMP_INTERNAL void usmp_round_trip_back_off(usmp_round_trip_t *trip);

/** How long to wait for the answer to a frame that has been repeated `attempts` times. */
USMP_INTERNAL uint32_t usmp_round_trip_timeout(const usmp_round_trip_t *trip, unsigned attempts, uint32_t longest);

/** Frames of which the window has a record: those under way, and the sealed parts of a message that wait for their turn. */
#define USMP_SEALED_FRAMES (USMP_SEND_QUEUE * USMP_MAX_FRAMES)
#define USMP_WINDOW_FRAMES (USMP_MAX_UNDER_WAY > USMP_SEALED_FRAMES ? USMP_MAX_UNDER_WAY : USMP_SEALED_FRAMES)

/** A frame that has been sealed and not been acknowledged. Its bytes are in `tx`, in the order of the window. */
typedef struct usmp_under_way {
    uint32_t seq;
    uint32_t first_sent_at;
    /** It is due `wait` after this. */
    uint32_t sent_at;
    uint32_t wait;
    /** Counts all transmissions of all frames, so that they can be compared. */
    uint32_t order;
    uint16_t length;
    uint8_t type;
    /** Time-outs so far. */
    uint8_t attempts;
    /** Frames sent after this one that have been acknowledged since. */
    uint8_t overtaken;
    /** Flies alone: nothing else is under way beside it. */
    bool alone;
    bool sent;
    bool repeated;
    /** It is to be sent again as soon as the driver asks. */
    bool due;
    /** Its time-out came while others were sent again: its turn is when one of these is acknowledged. */
    bool postponed;
} usmp_under_way_t;

/** The sending side: a window of frames under way, which opens while acknowledgements come back. */
typedef struct usmp_window {
    usmp_under_way_t frames[USMP_WINDOW_FRAMES];
    uint8_t count;
    /** Frames that may be under way at present. */
    uint8_t size;
    uint32_t order;
} usmp_window_t;

/** Whether a frame of `bytes` with the number `seq` may be sent now beside those that are under way. */
USMP_INTERNAL bool usmp_window_admits(const usmp_window_t *window, uint32_t seq, size_t bytes, bool alone);

/** Whether the only frame under way is one of this type, which flies alone. */
USMP_INTERNAL bool usmp_window_awaits_only(const usmp_window_t *window, uint8_t type);

/** Takes a frame that has been sealed. Numbers must rise. */
USMP_INTERNAL void usmp_window_add(usmp_window_t *window, uint8_t type, uint32_t seq, size_t length, bool alone);

/** The number of the frame to send now, or `count` when there is none. */
USMP_INTERNAL unsigned usmp_window_next(const usmp_window_t *window);

/** Where the bytes of a frame stand in `tx`. */
USMP_INTERNAL size_t usmp_window_offset(const usmp_window_t *window, unsigned index);

/** A frame is being sent, for the first time or again. */
USMP_INTERNAL void usmp_window_sent(usmp_window_t *window, unsigned index, const usmp_round_trip_t *trip, uint32_t now);

/** The number of the frame that a UTACK would acknowledge, or `count`. */
USMP_INTERNAL unsigned usmp_window_find(const usmp_window_t *window, uint8_t type, uint32_t seq);

/** Takes the UTACK of a frame; those that must be lost, as others sent after them have arrived, become due. */
USMP_INTERNAL void usmp_window_acknowledge(usmp_window_t *window, unsigned index, usmp_round_trip_t *trip, uint32_t now);

/** Finds what has to be sent again. @return false when a frame has waited for its UTACK too long */
USMP_INTERNAL bool usmp_window_handle_timeout(usmp_window_t *window, usmp_round_trip_t *trip, uint32_t now);

/** Milliseconds until `usmp_window_handle_timeout` must be called. */
USMP_INTERNAL uint32_t usmp_window_poll_timeout(const usmp_window_t *window, uint32_t now);

/** A frame that has come before its turn. */
typedef struct usmp_held {
    uint32_t seq;
    uint32_t arrived_at;
    uint16_t length;
    uint8_t type;
    bool used;
    /** It came under the key before a REKEY. */
    bool under_old_key;
    /** Nothing that is missing in front of it will come: it is delivered all the same. */
    bool flushed;
    uint8_t text[USMP_MAX_PLAINTEXT];
} usmp_held_t;

/** What a connection over datagrams has beside the others. */
typedef struct usmp_datagram {
    usmp_round_trip_t trip;
    usmp_window_t window;

    /** The handshake frame that is repeated until it has done its work; at a server also what a repeat is answered with. */
    uint8_t flight[USMP_MAX_HANDSHAKE_FRAME];
    uint8_t flight_length;
    uint8_t flight_attempts;
    bool flying;
    bool flight_due;
    /** It has gone out at least once. */
    bool flight_sent;
    bool flight_acknowledged;
    uint32_t flight_sent_at;
    uint32_t flight_first_sent_at;

    /** Client, until CHALLENGE. */
    uint8_t cookie[USMP_COOKIE_LENGTH];
    bool has_cookie;
    uint8_t cookies_tried;
    /** Anything at all has come from there. */
    bool heard;
    bool has_doubtful;
    uint16_t doubtful;
    /** Server: enough of the HELLO_ACK that SESSION_OK has answered to know it again. */
    uint32_t hello_ack_tag;

    /** Acknowledgements that wait to be sent: two around a REKEY, else one. */
    uint8_t utacks[2][USMP_UTACK_LENGTH];
    uint8_t utack_lengths[2];

    bool rekey_forced;
    /** Nothing new is sent for a while from `held_back_since` on, because the peer wants to change the keys (§9.5). */
    bool held_back;
    uint32_t held_back_since;

    /** A later frame has come at `gap_since`. */
    bool gap;
    uint32_t gap_since;
    /** The number that the next flushed frame has if nothing is missing in front of it. */
    uint32_t flush_next;

    bool lingers;
    uint32_t linger_since;
    uint32_t linger_for;
    /** BYE of the peer and its UTACK are in `tx`, to answer repeats. */
    bool farewell;
    /** USMP_EVENT_CLOSED is to be told once everything that was held has been delivered. */
    bool closed_pending;

    /** What `usmp_poll_transmit` has given. */
    uint8_t given;
    uint8_t given_frame;

    usmp_held_t held[USMP_MAX_HELD];
} usmp_datagram_t;

#endif

#ifdef __cplusplus
}
#endif

#endif
