#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "seam.h"
#include "tap.h"

role_t other_role(role_t role)
{
    return role == CLIENT ? SERVER : CLIENT;
}

const char *role_name(role_t role)
{
    return role == CLIENT ? "client" : "server";
}

const session_vector_t *session_named(const char *name)
{
    for (size_t i = 0; i < SESSIONS_COUNT; i++) {
        if (strcmp(SESSIONS[i].name, name) == 0) return &SESSIONS[i];
    }
    abort();
}

const rekey_vector_t *rekey_named(const char *name)
{
    for (size_t i = 0; i < REKEYS_COUNT; i++) {
        if (strcmp(REKEYS[i].name, name) == 0) return &REKEYS[i];
    }
    abort();
}

handshake_frames_t handshake_of(const session_vector_t *session)
{
    return (handshake_frames_t){session->hello, session->challenge, session->hello_ack, session->session_ok};
}

const char *incoming(const handshake_frames_t *frames, role_t role, unsigned number)
{
    if (role == CLIENT) return number == 0 ? frames->challenge : frames->session_ok;
    return number == 0 ? frames->hello : frames->hello_ack;
}

void scripted_begin(scripted_t *end, const session_vector_t *session, role_t role, const rekey_vector_t *salts)
{
    memset(end, 0, sizeof *end);
    seam_reset(1);
    if (role == SERVER) seam_script(session->nonce);
    seam_script(role == CLIENT ? session->client_private : session->server_private);
    if (role == SERVER) seam_script(session->session_id);
    for (size_t i = 0; salts != NULL && i < salts->rekey_count; i++) {
        if (salts->rekeys[i].from == role) seam_script(salts->rekeys[i].salt);
    }
    end->role = role;
    end->session = session;
    end->key = (usmp_key_t){end->psk, unhex(end->psk, sizeof end->psk, session->psk)};
    end->settings.transport = USMP_TRANSPORT_STREAM;
    end->settings.keepalive_interval = end->settings.idle_timeout = USMP_NEVER;
    if (role == CLIENT) {
        end->settings.psk = end->key.bytes;
        end->settings.psk_length = end->key.length;
        (void)unhex(end->settings.device_id, sizeof end->settings.device_id, session->device_id);
        CHECK_OK(usmp_connect(&end->usmp, &end->settings, 0));
        return;
    }
    end->settings.decoy_key = end->decoy;
#if USMP_SERVER
    CHECK_OK(usmp_accept(&end->usmp, &end->settings, 0));
#endif
}

bool scripted_open(scripted_t *end, const session_vector_t *session, role_t role, const rekey_vector_t *salts)
{
    handshake_frames_t frames = handshake_of(session);
    scripted_begin(end, session, role, salts);
    scripted_input_hex(end, incoming(&frames, role, 0), 0);
    scripted_be_timely(end);
    scripted_input_hex(end, incoming(&frames, role, 1), 0);
    (void)scripted_take_all(end);
    if (!CHECK_NUMBER(end->opened, 1)) return false;
    end->events = 0;
    return true;
}

static void drain_events(scripted_t *end)
{
    usmp_event_t event;
    while (usmp_poll_event(&end->usmp, &event)) {
        end->events++;
        switch (event.type) {
#if USMP_SERVER
        case USMP_EVENT_KEYS_WANTED:
            if (CHECK_NUMBER(event.length, 6)) memcpy(end->device_id, event.data, 6);
            usmp_provide_keys(&end->usmp, event.data, &end->key, 1, 0);
            break;
#endif
        case USMP_EVENT_OPEN:
            end->opened++;
            if (CHECK_NUMBER(event.length, 16)) memcpy(end->session_id, event.data, 16);
            break;
        case USMP_EVENT_REKEYED: end->rekeyed++; break;
        case USMP_EVENT_PONG: end->pongs++; break;
        case USMP_EVENT_CLOSED:
            end->closed++;
            end->error = event.error;
            break;
        case USMP_EVENT_MESSAGE:
        case USMP_EVENT_MESSAGE_DROPPED: {
            received_t *message = &end->received[end->received_count];
            if (++end->received_count > MAX_RECEIVED || event.length > sizeof message->bytes) abort();
            message->dropped = event.type == USMP_EVENT_MESSAGE_DROPPED;
            message->length = event.length;
            if (event.length > 0) memcpy(message->bytes, event.data, event.length);
            break;
        }
        default: FAIL("event %d", (int)event.type); break;
        }
    }
}

void scripted_be_timely(scripted_t *end)
{
    if (end->agrees_late || usmp_poll_timeout(&end->usmp, 0) > 0) return;
    usmp_handle_timeout(&end->usmp, 0);
    drain_events(end);
}

void scripted_input(scripted_t *end, const uint8_t *bytes, size_t length, size_t piece)
{
    if (piece == 0) piece = length;
    for (size_t start = 0; start < length; start += piece) {
        size_t size = piece < length - start ? piece : length - start;
        uint8_t *copy = malloc(size);
        if (copy == NULL) abort();
        memcpy(copy, bytes + start, size);
        size_t taken = 0;
        for (unsigned rounds = 0; taken < size && rounds < 1000; rounds++) {
            taken += usmp_handle_input(&end->usmp, copy + taken, size - taken, 0);
            drain_events(end);
        }
        CHECK_NUMBER(taken, size);
        free(copy);
    }
}

void scripted_input_hex(scripted_t *end, const char *digits, size_t piece)
{
    static uint8_t bytes[16384];
    scripted_input(end, bytes, unhex(bytes, sizeof bytes, digits), piece);
}

static void collect(scripted_t *end)
{
    size_t length;
    const uint8_t *bytes;
    while ((bytes = usmp_poll_transmit(&end->usmp, 0, &length)) != NULL) {
        if (end->sent_length + length > sizeof end->sent) abort();
        memcpy(end->sent + end->sent_length, bytes, length);
        end->sent_length += length;
        usmp_transmitted(&end->usmp, length, 0);
    }
    drain_events(end);
}

bool scripted_has_sent(scripted_t *end, const char *digits)
{
    uint8_t expected[4096];
    size_t length = unhex(expected, sizeof expected, digits);
    if (end->sent_length < length) collect(end);
    size_t taken = end->sent_length < length ? end->sent_length : length;
    bool same = CHECK_BYTES(end->sent, taken, expected, length);
    end->sent_length -= taken;
    memmove(end->sent, end->sent + taken, end->sent_length);
    return same;
}

size_t scripted_take_all(scripted_t *end)
{
    collect(end);
    size_t length = end->sent_length;
    end->sent_length = 0;
    return length;
}

bool scripted_send(scripted_t *end, const char *digits)
{
    uint8_t message[1808];
    size_t length = unhex(message, sizeof message, digits);
    if (length <= USMP_MAX_MESSAGE) {
        CHECK_OK(usmp_send(&end->usmp, message, length, 0));
        return true;
    }
    CHECK_ERROR(usmp_send(&end->usmp, message, length, 0), USMP_ERROR_MESSAGE_TOO_LARGE);
    end->usmp.layer.record.tx_seq += (uint32_t)((length + 451) / 452);
    return false;
}

bool scripted_has_received(const scripted_t *end, const char *const *expected, size_t count)
{
    uint8_t message[1808];
    if (!CHECK_NUMBER(end->received_count, count)) return false;
    for (size_t i = 0; i < count; i++) {
        const received_t *received = &end->received[i];
        size_t length = unhex(message, sizeof message, expected[i]);
        if (!CHECK_NUMBER(received->dropped, length > USMP_MAX_MESSAGE)) return false;
        if (!received->dropped && !CHECK_BYTES(received->bytes, received->length, message, length)) return false;
    }
    return true;
}
