/**
 * What carries the bytes, as a file that does not block. The core does not know that it exists: the loop of the program takes
 * bytes from the one and gives them to the other.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "problem.h"
#include "url.h"
#include "usmp/settings.h"

typedef struct transport {
    /** How the core has to treat what comes through it. */
    usmp_transport_t kind;
    /** For poll(); -1 while there is none. */
    int file;
    /** Of a serial port: how it was before. */
    bool is_port;
    struct termios before;
} transport_t;

/** In place of a number of bytes. */
enum {
    /** None now: ask poll(). */
    TRANSPORT_LATER = 0,
    /** None any more. */
    TRANSPORT_ENDED = -1
};

/**
 * Connects to a server. Waits for the connection, but no longer than a signal (`stop.h`).
 *
 * @param timeout milliseconds
 * @return false: `problem` says why, and nothing is left open
 */
bool transport_open(transport_t *transport, const url_t *url, uint32_t timeout, problem_t *problem);

/** Bytes of a stream or line, or one datagram. @return how many, or one of the above */
int transport_read(transport_t *transport, uint8_t *bytes, size_t size);

/** As many bytes as can be written now; a datagram is written whole. @return how many, or one of the above */
int transport_write(transport_t *transport, const uint8_t *bytes, size_t length);

/** The last bytes are written: lets them arrive before `transport_close`. */
void transport_finish(transport_t *transport);

/** A serial port is then as it was before. */
void transport_close(transport_t *transport);

/* One file for each kind. These open `file`, and need not close it when they fail. */
bool tcp_open(transport_t *transport, const url_t *url, uint32_t timeout, problem_t *problem);
bool udp_open(transport_t *transport, const url_t *url, problem_t *problem);
bool serial_open(transport_t *transport, const url_t *url, problem_t *problem);

/** What `transport_finish` has to do; and the part of it that does not wait. */
void tcp_finish(transport_t *transport);
void tcp_say_end(transport_t *transport);
void serial_finish(transport_t *transport);

#endif
