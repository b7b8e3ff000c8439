/** Where a server listens: sockets, and serial ports, which are opened again when they are back. */
#ifndef LISTENER_H
#define LISTENER_H

#include "sockets.h"
#include "transport.h"

/**
 * A socket that is bound, for TCP also listens, and does not block.
 *
 * @param name how it can be reached; also with port 0, for which the system has found one
 * @return -1: `problem` says why
 */
int listener_open(const url_t *url, char name[SOCKET_NAME], problem_t *problem);

/**
 * The next connection that waits.
 *
 * @param name where it comes from
 * @return false when there is none
 */
bool listener_accept(int listener, transport_t *transport, char name[SOCKET_NAME]);

#endif
