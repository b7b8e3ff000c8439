/**
 * Server over datagrams: a socket as many peers see it (spec/protocol.md §9.2). Which datagram is for whom, and who may begin a
 * handshake? Before a source has shown that it can be reached there, by sending back a cookie, nothing is kept about it, and it
 * gets no more bytes than it has sent.
 *
 *     static usmp_peer_t peers[4];
 *     static usmp_endpoint_t endpoint;
 *     usmp_endpoint_begin(&endpoint, &settings, peers, 4, now);
 *     ...
 *     usmp_peer_t *peer = usmp_endpoint_handle_datagram(&endpoint, datagram, length, source, source_length, now);
 *     if (endpoint.answer_lengths[0] > 0) { send endpoint.answers[0], then [1], back to where the datagram came from }
 *     for each of the peers: drain `peer->usmp` as usual, and send what it gives to `peer->source`
 */
#ifndef USMP_ENDPOINT_H
#define USMP_ENDPOINT_H

#include "usmp/usmp.h"

#include "usmp/rate_limit.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_SERVER && USMP_DATAGRAM

/** Address and port, in bytes of the caller's choice that no other source has: room for IPv6, port and scope. */
#define USMP_MAX_SOURCE 22u

/** One peer of the socket. It is free while `usmp_state(&peer->usmp)` is USMP_STATE_IDLE. */
typedef struct usmp_peer {
    usmp_t usmp;
    uint8_t source[USMP_MAX_SOURCE];
    uint8_t source_length;
    /** The first bytes of the public key that it began with: a HELLO with the same is a repeat. */
    uint32_t tag;
    /** Counts beginnings, so that the newer of two can be told. */
    uint32_t order;
} usmp_peer_t;

/** All peers of one socket. */
typedef struct usmp_endpoint {
    const usmp_settings_t *settings;
    usmp_peer_t *peers;
    size_t count;
    uint32_t order;
    /** The cookies of a period, and when it began. */
    uint32_t period;
    uint32_t period_began_at;
    uint8_t secret[32];
    usmp_bucket_t cookies;
    usmp_bucket_t beginnings;
    /** Of version 1 firmware, which cannot be served: how many of its HELLOs have come. */
    uint32_t strays;
    /** What is to be sent back to the source of the last datagram; the lengths are 0 for nothing. */
    uint8_t answers[2][USMP_HEADER_LENGTH + USMP_COOKIE_LENGTH];
    uint8_t answer_lengths[2];
} usmp_endpoint_t;

/**
 * @param peers memory for as many peers as may be served at once; two for each source that connects anew without BYE
 * @return USMP_OK; USMP_ERROR_INVALID_ARGUMENT where `settings` are not for datagrams or have no decoy key;
 *         USMP_ERROR_CRYPTO_FAILED
 */
USMP_MUST_CHECK usmp_error_t usmp_endpoint_begin(usmp_endpoint_t *endpoint, const usmp_settings_t *settings, usmp_peer_t *peers,
                                                 size_t count, uint32_t now);

/**
 * Takes a datagram: hands it to its peer, answers it, or drops it. Call it for each, and drain the peer before the next. A peer
 * whose place another one from the same source has taken closes with USMP_ERROR_REPLACED.
 *
 * @param source 1 to USMP_MAX_SOURCE bytes
 * @return the peer that got it, or null
 */
usmp_peer_t *usmp_endpoint_handle_datagram(usmp_endpoint_t *endpoint, uint8_t *datagram, size_t length, const uint8_t *source,
                                           size_t source_length, uint32_t now);

#endif

#ifdef __cplusplus
}
#endif

#endif
