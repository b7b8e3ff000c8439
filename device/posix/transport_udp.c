/** UDP as a client: a socket that takes datagrams of the server alone. */
#include <errno.h>
#include <string.h>

#include "sockets.h"
#include "transport.h"

/** A connected socket is told when nobody listens there; nothing is sent for that yet, so the first address has to do. */
bool udp_open(transport_t *transport, const url_t *url, problem_t *problem)
{
    struct addrinfo *addresses = resolve(url, SOCK_DGRAM, 0, problem);
    bool connected = false;
    for (struct addrinfo *address = addresses; address != NULL && !connected; address = address->ai_next) {
        char name[SOCKET_NAME];
        name_of(name, address->ai_addr, address->ai_addrlen);
        transport->file = open_socket(address);
        connected = transport->file >= 0 && connect(transport->file, address->ai_addr, address->ai_addrlen) == 0;
        if (connected) continue;
        (void)problem_is(problem, "no way to %s: %s", name, strerror(errno));
        transport_close(transport);
    }
    if (addresses != NULL) freeaddrinfo(addresses);
    return connected;
}
