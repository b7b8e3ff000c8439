/**
 * The test bed: two connections, a clock that only the test moves, and a line between them that can delay, cut, damage,
 * lose, double and fall silent. The same seed gives the same run.
 */
#ifndef PAIR_H
#define PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/endpoint.h"
#include "usmp/serial_endpoint.h"
#include "usmp/usmp.h"

#include "bytes.h"

#define TEST_PSK "a key for the test bed"
#define TEST_DEVICE_ID {0x02, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE}
#define TEST_DEVICE ((const uint8_t[6])TEST_DEVICE_ID)
/** The key that stands in for those that are missing: 32 bytes. */
#define TEST_DECOY "nobody has this key............."
#define NO_TIME UINT64_MAX

/** What an end has told. */
typedef struct logged {
    usmp_event_t event;
    /** A copy; `event.data` points to it. */
    uint8_t *data;
    /** On the clock of the pair. */
    uint64_t at;
    /** Whose event it is, where the end has an endpoint with several. */
    const usmp_t *usmp;
} logged_t;

/** Bytes on their way: part of a stream, or a datagram. */
typedef struct piece {
    uint64_t at;
    uint8_t *bytes;
    size_t length;
    /** Over a serial line: the piece is HELLO. */
    bool begins;
} piece_t;

/** One direction. */
typedef struct line {
    piece_t *pieces;
    size_t first, count, size;
    /** Bytes and frames written in all, lost ones too. */
    size_t written;
    size_t frames;
    /** Their types, in order: the newest `MAX_TYPES`. */
    uint8_t *types;
    /** A frame that has not been written to its end. */
    uint8_t partial[2200];
    size_t partial_length;
    /** Where a byte is to be changed; the mask is 0 when none is. */
    size_t corrupt_at;
    uint8_t corrupt_mask;
    bool silent;
    /** How many bytes are taken at a time; 0 for all. */
    size_t capacity;
    /** Nothing is taken. */
    bool blocked;
} line_t;

typedef struct end {
    const char *name;
    /** The connection; that of the newest peer, where there is an endpoint. */
    usmp_t *usmp;
    usmp_t own;
    usmp_settings_t settings;
    logged_t *events;
    size_t event_count, event_size;
    line_t line;
} end_t;

typedef struct pair pair_t;

/** What becomes of a frame, as it is on the line; it may change it. @return how many of it arrive */
typedef unsigned path_t(pair_t *pair, end_t *from, uint8_t *frame, size_t length);

/** Sees what arrives, as it arrives. */
typedef void watch_t(pair_t *pair, end_t *to, const uint8_t *bytes, size_t length);

/** Peers that the endpoint of a socket has room for. */
#define PAIR_PEERS 3u

/** Times of 0 stand for "never", not for the default. */
typedef struct pair_options {
    usmp_transport_t transport;
    uint32_t seed;
    /** Milliseconds from one end to the other: the least and the most. Over streams and serial lines order is kept. */
    uint32_t least_delay, most_delay;
    /** The line cuts what is written into pieces of at most this many bytes; 0: it does not. */
    size_t largest_piece;
    /** What the clock of the connections shows at the beginning. */
    uint32_t clock;
    usmp_settings_t client, server;
    /** What the client proves; null for TEST_PSK. */
    const char *client_key;
    /** The answer to KEYS_WANTED. */
    const char *server_keys[3];
    /** KEYS_WANTED stays open. */
    bool leaves_keys_open;
    /** There is no key for the device. */
    bool knows_nobody;
    path_t *path;
    watch_t *watch;
    /** The server has an endpoint in front of its connections. */
    bool endpoint;
    /** Datagrams, in percent. */
    unsigned loses, doubles, damages;
} pair_options_t;

struct pair {
    pair_options_t options;
    uint64_t time;
    chance_t chance;
    usmp_key_t keys[3];
    size_t key_count;
    end_t client, server;
#if USMP_SERVER && USMP_SERIAL
    usmp_serial_endpoint_t serial;
#endif
#if USMP_SERVER && USMP_DATAGRAM
    usmp_endpoint_t socket;
    usmp_peer_t peers[PAIR_PEERS];
#endif
    /** For the path: its own, and what it may set for the frame: more delay for each copy, bytes that are cut off. */
    unsigned counter;
    unsigned type;
    uint32_t more_delay[4];
    size_t cut;
};

void pair_begin(pair_t *pair, const pair_options_t *options);
/** The same, as far as both ends are open; the traces of the handshake are removed. */
void pair_open(pair_t *pair, const pair_options_t *options);
void pair_free(pair_t *pair);

/** The client starts anew without a word, as a device does that is reset. */
void pair_reset_client(pair_t *pair);

/** What the clock of the connections shows. */
uint32_t pair_now(const pair_t *pair);

end_t *pair_other(pair_t *pair, const end_t *end);

/** Lets everything that is under way arrive, and what it causes. Deadlines on the way are kept. */
void pair_settle(pair_t *pair);

/** Moves the clock; what is due on the way happens on the way. */
void pair_advance(pair_t *pair, uint64_t milliseconds);

/** Moves the clock to what is due next, if that is before `until`. */
bool pair_step(pair_t *pair, uint64_t until);

/** Moves the clock until something holds, for at most so many milliseconds; fails if it does not. */
#define PAIR_UNTIL(pair, condition, milliseconds)                                                                           \
    do {                                                                                                                    \
        uint64_t until_ = (pair)->time + (milliseconds);                                                                    \
        pair_advance(pair, 0);                                                                                              \
        while (!(condition) && pair_step(pair, until_)) {                                                                   \
        }                                                                                                                   \
        if (!(condition)) FAIL("not within %llu ms: %s", (unsigned long long)(milliseconds), #condition);                   \
    } while (0)

/** A forged piece, at `delay` from now. */
void pair_inject(pair_t *pair, end_t *to, const uint8_t *bytes, size_t length, uint32_t delay);

/** Hands over the next bytes that are under way to `to`, whatever their time, at most `most` of them. */
void pair_deliver(pair_t *pair, end_t *to, size_t most);

/** Takes bytes off the line before their time. @return how many */
size_t line_take(line_t *line, uint8_t *out, size_t most);

/** Answers what an end asks for, and puts what it wants to send on the line. */
void end_drain(pair_t *pair, end_t *end);
/** Events alone. */
void end_drain_events(pair_t *pair, end_t *end);
/** All that an end wants to send, not put on the line. @return its length */
size_t end_take_output(pair_t *pair, end_t *end, uint8_t *out, size_t size);

/** Hands over bytes in memory of exactly their size, and takes the events. */
void end_input(pair_t *pair, end_t *end, const uint8_t *bytes, size_t length);

usmp_error_t end_send(pair_t *pair, end_t *end, const uint8_t *message, size_t length);
/** A message of `pattern(number)`. It has to be taken: what stands in its way is sent first. */
void end_send_pattern(pair_t *pair, end_t *end, unsigned number, size_t length);

size_t end_count(const end_t *end, usmp_event_type_t type);
/** The n-th event of a type, from 0; null when there is none. */
const usmp_event_t *end_event(const end_t *end, usmp_event_type_t type, size_t n);
/** Why it has closed; USMP_OK while it has not. */
usmp_error_t end_closed(const end_t *end);
void end_forget_events(end_t *end);

/** Whether message `n` that has come is `pattern(number)` of this length. */
bool end_has_message(const end_t *end, size_t n, unsigned number, size_t length);

/** The type of a frame as it is on the line; 0 for a UTACK. */
unsigned frame_type(const pair_t *pair, const uint8_t *frame);

/** How many frames of a type an end has written. */
size_t line_count_type(const line_t *line, unsigned type);

/** Makes a frame of clear payload, with its checksum. @return its length */
size_t make_frame(uint8_t *out, unsigned type, uint32_t seq, const uint8_t *payload, size_t length);

/** CRC-16/MODBUS, bit by bit: another way than that of the core. */
uint16_t slow_crc16(const uint8_t *bytes, size_t length, uint16_t crc);

/* Paths */
/** Loses the next `pair->counter` frames of `pair->type`. */
path_t path_losing;
/** Turns a bit of the next frame of `pair->type`, as long as `pair->counter` is not 0. */
path_t path_damaging;

#endif
