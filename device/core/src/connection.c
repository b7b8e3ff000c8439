/**
 * One peer, over whatever: deadlines, PING, PONG, REKEY, idle time, the end; what a driver calls and what it is told. What
 * differs between transports is in stream_connection.c, serial_connection.c and datagram_connection.c.
 */
#include "usmp/connection.h"

#include <string.h>

#include "usmp/frame.h"

USMP_INTERNAL uint32_t usmp_due_in(uint32_t now, uint32_t since, uint32_t timeout)
{
    uint32_t elapsed = now - since;
    if (timeout == USMP_NEVER) return USMP_NEVER;
    return elapsed < timeout ? timeout - elapsed : 0;
}

static uint32_t time_of(uint32_t setting, uint32_t otherwise)
{
    return setting == 0 ? otherwise : setting;
}

USMP_INTERNAL void usmp_emit(usmp_t *usmp, usmp_event_type_t type)
{
    usmp->events = (uint8_t)(usmp->events | 1u << type);
}

/* ── Begin ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_compiled_in(usmp_transport_t transport)
{
    switch (transport) {
    case USMP_TRANSPORT_STREAM: return USMP_STREAM;
    case USMP_TRANSPORT_SERIAL: return USMP_SERIAL;
    case USMP_TRANSPORT_DATAGRAM: return USMP_DATAGRAM;
    default: return false;
    }
}

void usmp_wipe(usmp_t *usmp)
{
    usmp_wipe_layer(usmp);
    usmp_crypto_wipe(usmp, sizeof *usmp);
}

usmp_error_t usmp_prepare(usmp_t *usmp)
{
    if (usmp->state != USMP_STATE_IDLE) usmp_wipe(usmp);
    return usmp_handshake_make_key_pair(&usmp->layer.handshake, false) ? USMP_OK : USMP_ERROR_CRYPTO_FAILED;
}

USMP_INTERNAL usmp_error_t usmp_begin_handshake(usmp_t *usmp, uint32_t now)
{
    usmp_handshake_t *handshake = &usmp->layer.handshake;
    if (!usmp_handshake_make_key_pair(handshake, false)) return USMP_ERROR_CRYPTO_FAILED;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) {
        usmp_datagram_begin(usmp, now);
        return USMP_OK;
    }
#endif
    uint8_t *frame = usmp_reserve(usmp, USMP_MAX_HANDSHAKE_FRAME);
    if (frame == NULL) return USMP_ERROR_BUSY;
    usmp_commit(usmp, usmp_handshake_hello(handshake, usmp->settings->device_id, NULL, frame));
    usmp->last_sent = now;
    return USMP_OK;
}

usmp_error_t usmp_connect(usmp_t *usmp, const usmp_settings_t *settings, uint32_t now)
{
    if (!is_compiled_in(settings->transport)) return USMP_ERROR_INVALID_ARGUMENT;
    if (settings->psk_length < USMP_MIN_PSK) return USMP_ERROR_KEY_TOO_SHORT;
    if (usmp->state != USMP_STATE_IDLE) usmp_wipe(usmp);
    usmp->settings = settings;
    usmp->began_at = now;
    usmp_error_t error = usmp_begin_handshake(usmp, now);
    if (error != USMP_OK) {
        usmp_wipe(usmp);
        return error;
    }
    usmp->state = USMP_STATE_HANDSHAKE;
    return USMP_OK;
}

#if USMP_SERVER

usmp_error_t usmp_accept(usmp_t *usmp, const usmp_settings_t *settings, uint32_t now)
{
    if (!is_compiled_in(settings->transport) || settings->decoy_key == NULL) return USMP_ERROR_INVALID_ARGUMENT;
    usmp_wipe(usmp);
    usmp->settings = settings;
    usmp->is_server = true;
    usmp->layer.handshake.state = USMP_WAIT_HELLO;
    usmp->began_at = now;
    usmp->state = USMP_STATE_HANDSHAKE;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) usmp_datagram_begin(usmp, now);
#endif
    return USMP_OK;
}

static void finish_handshake(usmp_t *usmp, usmp_error_t error, uint32_t now)
{
    if (error == USMP_OK) error = usmp_open_if_done(usmp, now);
    if (error != USMP_OK) usmp_fail(usmp, error);
}

void usmp_provide_keys(usmp_t *usmp, const uint8_t device_id[6], const usmp_key_t *keys, size_t count, uint32_t now)
{
    usmp_handshake_t *handshake = &usmp->layer.handshake;
    if (usmp->state != USMP_STATE_HANDSHAKE || !usmp->is_server) return;
    /* With the keys of one device another one would come in. */
    if (handshake->state == USMP_WAIT_HELLO || memcmp(device_id, handshake->device_id, sizeof handshake->device_id) != 0) return;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) {
        usmp_error_t failed = usmp_handshake_provide_keys(handshake, usmp->settings, keys, count, usmp->datagram.flight);
        if (failed == USMP_OK && handshake->reply_length > 0) usmp_datagram_fly(usmp, handshake->reply_length, now);
        finish_handshake(usmp, failed, now);
        return;
    }
#endif
    uint8_t *reply = usmp_reserve(usmp, USMP_MAX_HANDSHAKE_FRAME);
    if (reply == NULL) {
        usmp_fail(usmp, USMP_ERROR_UNEXPECTED_FRAME);
        return;
    }
    usmp_error_t error = usmp_handshake_provide_keys(handshake, usmp->settings, keys, count, reply);
    if (error == USMP_OK && handshake->reply_length > 0) usmp_commit(usmp, handshake->reply_length);
    finish_handshake(usmp, error, now);
}

#endif

/* ── Input ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t usmp_handle_input(usmp_t *usmp, uint8_t *bytes, size_t length, uint32_t now)
{
    if (usmp->state == USMP_STATE_IDLE) return length;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) {
        return usmp_datagram_input(usmp, bytes, length, now) ? length : 0;
    }
#endif
    if (usmp->state == USMP_STATE_CLOSED) return length;
#if USMP_SERIAL
    size_t taken = usmp_is_serial(usmp) ? usmp_serial_input(usmp, bytes, length, now)
                                        : usmp_stream_input(usmp, bytes, length, now);
#else
    size_t taken = usmp_stream_input(usmp, bytes, length, now);
#endif
    return usmp->state == USMP_STATE_CLOSED ? length : taken;
}

/** The transport alone has ended. What it means depends on how far the client had come (§3.2); a line says nothing (§10). */
void usmp_handle_end(usmp_t *usmp)
{
    usmp_error_t error = USMP_ERROR_CONNECTION_LOST;
    if (usmp->state == USMP_STATE_IDLE) return;
    if (usmp->state == USMP_STATE_HANDSHAKE && !usmp->is_server && usmp->settings->transport == USMP_TRANSPORT_STREAM) {
        bool proved = usmp->layer.handshake.state == USMP_WAIT_SESSION_OK;
        error = proved ? USMP_ERROR_REFUSED : USMP_ERROR_TURNED_AWAY;
    }
#if USMP_DATAGRAM
    if (usmp->state == USMP_STATE_HANDSHAKE && usmp_is_datagram(usmp) && !usmp->is_server && !usmp->datagram.heard) {
        error = USMP_ERROR_UNREACHABLE;
    }
#endif
    usmp_fail(usmp, error);
}

static uint32_t handshake_timeout(const usmp_t *usmp)
{
    return time_of(usmp->settings->handshake_timeout,
                   usmp_is_serial(usmp) ? USMP_SERIAL_HANDSHAKE_TIMEOUT : USMP_HANDSHAKE_TIMEOUT);
}

static uint32_t idle_in(const usmp_t *usmp, uint32_t now)
{
    uint32_t otherwise = usmp->is_server ? USMP_SERVER_IDLE_TIMEOUT : USMP_NEVER;
    return usmp_due_in(now, usmp->last_heard, time_of(usmp->settings->idle_timeout, otherwise));
}

/** A PING is due, or the answer to the last one. */
static uint32_t keepalive_in(const usmp_t *usmp, uint32_t now)
{
    const usmp_settings_t *settings = usmp->settings;
    uint32_t interval = time_of(settings->keepalive_interval, usmp->is_server ? USMP_NEVER : USMP_KEEPALIVE_INTERVAL);
    if (interval == USMP_NEVER) return USMP_NEVER;
    if (usmp->probe_unanswered) {
        return usmp_due_in(now, usmp->last_ping, time_of(settings->keepalive_timeout, USMP_KEEPALIVE_TIMEOUT));
    }
    /* After a while without sending, and after a while without hearing, so that a one-way stream is answered too. */
    uint32_t since = now - usmp->last_sent > now - usmp->last_heard ? usmp->last_sent : usmp->last_heard;
    if (now - usmp->last_ping < now - since) since = usmp->last_ping;
    return usmp_due_in(now, since, interval);
}

static void keep_alive(usmp_t *usmp, uint32_t now)
{
    usmp->missed = usmp->probe_unanswered ? (uint8_t)(usmp->missed + 1) : 0;
    if (usmp->missed > USMP_KEEPALIVE_MISSES) {
        usmp_abandon(usmp, USMP_ERROR_IDLE_TIMEOUT, now);
        return;
    }
    usmp->probe_unanswered = usmp->ping_wanted = true;
    usmp->last_ping = now;
    /* What has not been answered for so long will not be. */
    usmp->pings_under_way = 0;
}

/** Whether the client still owes itself the shared secret. */
static bool has_to_agree(const usmp_t *usmp)
{
    const usmp_handshake_t *handshake = &usmp->layer.handshake;
    return usmp->state == USMP_STATE_HANDSHAKE && handshake->state == USMP_WAIT_SESSION_OK && !handshake->agreed;
}

static usmp_error_t handshake_timeout_error(const usmp_t *usmp)
{
    (void)usmp;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) return usmp_datagram_timeout_error(usmp);
#endif
#if USMP_SERIAL
    if (usmp_is_serial(usmp) && usmp->has_proved) return USMP_ERROR_REFUSED;
#endif
    return USMP_ERROR_HANDSHAKE_TIMEOUT;
}

/** What is to be done next, and in how many milliseconds. */
typedef struct deadline {
    uint32_t in;
    enum { NOTHING, GIVE_UP_HANDSHAKE, AGREE, BEGIN_ANEW, END_IDLE, KEEP_ALIVE, GIVE_UP_CLOSING } what;
} deadline_t;

static deadline_t next_deadline(const usmp_t *usmp, uint32_t now)
{
    deadline_t next = {USMP_NEVER, NOTHING};
    deadline_t other = {USMP_NEVER, NOTHING};
    if (usmp->state == USMP_STATE_HANDSHAKE) {
        next = (deadline_t){usmp_due_in(now, usmp->began_at, handshake_timeout(usmp)), GIVE_UP_HANDSHAKE};
        if (has_to_agree(usmp)) other = (deadline_t){0, AGREE};
#if USMP_SERIAL
        else if (usmp_is_serial(usmp) && !usmp->is_server) {
            other = (deadline_t){usmp_serial_begin_anew_in(usmp, now), BEGIN_ANEW};
        }
#endif
    } else if (usmp->state == USMP_STATE_OPEN) {
        next = (deadline_t){idle_in(usmp, now), END_IDLE};
        other = (deadline_t){keepalive_in(usmp, now), KEEP_ALIVE};
    } else if (usmp_lingers(usmp) && !usmp_is_datagram(usmp)) {
        uint32_t taken_in = usmp_due_in(now, usmp->last_sent, USMP_CLOSE_TIMEOUT);
        next = (deadline_t){usmp_earlier(taken_in, usmp_due_in(now, usmp->began_at, USMP_LINGER_LIMIT)), GIVE_UP_CLOSING};
    }
    return other.in < next.in ? other : next;
}

uint32_t usmp_poll_timeout(const usmp_t *usmp, uint32_t now)
{
    uint32_t in = next_deadline(usmp, now).in;
#if USMP_DATAGRAM
    if (usmp->state != USMP_STATE_IDLE && usmp_is_datagram(usmp)) in = usmp_earlier(in, usmp_datagram_poll_timeout(usmp, now));
#endif
    return in;
}

void usmp_handle_timeout(usmp_t *usmp, uint32_t now)
{
    deadline_t next = next_deadline(usmp, now);
    usmp_error_t error = USMP_OK;
    if (next.in == 0) {
        switch (next.what) {
        case GIVE_UP_HANDSHAKE: error = handshake_timeout_error(usmp); break;
        case AGREE: error = usmp_handshake_agree(&usmp->layer.handshake); break;
#if USMP_SERIAL
        case BEGIN_ANEW: error = usmp_serial_begin_anew(usmp, now); break;
#endif
        case END_IDLE: usmp_abandon(usmp, USMP_ERROR_IDLE_TIMEOUT, now); break;
        case KEEP_ALIVE: keep_alive(usmp, now); break;
        default: usmp_handle_end(usmp); break;
        }
        if (error != USMP_OK) usmp_fail(usmp, error);
    }
#if USMP_DATAGRAM
    if (usmp->state != USMP_STATE_IDLE && usmp_is_datagram(usmp)) usmp_datagram_handle_timeout(usmp, now);
#endif
}

/* ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────── */

usmp_error_t usmp_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now)
{
    if (length > USMP_MAX_MESSAGE) return USMP_ERROR_MESSAGE_TOO_LARGE;
    if (usmp->state != USMP_STATE_OPEN) return USMP_ERROR_NOT_CONNECTED;
    /* One number is left for BYE. */
    if (usmp_record_sealable(&usmp->layer.record) <= usmp_frame_count(length)) {
        usmp_close_with(usmp, USMP_ERROR_SEQUENCE_SPENT, now);
        return USMP_ERROR_SEQUENCE_SPENT;
    }
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) return usmp_datagram_send(usmp, message, length, now);
#endif
    return usmp_stream_send(usmp, message, length, now);
}

bool usmp_can_send(const usmp_t *usmp, size_t length)
{
    if (length > USMP_MAX_MESSAGE || usmp->state != USMP_STATE_OPEN) return false;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) return usmp_datagram_can_send(usmp, length);
#endif
    return usmp_stream_has_room(usmp, usmp_frame_count(length), length);
}

usmp_error_t usmp_ping(usmp_t *usmp)
{
    if (usmp->state != USMP_STATE_OPEN) return USMP_ERROR_NOT_CONNECTED;
    usmp->ping_wanted = true;
    return USMP_OK;
}

usmp_error_t usmp_rekey(usmp_t *usmp, bool force)
{
    if (usmp->state != USMP_STATE_OPEN) return USMP_ERROR_NOT_CONNECTED;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) {
        if (!force && usmp_datagram_rekey_is_unsafe(usmp)) return USMP_ERROR_REKEY_UNSAFE;
        if (!usmp->rekey_is_ours) usmp->datagram.rekey_forced |= force;
    }
#endif
    (void)force;
    if (!usmp->rekey_is_ours) usmp->rekey_wanted = true;
    return USMP_OK;
}

void usmp_close(usmp_t *usmp, uint32_t now)
{
    usmp_close_with(usmp, USMP_ERROR_CLOSED, now);
}

static void set_closed(usmp_t *usmp, usmp_error_t error)
{
    usmp->state = USMP_STATE_CLOSED;
    usmp->error = (uint8_t)error;
#if USMP_SERVER
    /* Nobody waits for the answer any more. */
    usmp->events &= (uint8_t)~(1u << USMP_EVENT_KEYS_WANTED);
#endif
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp) && usmp_datagram_ending(usmp)) return;
#endif
    usmp_emit(usmp, USMP_EVENT_CLOSED);
}

USMP_INTERNAL void usmp_close_with(usmp_t *usmp, usmp_error_t error, uint32_t now)
{
    if (usmp->state == USMP_STATE_IDLE || usmp->state == USMP_STATE_CLOSED) return;
    if (usmp->state == USMP_STATE_HANDSHAKE || usmp_record_sealable(&usmp->layer.record) == 0) {
        usmp_fail(usmp, error);
        return;
    }
    set_closed(usmp, error);
    usmp->bye_wanted = true;
    usmp->began_at = usmp->last_sent = now;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) usmp_datagram_close(usmp, now);
#endif
}

/* ── Output ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool usmp_poll_event(usmp_t *usmp, usmp_event_t *event)
{
    unsigned type = 0;
#if USMP_DATAGRAM
    if (usmp->events == 0 && usmp->state >= USMP_STATE_OPEN && usmp_is_datagram(usmp)) usmp_datagram_deliver(usmp, usmp->last_heard);
#endif
    if (usmp->events == 0) return false;
    while ((usmp->events >> type & 1) == 0) type++;
    usmp->events &= (uint8_t)~(1u << type);
    event->type = (usmp_event_type_t)type;
    event->data = usmp->rx;
    event->length = usmp->message_length;
    event->rtt = usmp->rtt;
    event->error = (usmp_error_t)usmp->error;
    if (type == USMP_EVENT_OPEN) {
        event->data = usmp->layer.record.session_id;
        event->length = USMP_SESSION_ID_LENGTH;
    }
#if USMP_SERVER
    event->index = usmp->key_index;
    if (type == USMP_EVENT_KEYS_WANTED) {
        event->data = usmp->layer.handshake.device_id;
        event->length = USMP_DEVICE_ID_LENGTH;
    }
#endif
    return true;
}

USMP_INTERNAL uint8_t *usmp_reserve(usmp_t *usmp, size_t size)
{
    size_t lead = usmp_is_serial(usmp) ? USMP_COBS_LEAD : 0;
    size_t room = size + (usmp_is_serial(usmp) ? USMP_COBS_OVERHEAD : 0);
    if (usmp->tx_start == usmp->tx_end) usmp->tx_start = usmp->tx_end = 0;
    return usmp->tx_end + room <= sizeof usmp->tx ? usmp->tx + usmp->tx_end + lead : NULL;
}

USMP_INTERNAL void usmp_commit(usmp_t *usmp, size_t size)
{
#if USMP_SERIAL
    if (usmp_is_serial(usmp)) size = usmp_cobs_encode(usmp->tx + usmp->tx_end, size);
#endif
    usmp->tx_end = (uint16_t)(usmp->tx_end + size);
}

USMP_INTERNAL void usmp_discard_output(usmp_t *usmp)
{
    usmp->tx_start = usmp->tx_end = 0;
}

const uint8_t *usmp_poll_transmit(usmp_t *usmp, uint32_t now, size_t *length)
{
    *length = 0;
    if (usmp->state == USMP_STATE_IDLE) return NULL;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) return usmp_datagram_poll_transmit(usmp, now, length);
#endif
    /* Over a line without flow control nothing may come in while the secret is computed (§3.2). */
    if (usmp_is_serial(usmp) && has_to_agree(usmp)) return NULL;
    if (usmp->has_record) usmp_stream_seal_controls(usmp, now);
    *length = (size_t)(usmp->tx_end - usmp->tx_start);
    return *length > 0 ? usmp->tx + usmp->tx_start : NULL;
}

void usmp_transmitted(usmp_t *usmp, size_t length, uint32_t now)
{
#if USMP_DATAGRAM
    if (usmp->state != USMP_STATE_IDLE && usmp_is_datagram(usmp)) {
        usmp_datagram_transmitted(usmp, now);
        return;
    }
#endif
    size_t waiting = (size_t)(usmp->tx_end - usmp->tx_start);
    usmp->tx_start = (uint16_t)(usmp->tx_start + (length < waiting ? length : waiting));
    if (usmp->state == USMP_STATE_OPEN || length == 0) return;
    /* The clock may have gone on for seconds while keys were computed; and a line that is slow gets its time for the end. */
    usmp->last_sent = now;
#if USMP_SERIAL
    usmp->has_proved |= usmp->state == USMP_STATE_HANDSHAKE && usmp->layer.handshake.state == USMP_WAIT_SESSION_OK;
#endif
}

/* ── State ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

usmp_state_t usmp_state(const usmp_t *usmp)
{
    return (usmp_state_t)usmp->state;
}

#if USMP_SERVER
const uint8_t *usmp_device_id(const usmp_t *usmp)
{
    return usmp->authenticated ? usmp->device_id : NULL;
}
#endif

size_t usmp_pending_transmit(const usmp_t *usmp)
{
#if USMP_DATAGRAM
    if (usmp->state != USMP_STATE_IDLE && usmp_is_datagram(usmp)) return usmp_datagram_pending(usmp);
#endif
    return (size_t)(usmp->tx_end - usmp->tx_start);
}

bool usmp_lingers(const usmp_t *usmp)
{
    if (usmp->state != USMP_STATE_CLOSED) return false;
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) return usmp_datagram_lingers(usmp);
#endif
    return usmp->bye_wanted || usmp->tx_start != usmp->tx_end;
}

/* ── Handshake and session ───────────────────────────────────────────────────────────────────────────────────────── */

USMP_INTERNAL usmp_error_t usmp_open_if_done(usmp_t *usmp, uint32_t now)
{
    uint8_t keys[USMP_TRAFFIC_KEYS_LENGTH];
    uint8_t session_id[USMP_SESSION_ID_LENGTH];
    const usmp_handshake_t *handshake = &usmp->layer.handshake;
    if (handshake->state != USMP_HANDSHAKE_DONE) return USMP_OK;
    memcpy(keys, handshake->keys, sizeof keys);
    memcpy(session_id, handshake->session_id, sizeof session_id);
#if USMP_SERVER
    usmp->key_index = handshake->key_index;
    usmp->authenticated = usmp->is_server;
    memcpy(usmp->device_id, handshake->device_id, sizeof usmp->device_id);
#endif
    usmp_wipe_layer(usmp);
    usmp->has_record = true;
    bool begun = usmp_record_begin(&usmp->layer.record, session_id, keys);
    usmp_crypto_wipe(keys, sizeof keys);
    if (!begun) return USMP_ERROR_CRYPTO_FAILED;
    usmp->state = USMP_STATE_OPEN;
    usmp->last_sent = usmp->last_heard = usmp->last_ping = now;
    usmp_emit(usmp, USMP_EVENT_OPEN);
    return USMP_OK;
}

USMP_INTERNAL void usmp_heard(usmp_t *usmp, uint32_t now)
{
    usmp->last_heard = now;
    usmp->probe_unanswered = false;
}

USMP_INTERNAL usmp_error_t usmp_on_part(usmp_t *usmp, const uint8_t *text, size_t length, bool last)
{
    usmp_message_t *message = &usmp->message;
    usmp_error_t error = usmp_message_add(message, usmp->rx, text, length, last);
    if (error != USMP_OK || !last) return error;
    usmp_emit(usmp, message->overlong ? USMP_EVENT_MESSAGE_DROPPED : USMP_EVENT_MESSAGE);
    usmp->message_length = message->length;
    (void)usmp_message_drop(message);
    return USMP_OK;
}

USMP_INTERNAL usmp_error_t usmp_check_control(uint8_t type, size_t length)
{
    return length == (type == USMP_REKEY ? USMP_REKEY_SALT_LENGTH : 0) ? USMP_OK : USMP_ERROR_BAD_LENGTH;
}

USMP_INTERNAL void usmp_on_ping_pong(usmp_t *usmp, uint8_t type, uint32_t now)
{
    if (type == USMP_PING) {
        if (usmp->pongs_owed < USMP_MAX_PONGS_OWED) usmp->pongs_owed++;
    } else if (usmp->pings_under_way > 0) {
        usmp->pings_under_way--;
        /* The last of those under way was sent at that time; when the others were, nobody has kept. */
        bool known = usmp->pings_under_way == 0 && usmp->pings_counted;
        usmp->rtt = known ? now - usmp->ping_sent_at : USMP_NEVER;
        usmp_emit(usmp, USMP_EVENT_PONG);
    }
}

/** A peer may leave PINGs unanswered (§6.1), so none of them is waited for. */
USMP_INTERNAL void usmp_on_ping_sealed(usmp_t *usmp, uint32_t now)
{
    usmp->ping_wanted = false;
    usmp->ping_sent_at = now;
    if (usmp->pings_under_way == 0) usmp->pings_counted = true;
    if (usmp->pings_under_way == USMP_MAX_PINGS_UNDER_WAY) usmp->pings_counted = false;
    else usmp->pings_under_way++;
}

USMP_INTERNAL void usmp_on_rekeyed(usmp_t *usmp)
{
    usmp->rekey_is_ours = false;
    usmp_emit(usmp, USMP_EVENT_REKEYED);
}

/** A message of the peer may go on under its new key (§7.2), but no REKEY of the peer stands inside it (§5). */
USMP_INTERNAL usmp_error_t usmp_on_rekey(usmp_t *usmp, uint8_t *salt)
{
    bool done = usmp_record_rekey(&usmp->layer.record, USMP_REKEY_RESPONDER, salt, usmp_is_datagram(usmp));
    usmp_crypto_wipe(salt, USMP_REKEY_SALT_LENGTH);
    return done ? USMP_OK : USMP_ERROR_CRYPTO_FAILED;
}

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

USMP_INTERNAL void usmp_wipe_layer(usmp_t *usmp)
{
    if (usmp->has_record) usmp_record_wipe(&usmp->layer.record);
    else usmp_crypto_wipe(&usmp->layer, sizeof usmp->layer);
    usmp->has_record = false;
}

USMP_INTERNAL void usmp_fail(usmp_t *usmp, usmp_error_t error)
{
    if (usmp->state != USMP_STATE_CLOSED) set_closed(usmp, error);
#if USMP_DATAGRAM
    if (usmp_is_datagram(usmp)) {
        usmp_datagram_finish(usmp);
        return;
    }
#endif
    usmp->bye_wanted = false;
    usmp_discard_output(usmp);
    usmp_wipe_layer(usmp);
}

USMP_INTERNAL void usmp_abandon(usmp_t *usmp, usmp_error_t error, uint32_t now)
{
    /* Where cryptography fails, the keys may be half changed: nothing must be sealed any more. */
    if (usmp_is_serial(usmp) && error != USMP_ERROR_CRYPTO_FAILED) usmp_close_with(usmp, error, now);
    else usmp_fail(usmp, error);
}
