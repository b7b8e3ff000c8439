/** TCP as a client: for a stream, and for a serial line that is carried by one. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sockets.h"
#include "stop.h"
#include "transport.h"

/** How long the other side may take to close after us. Milliseconds. */
#define FINISH_TIMEOUT 1000u

/** Waits until a connection that was begun is there. @return 0, or the error as errno has it */
static int wait_for_connection(int file, uint32_t deadline)
{
    for (;;) {
        struct pollfd files[] = {{file, POLLOUT, 0}, {stop_file(), POLLIN, 0}};
        int32_t left = (int32_t)(deadline - clock_now());
        int error = 0;
        socklen_t length = sizeof error;
        if (left <= 0) return ETIMEDOUT;
        if (poll(files, 2, left) < 0 && errno != EINTR) return errno;
        if (stop_wanted()) return ECANCELED;
        if (files[0].revents == 0) continue;
        return getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
    }
}

static int connect_to(int file, const struct addrinfo *address, uint32_t deadline)
{
    if (connect(file, address->ai_addr, address->ai_addrlen) == 0) return 0;
    return errno == EINPROGRESS || errno == EINTR ? wait_for_connection(file, deadline) : errno;
}

/** One address of a name may be dead while another answers. What went wrong is told of the last one. */
bool tcp_open(transport_t *transport, const url_t *url, uint32_t timeout, problem_t *problem)
{
    struct addrinfo *addresses = resolve(url, SOCK_STREAM, 0, problem);
    uint32_t deadline = clock_now() + timeout;
    bool connected = false;
    for (struct addrinfo *address = addresses; address != NULL && !connected && !stop_wanted(); address = address->ai_next) {
        char name[SOCKET_NAME];
        name_of(name, address->ai_addr, address->ai_addrlen);
        transport->file = open_socket(address);
        int error = transport->file < 0 ? errno : connect_to(transport->file, address, deadline);
        connected = error == 0;
        if (!connected) {
            (void)problem_is(problem, "no connection to %s: %s", name, strerror(error));
            transport_close(transport);
            continue;
        }
        hurry(transport->file);
    }
    if (addresses != NULL) freeaddrinfo(addresses);
    return connected;
}

void tcp_say_end(transport_t *transport)
{
    (void)shutdown(transport->file, SHUT_WR);
}

/**
 * To close a socket in which bytes wait to be read makes TCP throw away what it has not sent yet: BYE. So say that nothing
 * more comes, and read until the other side has said the same.
 */
void tcp_finish(transport_t *transport)
{
    uint32_t deadline = clock_now() + FINISH_TIMEOUT;
    uint8_t bytes[512];
    tcp_say_end(transport);
    for (;;) {
        struct pollfd files[] = {{transport->file, POLLIN, 0}, {stop_file(), POLLIN, 0}};
        int32_t left = (int32_t)(deadline - clock_now());
        if (left <= 0 || stop_at_once()) return;
        if (poll(files, 2, left) < 0 && errno != EINTR) return;
        if (files[1].revents != 0) stop_seen();
        if (transport_read(transport, bytes, sizeof bytes) == TRANSPORT_ENDED) return;
    }
}
