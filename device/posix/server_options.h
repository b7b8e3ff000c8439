/** The command line of usmp-server. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "psk.h"
#include "url.h"
#include "usmp/settings.h"

#define MAX_LISTENERS 4u
#define MAX_DEVICES 32u

typedef struct server_options {
    url_t listen[MAX_LISTENERS];
    size_t listen_count;
    psk_t psk;
    /** Who may come in; none: everybody who has the key. */
    uint8_t devices[MAX_DEVICES][USMP_DEVICE_ID_LENGTH];
    size_t device_count;
    bool echo;
    bool once;
    /** Of the core; 0 for its defaults. Milliseconds. */
    uint32_t handshake_timeout;
    uint32_t idle_timeout;
} server_options_t;

/** Goes on only with options that can be used: prints help or what is wrong, and exits. */
void server_options_parse(server_options_t *options, char **arguments);

#endif
