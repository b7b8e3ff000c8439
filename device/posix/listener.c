#include "listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/** Connections that may wait to be accepted. */
#define BACKLOG 16

/** @return 0, or the error as errno has it */
static int bind_to(int file, const struct addrinfo *address)
{
    int one = 1;
    /* Connections of the server before, that are not forgotten yet, must not be in the way. */
    if (address->ai_socktype == SOCK_STREAM) (void)setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(file, address->ai_addr, address->ai_addrlen) != 0) return errno;
    return address->ai_socktype != SOCK_STREAM || listen(file, BACKLOG) == 0 ? 0 : errno;
}

int listener_open(const url_t *url, char name[SOCKET_NAME], problem_t *problem)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    struct addrinfo *address = resolve(url, url->scheme == URL_UDP ? SOCK_DGRAM : SOCK_STREAM, AI_PASSIVE, problem);
    if (address == NULL) return -1;
    name_of(name, address->ai_addr, address->ai_addrlen);
    int file = open_socket(address);
    int error = file < 0 ? errno : bind_to(file, address);
    freeaddrinfo(address);
    if (error == 0 && getsockname(file, (struct sockaddr *)&bound, &length) == 0) {
        name_of(name, (struct sockaddr *)&bound, length);
        return file;
    }
    if (file >= 0) (void)close(file);
    (void)problem_is(problem, "cannot listen on %s: %s", name, strerror(error));
    return -1;
}

bool listener_accept(int listener, transport_t *transport, char name[SOCKET_NAME])
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    transport->is_port = false;
    transport->file = accept(listener, (struct sockaddr *)&peer, &length);
    if (transport->file < 0) return false;
    hurry(transport->file);
    name_of(name, (struct sockaddr *)&peer, length);
    if (unblock(transport->file)) return true;
    transport_close(transport);
    return false;
}
