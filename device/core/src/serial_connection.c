/**
 * A connection over a serial line, which damages and loses frames (spec/protocol.md §10). A session is as over a stream: a frame
 * that is missing ends it. But nobody hangs up a line, so its end is told by BYE, whatever the reason; and the handshake has to
 * survive what gets lost, and what still belongs to the conversation before.
 */
#include <string.h>

#include "usmp/frame.h"

#include "usmp/connection.h"

#if USMP_SERIAL

static bool is_frame(const uint8_t *block, size_t length)
{
    size_t size;
    return length >= USMP_HEADER_LENGTH && usmp_frame_measure(block, length, &size) == USMP_OK && size == length &&
           usmp_frame_checksum_fits(block);
}

/** The next byte of a block. One that is too long is held at the length that no block has. */
static void take_byte(usmp_t *usmp, uint8_t byte)
{
    uint8_t *block = usmp->rx + usmp->message.length;
    if (usmp->received > USMP_MAX_BLOCK) return;
    if (usmp->message.length + usmp->received == sizeof usmp->rx) {
        /* Only the parts of a message leave too little room; then it is too long for this device. */
        memmove(usmp->rx, block, usmp->received);
        usmp->message.length = 0;
        usmp->message.overlong = true;
        block = usmp->rx;
    }
    block[usmp->received++] = byte;
}

USMP_INTERNAL size_t usmp_serial_input(usmp_t *usmp, const uint8_t *bytes, size_t length, uint32_t now)
{
    size_t taken = 0;
    while (taken < length && usmp->events == 0) {
        uint8_t byte = bytes[taken++];
        if (byte != USMP_COBS_DELIMITER) {
            take_byte(usmp, byte);
            continue;
        }
        uint8_t *block = usmp->rx + usmp->message.length;
        size_t size = usmp->received <= USMP_MAX_BLOCK ? usmp_cobs_decode(block, usmp->received) : 0;
        usmp->received = 0;
        if (is_frame(block, size)) usmp_serial_handle_frame(usmp, block, size, now);
    }
    return taken;
}

/** Whatever does not come next belongs to an earlier session or try. */
static void handle_server_frame(usmp_t *usmp, const uint8_t *frame, size_t size, uint32_t now)
{
    if (usmp_handshake_expects(&usmp->layer.handshake, frame, size)) {
        usmp_stream_handshake_frame(usmp, frame, size, now);
    }
}

/** What belongs to a handshake has no number, so it leaves no gap: an echo, or an answer that came too late. */
USMP_INTERNAL void usmp_serial_handle_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    if (usmp->has_record) {
        if (!usmp_is_handshake_type(frame[3])) usmp_stream_session_frame(usmp, frame, size, now);
    } else if (!usmp->is_server) {
        handle_server_frame(usmp, frame, size, now);
    } else {
        usmp_stream_handshake_frame(usmp, frame, size, now);
    }
}

#if USMP_SERVER
/** At most once in what waits to be sent: HELLOs cost their sender nothing. */
USMP_INTERNAL void usmp_serial_challenge_again(usmp_t *usmp)
{
    if (usmp->has_record || usmp->layer.handshake.state != USMP_WAIT_HELLO_ACK || usmp->tx_start != usmp->tx_end) return;
    uint8_t *frame = usmp_reserve(usmp, USMP_MAX_HANDSHAKE_FRAME);
    if (frame != NULL) usmp_commit(usmp, usmp_handshake_challenge(&usmp->layer.handshake, frame));
}
#endif

USMP_INTERNAL uint32_t usmp_serial_begin_anew_in(const usmp_t *usmp, uint32_t now)
{
    bool asked = usmp->layer.handshake.state == USMP_WAIT_CHALLENGE;
    /* What waits for the line was not asked yet. */
    if (usmp->tx_start != usmp->tx_end) return USMP_NEVER;
    return usmp_due_in(now, usmp->last_sent, asked ? USMP_HELLO_PATIENCE : USMP_HELLO_ACK_PATIENCE);
}

/** New keys make it another HELLO: the server takes it for the beginning of a new handshake. */
USMP_INTERNAL usmp_error_t usmp_serial_begin_anew(usmp_t *usmp, uint32_t now)
{
    /* What the line has not taken yet belongs to the handshake that is given up. */
    usmp_discard_output(usmp);
    usmp_wipe_layer(usmp);
    return usmp_begin_handshake(usmp, now);
}

#endif
