#include "transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

bool transport_open(transport_t *transport, const url_t *url, uint32_t timeout, problem_t *problem)
{
    bool opened = false;
    transport->file = -1;
    transport->is_port = false;
    switch (url->scheme) {
    case URL_TCP:
        transport->kind = USMP_TRANSPORT_STREAM;
        opened = tcp_open(transport, url, timeout, problem);
        break;
    case URL_UDP:
        transport->kind = USMP_TRANSPORT_DATAGRAM;
        opened = udp_open(transport, url, problem);
        break;
    case URL_SERIAL:
        transport->kind = USMP_TRANSPORT_SERIAL;
        opened = serial_open(transport, url, problem);
        break;
    case URL_SERIAL_TCP:
        transport->kind = USMP_TRANSPORT_SERIAL;
        opened = tcp_open(transport, url, timeout, problem);
        break;
    }
    if (!opened) transport_close(transport);
    return opened;
}

static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/** A datagram socket reports here that nobody listens at the other end (ECONNREFUSED). */
int transport_read(transport_t *transport, uint8_t *bytes, size_t size)
{
    ssize_t count = read(transport->file, bytes, size);
    if (count > 0) return (int)count;
    if (count < 0) return is_for_later(errno) ? TRANSPORT_LATER : TRANSPORT_ENDED;
    /* An empty datagram is no end. */
    return transport->kind == USMP_TRANSPORT_DATAGRAM ? TRANSPORT_LATER : TRANSPORT_ENDED;
}

/** Where a stream is broken the bytes are dropped: reading tells, once it has given what came before. */
static int write_bytes(transport_t *transport, const uint8_t *bytes, size_t length)
{
    ssize_t count = write(transport->file, bytes, length);
    if (count >= 0) return (int)count;
    return is_for_later(errno) ? TRANSPORT_LATER : (int)length;
}

/** What a network cannot take now is lost, as any datagram may be; it is sent again. */
static int write_datagram(transport_t *transport, const uint8_t *bytes, size_t length)
{
    if (send(transport->file, bytes, length, 0) >= 0) return (int)length;
    if (errno == ECONNREFUSED) return TRANSPORT_ENDED;
    return is_for_later(errno) ? TRANSPORT_LATER : (int)length;
}

int transport_write(transport_t *transport, const uint8_t *bytes, size_t length)
{
    bool datagrams = transport->kind == USMP_TRANSPORT_DATAGRAM;
    return datagrams ? write_datagram(transport, bytes, length) : write_bytes(transport, bytes, length);
}

void transport_finish(transport_t *transport)
{
    if (transport->is_port) serial_finish(transport);
    else if (transport->kind != USMP_TRANSPORT_DATAGRAM) tcp_finish(transport);
}

void transport_close(transport_t *transport)
{
    if (transport->file < 0) return;
    if (transport->is_port) (void)tcsetattr(transport->file, TCSANOW, &transport->before);
    (void)close(transport->file);
    transport->file = -1;
}
