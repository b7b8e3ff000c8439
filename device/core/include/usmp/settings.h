/** What a connection needs to know before it begins. Part of `usmp/usmp.h`. */
#ifndef USMP_SETTINGS_H
#define USMP_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#define USMP_DEVICE_ID_LENGTH 6u
#define USMP_SESSION_ID_LENGTH 16u

/** For a time of `usmp_settings_t`: this deadline does not exist. */
#define USMP_NEVER UINT32_MAX

/** What carries the bytes. */
typedef enum usmp_transport {
    /** All bytes in order, or none any more: TCP (§2 to §8). */
    USMP_TRANSPORT_STREAM,
    /** A UART: bytes may be damaged or lost (§10). */
    USMP_TRANSPORT_SERIAL,
    /** UDP: whole datagrams, which may be lost, doubled, reordered and forged (§9). */
    USMP_TRANSPORT_DATAGRAM
} usmp_transport_t;

/**
 * What a connection needs to know, in memory of yours that does not change while the connection is in use: it may be in flash.
 * A time of 0 stands for the default that is named, USMP_NEVER for no such deadline.
 */
typedef struct usmp_settings {
    usmp_transport_t transport;

    /** Client: the pre-shared key, at least 16 bytes, that the server knows of this device (§3.4). */
    const uint8_t *psk;
    size_t psk_length;
    /** Client: who it is (§3.1), by habit its MAC address. Sent in clear. */
    uint8_t device_id[USMP_DEVICE_ID_LENGTH];

    /** Server: 32 random bytes made at its start, the key that unknown devices are checked against (§3.5). */
    const uint8_t *decoy_key;

    /** For the whole handshake (§3.5): 10,000; over serial lines 30,000. */
    uint32_t handshake_timeout;
    /** PING after this long without sending, or without hearing (§6.2): client 30,000, server USMP_NEVER. */
    uint32_t keepalive_interval;
    /** That PING is missed when nothing was heard for this long after it: 20,000. Three in a row end the session. */
    uint32_t keepalive_timeout;
    /** The session ends after this long without hearing anything (§6.2): client USMP_NEVER, server 60,000. */
    uint32_t idle_timeout;
} usmp_settings_t;

/** A key of a device, at a server. */
typedef struct usmp_key {
    const uint8_t *bytes;
    size_t length;
} usmp_key_t;

#endif
