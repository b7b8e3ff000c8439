/** The UDP socket of a server, with all devices that speak to it. */
#ifndef DATAGRAM_DOOR_H
#define DATAGRAM_DOOR_H

#include "session.h"
#include "usmp/endpoint.h"

#define MAX_PEERS 8u

typedef struct datagram_door {
    int file;
    usmp_endpoint_t endpoint;
    usmp_peer_t peers[MAX_PEERS];
    session_t sessions[MAX_PEERS];
    uint32_t strays;
} datagram_door_t;

/** Takes over the socket. @return false: this machine has no entropy */
bool datagram_door_begin(datagram_door_t *door, hub_t *hub, int file);

/** Does all that can be done now. */
void datagram_door_run(datagram_door_t *door, hub_t *hub);

/** Milliseconds until it has to be run. */
uint32_t datagram_door_timeout(const datagram_door_t *door, uint32_t now);

/** Says BYE to all. It is to be run until it `is_silent`. */
void datagram_door_close(datagram_door_t *door);

bool datagram_door_is_silent(const datagram_door_t *door);

/** At the end of the program. */
void datagram_door_end(datagram_door_t *door);

#endif
