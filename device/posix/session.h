/** What usmp-server does with one device, whatever carries its bytes: keys, echoes, and a word on stderr about what happens. */
#ifndef SESSION_H
#define SESSION_H

#include "device_id.h"
#include "server_options.h"
#include "usmp/usmp.h"

#if !USMP_SERVER || !USMP_STREAM || !USMP_SERIAL || !USMP_DATAGRAM
#error "usmp-server serves all transports: leave USMP_SERVER, USMP_STREAM, USMP_SERIAL and USMP_DATAGRAM on"
#endif

/** What all sessions share. */
typedef struct hub {
    const server_options_t *options;
    /** By the kind of transport. */
    usmp_settings_t settings[USMP_TRANSPORT_DATAGRAM + 1];
    uint8_t decoy_key[USMP_KEY_LENGTH];
    usmp_key_t key;
    /** Sessions that were open and are over. */
    unsigned ended;
} hub_t;

typedef struct session {
    usmp_t *usmp;
    /** Where it comes from. */
    char peer[80];
    char device[DEVICE_ID_TEXT];
    bool opened;
    /** An echo that there was no room for. While it waits, nothing more is taken: that is what makes the device wait too. */
    bool echo_waits;
    size_t echo_length;
    uint8_t echo[USMP_MAX_MESSAGE];
} session_t;

/** @return false: this machine has no entropy */
bool hub_begin(hub_t *hub, const server_options_t *options);

/** A place for one device: of `usmp`, which may be used for one session after the other. */
void session_begin(session_t *session, usmp_t *usmp, const char *peer);

/** Takes what `usmp` has to tell. Call it after everything that comes in, and after everything that goes out. */
void session_take_events(session_t *session, hub_t *hub);

/** As the stray device is in the log: it has firmware of version 1, and no id that is known here. */
void report_stray(const char *peer);

#endif
