/**
 * Server on a serial line (spec/protocol.md §10): whose is this frame, who may begin a handshake, and who may still speak? The line
 * outlives sessions and handshakes. At any time it has at most one session and one handshake, which takes the place of the session
 * once it has authenticated.
 *
 *     static usmp_serial_endpoint_t line;
 *     usmp_serial_endpoint_begin(&line, &settings, now);
 *     ...
 *     taken += usmp_serial_endpoint_handle_input(&line, bytes + taken, count - taken, now);
 *     for (i = 0; i < 2; i++): poll the events of &line.peers[i]; usmp_handle_timeout for both; usmp_poll_timeout of both
 *     while ((bytes = usmp_serial_endpoint_poll_transmit(&line, now, &length)) != NULL) ... usmp_serial_endpoint_transmitted
 */
#ifndef USMP_SERIAL_ENDPOINT_H
#define USMP_SERIAL_ENDPOINT_H

#include "usmp/usmp.h"

#include "usmp/rate_limit.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_SERVER && USMP_SERIAL

/** One line. */
typedef struct usmp_serial_endpoint {
    const usmp_settings_t *settings;
    /** The newer one, `peers[newest]`, and the one before it, until the newer one has authenticated. */
    usmp_t peers[2];
    uint8_t newest;
    /** Whose bytes were given to the line last: a frame is written to its end before the other one speaks. */
    uint8_t speaker;
    /** The HELLO that the newer one began with: the same once more is a repeat. */
    uint8_t hello[USMP_HELLO_LENGTH];
    usmp_bucket_t beginnings;
    /** Of version 1 firmware, which cannot be served: how many of its HELLOs have come. */
    uint32_t strays;
    uint16_t received;
    uint8_t block[USMP_MAX_BLOCK + 1];
} usmp_serial_endpoint_t;

/** @return USMP_OK, or USMP_ERROR_INVALID_ARGUMENT where `settings` are not for serial lines or have no decoy key */
USMP_MUST_CHECK usmp_error_t usmp_serial_endpoint_begin(usmp_serial_endpoint_t *line, const usmp_settings_t *settings, uint32_t now);

/** Takes bytes of the line, cut anywhere. @return how many were taken; with fewer than `length`, poll events, then go on */
USMP_MUST_CHECK size_t usmp_serial_endpoint_handle_input(usmp_serial_endpoint_t *line, const uint8_t *bytes, size_t length,
                                                         uint32_t now);

/** Bytes for the line; as `usmp_poll_transmit`. */
USMP_MUST_CHECK const uint8_t *usmp_serial_endpoint_poll_transmit(usmp_serial_endpoint_t *line, uint32_t now, size_t *length);

void usmp_serial_endpoint_transmitted(usmp_serial_endpoint_t *line, size_t length, uint32_t now);

#endif

#ifdef __cplusplus
}
#endif

#endif
