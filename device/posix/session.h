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

/** Echoes that may wait. Over UDP a device gives up when nothing of it is taken for 12.5 s, which is soon over on a bad line. */
#define MAX_ECHOES 16u

typedef struct echo {
    size_t length;
    uint8_t message[USMP_MAX_MESSAGE];
} echo_t;

typedef struct session {
    usmp_t *usmp;
    /** Where it comes from. */
    char peer[80];
    char device[DEVICE_ID_TEXT];
    bool opened;
    /** Echoes that there was no room for, in a ring. When it is full nothing more is taken, which makes the device wait too. */
    echo_t echoes[MAX_ECHOES];
    size_t first_echo;
    size_t echo_count;
} session_t;

/** @return false: this machine has no entropy */
bool hub_begin(hub_t *hub, const server_options_t *options);

/** A place for one device: of `usmp`, which may be used for one session after the other. */
void session_begin(session_t *session, usmp_t *usmp, const char *peer);

/** Takes what `usmp` has to tell. Call it after everything that comes in, and after everything that goes out. */
void session_take_events(session_t *session, hub_t *hub);

/** Whether an echo waits for room. */
bool session_has_echoes(const session_t *session);

/** A device with firmware of version 1 has tried to come in. */
void report_stray(const char *peer);

#endif
