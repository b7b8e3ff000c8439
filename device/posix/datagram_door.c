#include "datagram_door.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sockets.h"

/** Datagrams that are read before timers have their turn. */
#define AT_ONCE 32

bool datagram_door_begin(datagram_door_t *door, hub_t *hub, int file)
{
    memset(door, 0, sizeof *door);
    door->file = file;
    for (size_t i = 0; i < MAX_PEERS; i++) session_begin(&door->sessions[i], &door->peers[i].usmp, "?");
    const usmp_settings_t *settings = &hub->settings[USMP_TRANSPORT_DATAGRAM];
    return usmp_endpoint_begin(&door->endpoint, settings, door->peers, MAX_PEERS, clock_now()) == USMP_OK;
}

void datagram_door_end(datagram_door_t *door)
{
    for (size_t i = 0; i < MAX_PEERS; i++) usmp_wipe(&door->peers[i].usmp);
    (void)close(door->file);
}

/* ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
} address_t;

/** Address, port and scope as the core keeps them: nothing in there is only padding. */
static size_t source_of(uint8_t source[USMP_MAX_SOURCE], const address_t *address)
{
    if (address->any.sa_family == AF_INET) {
        memcpy(source, &address->v4.sin_addr, 4);
        memcpy(source + 4, &address->v4.sin_port, 2);
        return 6;
    }
    uint32_t scope = address->v6.sin6_scope_id;
    memcpy(source, &address->v6.sin6_addr, 16);
    memcpy(source + 16, &address->v6.sin6_port, 2);
    memcpy(source + 18, &scope, 4);
    return 22;
}

/** And back. */
static socklen_t address_of(address_t *address, const uint8_t *source, size_t length)
{
    memset(address, 0, sizeof *address);
    if (length == 6) {
        address->v4.sin_family = AF_INET;
        memcpy(&address->v4.sin_addr, source, 4);
        memcpy(&address->v4.sin_port, source + 4, 2);
        return sizeof address->v4;
    }
    uint32_t scope;
    address->v6.sin6_family = AF_INET6;
    memcpy(&address->v6.sin6_addr, source, 16);
    memcpy(&address->v6.sin6_port, source + 16, 2);
    memcpy(&scope, source + 18, 4);
    address->v6.sin6_scope_id = scope;
    return sizeof address->v6;
}

/* ── Work ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What the network cannot take now is lost, as any datagram may be; it is sent again. */
static void send_to(const datagram_door_t *door, const address_t *address, socklen_t size, const uint8_t *bytes, size_t length)
{
    ssize_t sent = sendto(door->file, bytes, length, 0, &address->any, size);
    (void)sent;
}

static void write_out(datagram_door_t *door, usmp_peer_t *peer)
{
    const uint8_t *bytes;
    size_t length;
    address_t address;
    socklen_t size = address_of(&address, peer->source, peer->source_length);
    while ((bytes = usmp_poll_transmit(&peer->usmp, clock_now(), &length)) != NULL) {
        send_to(door, &address, size, bytes, length);
        usmp_transmitted(&peer->usmp, length, clock_now());
    }
}

static void drain(datagram_door_t *door, hub_t *hub, size_t i)
{
    usmp_t *usmp = &door->peers[i].usmp;
    while (usmp_state(usmp) != USMP_STATE_IDLE) {
        session_take_events(&door->sessions[i], hub);
        write_out(door, &door->peers[i]);
        if (usmp_poll_timeout(usmp, clock_now()) > 0) return;
        usmp_handle_timeout(usmp, clock_now());
    }
}

static void take_datagram(datagram_door_t *door, hub_t *hub, uint8_t *datagram, size_t length, const address_t *from, socklen_t size)
{
    usmp_endpoint_t *endpoint = &door->endpoint;
    uint8_t source[USMP_MAX_SOURCE];
    char name[SOCKET_NAME];
    size_t source_length = source_of(source, from);
    usmp_peer_t *peer = usmp_endpoint_handle_datagram(endpoint, datagram, length, source, source_length, clock_now());
    for (size_t i = 0; i < 2 && endpoint->answer_lengths[i] > 0; i++) {
        send_to(door, from, size, endpoint->answers[i], endpoint->answer_lengths[i]);
    }
    if (endpoint->strays != door->strays) {
        door->strays = endpoint->strays;
        name_of(name, &from->any, size);
        report_stray(name);
    }
    if (peer == NULL) return;
    session_t *session = &door->sessions[peer - door->peers];
    if (!session->opened) name_of(session->peer, &from->any, size);
    for (size_t i = 0; i < MAX_PEERS; i++) drain(door, hub, i);
}

void datagram_door_run(datagram_door_t *door, hub_t *hub)
{
    for (int i = 0; i < AT_ONCE; i++) {
        /* One byte more than the longest frame, so that what is longer can be told. */
        uint8_t datagram[USMP_MAX_FRAME + 1];
        address_t from;
        socklen_t size = sizeof from;
        ssize_t length = recvfrom(door->file, datagram, sizeof datagram, 0, &from.any, &size);
        if (length < 0) break;
        take_datagram(door, hub, datagram, (size_t)length, &from, size);
    }
    for (size_t i = 0; i < MAX_PEERS; i++) drain(door, hub, i);
}

uint32_t datagram_door_timeout(const datagram_door_t *door, uint32_t now)
{
    uint32_t earliest = USMP_NEVER;
    for (size_t i = 0; i < MAX_PEERS; i++) {
        uint32_t in = usmp_poll_timeout(&door->peers[i].usmp, now);
        if (in < earliest) earliest = in;
    }
    return earliest;
}

void datagram_door_close(datagram_door_t *door)
{
    for (size_t i = 0; i < MAX_PEERS; i++) usmp_close(&door->peers[i].usmp, clock_now());
}

bool datagram_door_is_silent(const datagram_door_t *door)
{
    for (size_t i = 0; i < MAX_PEERS; i++) {
        const usmp_t *usmp = &door->peers[i].usmp;
        usmp_state_t state = usmp_state(usmp);
        if (state != USMP_STATE_IDLE && (state != USMP_STATE_CLOSED || usmp_lingers(usmp))) return false;
    }
    return true;
}
