/**
 * The inside of a connection: what all transports have in common, and where the parts lie. Its size has to be known to whoever
 * allocates one, hence this header; its fields are nobody's business outside of the core.
 */
#ifndef USMP_CONNECTION_H
#define USMP_CONNECTION_H

#include "usmp/usmp.h"

#include "usmp/arq.h"
#include "usmp/cobs.h"
#include "usmp/handshake.h"
#include "usmp/message.h"
#include "usmp/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_SERIAL
#define USMP_LINE_OVERHEAD USMP_COBS_OVERHEAD
#else
#define USMP_LINE_OVERHEAD 0u
#endif

/** Room for the longest message and for the frame around its last part, over a serial line in its encoding. */
#define USMP_RECEIVE_BUFFER (USMP_MESSAGE_BUFFER + (USMP_SERIAL ? USMP_COBS_OVERHEAD : 0u))

/** Room for the longest message in its frames, as often as is wanted. */
#define USMP_TRANSMIT_BUFFER \
    (USMP_SEND_QUEUE * (USMP_MAX_MESSAGE + USMP_MAX_FRAMES * (USMP_RECORD_OVERHEAD + USMP_LINE_OVERHEAD)))

/** What is small comes first: that makes shorter instructions. */
struct usmp {
    const usmp_settings_t *settings;

    /* Times. */
    /** The handshake, or closing. */
    uint32_t began_at;
    uint32_t last_sent;
    uint32_t last_heard;
    uint32_t last_ping;
    uint32_t ping_sent_at;
    /** Of the last PONG; USMP_NEVER where more are awaited. */
    uint32_t rtt;

    /** Bytes of `tx` that wait: from `tx_start` to `tx_end`. */
    uint16_t tx_start;
    uint16_t tx_end;
    /** Bytes of an incomplete frame, which stands in `rx` behind the parts of a message. */
    uint16_t received;
    uint16_t message_length;
    usmp_message_t message;

    uint8_t state;
    uint8_t error;
    /** Bit n stands for the event n of usmp_event_type_t. */
    uint8_t events;
    uint8_t pongs_owed;
    uint8_t pings_under_way;
    uint8_t missed;
    bool is_server;
    bool has_record;
    bool ping_wanted;
    /** `pings_under_way` has all of them. */
    bool pings_counted;
    bool rekey_wanted;
    bool rekey_is_ours;
    bool bye_wanted;
    /** Nothing has been heard since the last PING that asked for a sign of life. */
    bool probe_unanswered;
#if USMP_SERIAL
    /** Client: HELLO_ACK was given to the line in this attempt or an earlier one. */
    bool has_proved;
#endif
#if USMP_SERVER
    /** The device has proved its key; it stays so when the session is over. */
    bool authenticated;
    uint8_t key_index;
    uint8_t device_id[USMP_DEVICE_ID_LENGTH];
#endif
#if USMP_DATAGRAM
    usmp_datagram_t datagram;
#endif

    /** The handshake until it is done, then the session (`has_record`). */
    union {
        usmp_handshake_t handshake;
        usmp_record_t record;
    } layer;

    uint8_t rx[USMP_RECEIVE_BUFFER];
    uint8_t tx[USMP_TRANSMIT_BUFFER];
};

/* ── Which transport it is, as far as that is not known when it is compiled ──────────────────────────────────────── */

static inline bool usmp_is_datagram(const usmp_t *usmp)
{
    return USMP_DATAGRAM && ((!USMP_STREAM && !USMP_SERIAL) || usmp->settings->transport == USMP_TRANSPORT_DATAGRAM);
}

static inline bool usmp_is_serial(const usmp_t *usmp)
{
    return USMP_SERIAL && ((!USMP_STREAM && !USMP_DATAGRAM) || usmp->settings->transport == USMP_TRANSPORT_SERIAL);
}

/* ── What the files of the connection call of one another ────────────────────────────────────────────────────────── */

/** Milliseconds until `timeout` after `since`; 0 when they are over. USMP_NEVER stays USMP_NEVER. */
USMP_INTERNAL uint32_t usmp_due_in(uint32_t now, uint32_t since, uint32_t timeout);

static inline uint32_t usmp_earlier(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

USMP_INTERNAL void usmp_emit(usmp_t *usmp, usmp_event_type_t type);

/** Room in `tx` for a frame of `size` bytes; null when there is none. */
USMP_INTERNAL uint8_t *usmp_reserve(usmp_t *usmp, size_t size);

/** The frame of `size` bytes is in its place: lets it go, over a serial line in its encoding. */
USMP_INTERNAL void usmp_commit(usmp_t *usmp, size_t size);

/** Drops what waits in `tx`. */
USMP_INTERNAL void usmp_discard_output(usmp_t *usmp);

/** A frame has authenticated. */
USMP_INTERNAL void usmp_heard(usmp_t *usmp, uint32_t now);

/** Takes DATA_FRAG and DATA. @param text the plaintext, in `rx` or elsewhere */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_on_part(usmp_t *usmp, const uint8_t *text, size_t length, bool last);

/** USMP_ERROR_BAD_LENGTH when a control frame has a plaintext that its type does not allow (§6, §7.1). */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_check_control(uint8_t type, size_t length);

USMP_INTERNAL void usmp_on_ping_pong(usmp_t *usmp, uint8_t type, uint32_t now);

/** PING has been sealed. */
USMP_INTERNAL void usmp_on_ping_sealed(usmp_t *usmp, uint32_t now);

/** A change of keys is complete. */
USMP_INTERNAL void usmp_on_rekeyed(usmp_t *usmp);

/** REKEY of the peer has opened. */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_on_rekey(usmp_t *usmp, uint8_t *salt);

/** Opens the session when the handshake is done. */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_open_if_done(usmp_t *usmp, uint32_t now);

/** Ends everything without a word, also a BYE that is on its way. */
USMP_INTERNAL void usmp_fail(usmp_t *usmp, usmp_error_t error);

/** Closes because of what the peer did, or did not do: over a serial line with BYE, else without a word. */
USMP_INTERNAL void usmp_abandon(usmp_t *usmp, usmp_error_t error, uint32_t now);

/** Closes with BYE, where a session is open. */
USMP_INTERNAL void usmp_close_with(usmp_t *usmp, usmp_error_t error, uint32_t now);

/** Overwrites the keys of handshake or session. */
USMP_INTERNAL void usmp_wipe_layer(usmp_t *usmp);

/** Gives up the handshake of a client for a new one, with new keys. One X25519, unless they were made already. */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_begin_handshake(usmp_t *usmp, uint32_t now);

/* stream_connection.c: streams, and what serial lines have in common with them. */
USMP_INTERNAL size_t usmp_stream_input(usmp_t *usmp, const uint8_t *bytes, size_t length, uint32_t now);
USMP_INTERNAL usmp_error_t usmp_stream_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now);
USMP_INTERNAL bool usmp_stream_has_room(const usmp_t *usmp, size_t frames, size_t length);
USMP_INTERNAL void usmp_stream_seal_controls(usmp_t *usmp, uint32_t now);
USMP_INTERNAL void usmp_stream_handshake_frame(usmp_t *usmp, const uint8_t *frame, size_t size, uint32_t now);
USMP_INTERNAL void usmp_stream_session_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now);

#if USMP_SERIAL
/* serial_connection.c */
USMP_INTERNAL size_t usmp_serial_input(usmp_t *usmp, const uint8_t *bytes, size_t length, uint32_t now);
USMP_INTERNAL void usmp_serial_handle_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now);
#if USMP_SERVER
/** A repeated HELLO is answered by the same CHALLENGE, until HELLO_ACK has come (§10). */
USMP_INTERNAL void usmp_serial_challenge_again(usmp_t *usmp);
#endif
USMP_INTERNAL usmp_error_t usmp_serial_begin_anew(usmp_t *usmp, uint32_t now);
USMP_INTERNAL uint32_t usmp_serial_begin_anew_in(const usmp_t *usmp, uint32_t now);
#endif

#if USMP_DATAGRAM
/* datagram_connection.c */
USMP_INTERNAL void usmp_datagram_begin(usmp_t *usmp, uint32_t now);
USMP_INTERNAL bool usmp_datagram_input(usmp_t *usmp, uint8_t *datagram, size_t length, uint32_t now);
USMP_INTERNAL usmp_error_t usmp_datagram_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now);
USMP_INTERNAL bool usmp_datagram_can_send(const usmp_t *usmp, size_t length);
USMP_INTERNAL bool usmp_datagram_rekey_is_unsafe(const usmp_t *usmp);
USMP_INTERNAL void usmp_datagram_close(usmp_t *usmp, uint32_t now);
USMP_INTERNAL bool usmp_datagram_ending(usmp_t *usmp);
USMP_INTERNAL void usmp_datagram_finish(usmp_t *usmp);
USMP_INTERNAL void usmp_datagram_fly(usmp_t *usmp, size_t size, uint32_t now);
USMP_INTERNAL void usmp_datagram_deliver(usmp_t *usmp, uint32_t now);
USMP_INTERNAL const uint8_t *usmp_datagram_poll_transmit(usmp_t *usmp, uint32_t now, size_t *length);
USMP_INTERNAL void usmp_datagram_transmitted(usmp_t *usmp, uint32_t now);
USMP_INTERNAL void usmp_datagram_handle_timeout(usmp_t *usmp, uint32_t now);
USMP_INTERNAL uint32_t usmp_datagram_poll_timeout(const usmp_t *usmp, uint32_t now);
USMP_INTERNAL usmp_error_t usmp_datagram_timeout_error(const usmp_t *usmp);
USMP_INTERNAL size_t usmp_datagram_pending(const usmp_t *usmp);
USMP_INTERNAL bool usmp_datagram_lingers(const usmp_t *usmp);
#endif

#ifdef __cplusplus
}
#endif

#endif
