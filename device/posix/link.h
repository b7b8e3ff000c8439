/**
 * A connection or a serial port at a server. Over TCP it carries one session and ends with it; a line, be it a port or
 * `serial+tcp`, stays, and carries one session after the other.
 */
#ifndef LINK_H
#define LINK_H

#include <poll.h>

#include "session.h"
#include "transport.h"
#include "usmp/serial_endpoint.h"

typedef struct link {
    /** The place is free while its file is -1. */
    transport_t transport;
    /** Of a stream, or of a line. */
    usmp_t usmp;
    usmp_serial_endpoint_t line;
    /** One, or the two of a line. */
    session_t sessions[2];
    char peer[80];
    uint32_t strays;

    /** What has come and is not taken yet. */
    uint8_t input[1024];
    size_t input_start;
    size_t input_end;
    /** Nothing more can be written until poll() says so. */
    bool congested;
    /** The session of a stream is over: the other side may close until then. */
    bool finishing;
    uint32_t finish_by;
} link_t;

/** Takes over `transport`. @param peer who is at the other end */
void link_begin(link_t *link, hub_t *hub, const transport_t *transport, const char *peer);

/** Does all that can be done now. Afterwards it may be over, and its place free. */
void link_run(link_t *link, hub_t *hub);

/** What poll() has to watch. */
struct pollfd link_files(const link_t *link);

/** Milliseconds until it has to be run. */
uint32_t link_timeout(const link_t *link, uint32_t now);

/** Says BYE. It is to be run until it `is_silent`. */
void link_close(link_t *link);

/** There is nothing more to say. */
bool link_is_silent(const link_t *link);

/** At the end of the program. */
void link_end(link_t *link);

#endif
