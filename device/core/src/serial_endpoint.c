#include "usmp/serial_endpoint.h"

#include <string.h>

#include "usmp/frame.h"

#if USMP_SERVER && USMP_SERIAL

usmp_error_t usmp_serial_endpoint_begin(usmp_serial_endpoint_t *line, const usmp_settings_t *settings, uint32_t now)
{
    if (settings->transport != USMP_TRANSPORT_SERIAL || settings->decoy_key == NULL) return USMP_ERROR_INVALID_ARGUMENT;
    for (unsigned i = 0; i < 2; i++) usmp_wipe(&line->peers[i]);
    memset(line, 0, sizeof *line);
    line->settings = settings;
    usmp_bucket_begin(&line->beginnings, USMP_HELLO_BURST, USMP_HELLO_RATE, now);
    return USMP_OK;
}

static bool is_authenticated(const usmp_t *usmp)
{
    return usmp_device_id(usmp) != NULL;
}

/** The one that takes handshake frames, or null. */
static usmp_t *handshake_of(usmp_serial_endpoint_t *line)
{
    usmp_t *newest = &line->peers[line->newest];
    return usmp_state(newest) == USMP_STATE_HANDSHAKE ? newest : NULL;
}

/** The one that takes session frames, or null. */
static usmp_t *session_of(usmp_serial_endpoint_t *line)
{
    usmp_t *newest = &line->peers[line->newest];
    if (is_authenticated(newest)) return newest;
    usmp_t *previous = &line->peers[1 - line->newest];
    return usmp_state(previous) == USMP_STATE_IDLE ? NULL : previous;
}

/** What the newer one does about the one before it. */
static void displace_if_authenticated(usmp_serial_endpoint_t *line)
{
    usmp_t *previous = &line->peers[1 - line->newest];
    if (!is_authenticated(&line->peers[line->newest])) return;
    /* Nothing of it may be said any more, no BYE either: the client would take it for a frame of the new session. */
    if (usmp_state(previous) == USMP_STATE_OPEN) usmp_fail(previous, USMP_ERROR_REPLACED);
    if (usmp_lingers(previous)) usmp_handle_end(previous);
}

/** A handshake that was under way is displaced, a session stays beside the new one. */
static void take_hello(usmp_serial_endpoint_t *line, uint8_t *frame, size_t size, uint32_t now)
{
    usmp_t *handshake = handshake_of(line);
    if (size != USMP_HEADER_LENGTH + USMP_HELLO_LENGTH || !usmp_bucket_take(&line->beginnings, now)) return;
    if (handshake != NULL && memcmp(line->hello, USMP_PAYLOAD(frame), USMP_HELLO_LENGTH) == 0) {
        usmp_serial_challenge_again(handshake);
        return;
    }
    bool keeps = handshake == NULL && usmp_state(&line->peers[line->newest]) == USMP_STATE_OPEN;
    if (keeps) line->newest = (uint8_t)(1 - line->newest);
    usmp_t *newest = &line->peers[line->newest];
    if (usmp_accept(newest, line->settings, now) != USMP_OK) return;
    memcpy(line->hello, USMP_PAYLOAD(frame), USMP_HELLO_LENGTH);
    usmp_serial_handle_frame(newest, frame, size, now);
}

static void handle_block(usmp_serial_endpoint_t *line, size_t length, uint32_t now)
{
    uint8_t *frame = line->block;
    size_t size;
    if (length < USMP_HEADER_LENGTH) return;
    usmp_error_t error = usmp_frame_measure(frame, length, &size);
    if (error == USMP_ERROR_VERSION_1 && frame[3] == USMP_HELLO) line->strays++;
    if (error != USMP_OK || size != length || !usmp_frame_checksum_fits(frame)) return;
    if (frame[3] == USMP_HELLO) {
        take_hello(line, frame, size, now);
        return;
    }
    usmp_t *peer = usmp_is_handshake_type(frame[3]) ? handshake_of(line) : session_of(line);
    if (peer != NULL && usmp_state(peer) != USMP_STATE_CLOSED) usmp_serial_handle_frame(peer, frame, size, now);
}

size_t usmp_serial_endpoint_handle_input(usmp_serial_endpoint_t *line, const uint8_t *bytes, size_t length, uint32_t now)
{
    size_t taken = 0;
    while (taken < length && line->peers[0].events == 0 && line->peers[1].events == 0) {
        uint8_t byte = bytes[taken++];
        if (byte != USMP_COBS_DELIMITER) {
            /* One that is too long is held at the length that no block has. */
            if (line->received < sizeof line->block) line->block[line->received++] = byte;
            continue;
        }
        size_t size = line->received <= USMP_MAX_BLOCK ? usmp_cobs_decode(line->block, line->received) : 0;
        line->received = 0;
        handle_block(line, size, now);
    }
    return taken;
}

const uint8_t *usmp_serial_endpoint_poll_transmit(usmp_serial_endpoint_t *line, uint32_t now, size_t *length)
{
    displace_if_authenticated(line);
    const uint8_t *bytes = usmp_poll_transmit(&line->peers[line->speaker], now, length);
    if (bytes != NULL) return bytes;
    line->speaker = (uint8_t)(1 - line->speaker);
    return usmp_poll_transmit(&line->peers[line->speaker], now, length);
}

void usmp_serial_endpoint_transmitted(usmp_serial_endpoint_t *line, size_t length, uint32_t now)
{
    usmp_transmitted(&line->peers[line->speaker], length, now);
}

#endif
