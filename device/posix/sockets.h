/** What TCP and UDP have in common: names, and sockets that do not block. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <netdb.h>
#include <sys/socket.h>

#include "problem.h"
#include "url.h"

/** Room for "[address]:port". */
#define SOCKET_NAME 80

/**
 * All addresses of a host, to be given to freeaddrinfo().
 *
 * @param type SOCK_STREAM or SOCK_DGRAM
 * @param flags of getaddrinfo(): AI_PASSIVE to listen
 * @return null: `problem` says why
 */
struct addrinfo *resolve(const url_t *url, int type, int flags, problem_t *problem);

/** A socket for such an address that does not block. @return -1 with errno */
int open_socket(const struct addrinfo *address);

/** Lets a file not block, and closes it in programs that this one starts. */
bool unblock(int file);

/** TCP sends a message when it is there, not when more come. */
void hurry(int file);

/** Address and port as they stand in a URL. */
void name_of(char name[SOCKET_NAME], const struct sockaddr *address, socklen_t length);

#endif
