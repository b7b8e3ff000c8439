#include "session.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "show.h"

bool hub_begin(hub_t *hub, const server_options_t *options)
{
    memset(hub, 0, sizeof *hub);
    hub->options = options;
    hub->key = (usmp_key_t){options->psk.bytes, options->psk.length};
    for (size_t i = 0; i < sizeof hub->settings / sizeof *hub->settings; i++) {
        hub->settings[i].transport = (usmp_transport_t)i;
        hub->settings[i].decoy_key = hub->decoy_key;
        hub->settings[i].handshake_timeout = options->handshake_timeout;
        hub->settings[i].idle_timeout = options->idle_timeout;
    }
    return usmp_crypto_random(hub->decoy_key, sizeof hub->decoy_key);
}

void session_begin(session_t *session, usmp_t *usmp, const char *peer)
{
    memset(session, 0, sizeof *session);
    session->usmp = usmp;
    (void)snprintf(session->peer, sizeof session->peer, "%s", peer);
}

void report_stray(const char *peer)
{
    usmp_error_t error = USMP_ERROR_VERSION_1;
    (void)fprintf(stderr, "refused a device from %s: %s: %s\n", peer, usmp_error_code(error), usmp_strerror(error));
}

static bool may_come_in(const server_options_t *options, const uint8_t *device_id)
{
    if (options->device_count == 0) return true;
    for (size_t i = 0; i < options->device_count; i++) {
        if (memcmp(options->devices[i], device_id, USMP_DEVICE_ID_LENGTH) == 0) return true;
    }
    return false;
}

/** An unknown device has no keys. It is answered all the same, so that nobody finds out (§3.5). */
static void provide_keys(session_t *session, const hub_t *hub, const uint8_t *device_id)
{
    size_t count = may_come_in(hub->options, device_id) ? 1 : 0;
    device_id_format(session->device, device_id);
    session->opened = false;
    session->echo_count = 0;
    usmp_provide_keys(session->usmp, device_id, &hub->key, count, clock_now());
}

static void take_message(session_t *session, const hub_t *hub, const usmp_event_t *event)
{
    if (!hub->options->echo) {
        show_message(session->device, event->data, event->length);
        return;
    }
    echo_t *echo = &session->echoes[(session->first_echo + session->echo_count++) % MAX_ECHOES];
    echo->length = event->length;
    memcpy(echo->message, event->data, event->length);
}

static void take_closed(session_t *session, hub_t *hub, usmp_error_t error)
{
    const char *who = session->device[0] != '\0' ? session->device : "a device";
    const char *what = session->opened ? "disconnected" : "refused";
    (void)fprintf(stderr, "%s %s from %s: %s: %s\n", what, who, session->peer, usmp_error_code(error), usmp_strerror(error));
    if (session->opened) hub->ended++;
    session->opened = false;
    session->echo_count = 0;
    session->device[0] = '\0';
}

static void take_event(session_t *session, hub_t *hub, const usmp_event_t *event)
{
    switch (event->type) {
    case USMP_EVENT_KEYS_WANTED: provide_keys(session, hub, event->data); break;
    case USMP_EVENT_OPEN:
        session->opened = true;
        (void)fprintf(stderr, "connected %s from %s\n", session->device, session->peer);
        break;
    case USMP_EVENT_REKEYED: (void)fprintf(stderr, "rekeyed %s\n", session->device); break;
    case USMP_EVENT_MESSAGE: take_message(session, hub, event); break;
    case USMP_EVENT_MESSAGE_DROPPED: (void)fprintf(stderr, "lost a message of %s\n", session->device); break;
    case USMP_EVENT_CLOSED: take_closed(session, hub, event->error); break;
    default: break;
    }
}

static void send_echoes(session_t *session)
{
    while (session->echo_count > 0) {
        const echo_t *echo = &session->echoes[session->first_echo];
        if (usmp_send(session->usmp, echo->message, echo->length, clock_now()) == USMP_ERROR_BUSY) return;
        session->first_echo = (session->first_echo + 1) % MAX_ECHOES;
        session->echo_count--;
    }
}

void session_take_events(session_t *session, hub_t *hub)
{
    usmp_event_t event;
    send_echoes(session);
    while (session->echo_count < MAX_ECHOES && usmp_poll_event(session->usmp, &event)) {
        take_event(session, hub, &event);
        send_echoes(session);
    }
}

bool session_has_echoes(const session_t *session)
{
    return session->echo_count > 0;
}
