/** The command line of usmp-client. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "psk.h"
#include "url.h"
#include "usmp/settings.h"

typedef struct client_options {
    url_t url;
    psk_t psk;
    uint8_t device_id[USMP_DEVICE_ID_LENGTH];

    /** What to do in the session, in this order. */
    bool rekey;
    bool rekey_forced;
    bool ping;
    uint32_t echo_count;
    uint32_t echo_window;
    /** No longer messages than this. */
    uint32_t echo_size;
    /** The texts of `--send`, in the order of the command line. */
    const char **messages;
    size_t message_count;
    bool lines_of_stdin;
    uint32_t listen_for;

    bool no_reply;
    /** Milliseconds that a reply may take. */
    uint32_t timeout;
    /** Of the core; 0 for its default. */
    uint32_t handshake_timeout;
} client_options_t;

/** Goes on only with options that can be used: prints help or what is wrong, and exits. */
void client_options_parse(client_options_t *options, char **arguments);

#endif
