/**
 * A connection over datagrams, which may be lost, repeated, reordered, damaged and forged (spec/protocol.md §9). What does not
 * authenticate is dropped and has no effect; what does is acknowledged, and delivered once and in order.
 */
#include <string.h>

#include "usmp/bytes.h"
#include "usmp/connection.h"
#include "usmp/frame.h"
#include "usmp/utack.h"

#if USMP_DATAGRAM

/** What `usmp_poll_transmit` has given. */
enum { GIVEN_NOTHING, GIVEN_UTACK, GIVEN_FLIGHT, GIVEN_FRAME };

/** Every so many repeats a HELLO asks for another cookie: the one it has may be old, or forged. */
#define ASK_AGAIN_EVERY 3u

/** After BYE of the peer: its frame, and behind it the UTACK, at the beginning of `tx`. */
#define FAREWELL_BYE(usmp) ((usmp)->tx)
#define FAREWELL_UTACK(usmp) ((usmp)->tx + USMP_RECORD_OVERHEAD)

/* ── Acknowledgements ────────────────────────────────────────────────────────────────────────────────────────────── */

static uint8_t *new_utack(usmp_datagram_t *datagram, uint8_t type, uint32_t seq, size_t length)
{
    unsigned slot = datagram->utack_lengths[0] == 0 ? 0 : 1;
    datagram->utack_lengths[slot] = (uint8_t)length;
    usmp_utack_write(datagram->utacks[slot], type, seq);
    return datagram->utacks[slot];
}

static void acknowledge_handshake(usmp_t *usmp, const uint8_t *frame)
{
    (void)new_utack(&usmp->datagram, frame[3], usmp_load32(frame + 4), USMP_UTACK_HEADER_LENGTH);
}

static uint8_t *utack_of(usmp_t *usmp, uint8_t type, uint32_t seq, bool under_old_key)
{
    uint8_t *utack = new_utack(&usmp->datagram, type, seq, USMP_UTACK_LENGTH);
    /* Where it fails, the UTACK is worthless, and the peer repeats its frame. */
    if (!usmp_record_utack_mac(&usmp->layer.record, utack + USMP_UTACK_HEADER_LENGTH, utack, under_old_key)) {
        memset(utack + USMP_UTACK_HEADER_LENGTH, 0, USMP_UTACK_MAC_LENGTH);
    }
    return utack;
}

/** A released responder checks with the new key as soon as it has read REKEY, hence the second one (§9.5). */
static const uint8_t *acknowledge(usmp_t *usmp, uint8_t type, uint32_t seq, usmp_opened_t opened)
{
    const uint8_t *utack = utack_of(usmp, type, seq, opened.under_old_key);
    if (opened.under_old_key && usmp->layer.record.before == USMP_BEFORE_NEW_FRAMES) (void)utack_of(usmp, type, seq, false);
    return utack;
}

/* ── Flight: handshake frames ────────────────────────────────────────────────────────────────────────────────────── */

/** The frame of `size` bytes in `flight` goes out, and is repeated until it has done its work. */
USMP_INTERNAL void usmp_datagram_fly(usmp_t *usmp, size_t size, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    datagram->flight_length = (uint8_t)size;
    datagram->flight_attempts = 0;
    datagram->flight_acknowledged = datagram->flight_sent = false;
    datagram->flying = datagram->flight_due = true;
    datagram->flight_sent_at = datagram->flight_first_sent_at = now;
}

USMP_INTERNAL void usmp_datagram_begin(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    usmp_round_trip_begin(&datagram->trip);
    datagram->window.size = 1;
    if (usmp->is_server) return;
    const uint8_t *device_id = usmp->settings->device_id;
    usmp_datagram_fly(usmp, usmp_handshake_hello(&usmp->layer.handshake, device_id, NULL, datagram->flight), now);
}

static uint32_t flight_due_in(const usmp_datagram_t *datagram, uint32_t now)
{
    uint32_t wait = usmp_round_trip_timeout(&datagram->trip, datagram->flight_attempts, USMP_MAX_HANDSHAKE_RTO);
    uint32_t repeat_in = usmp_due_in(now, datagram->flight_sent_at, wait);
    if (!datagram->flying) return USMP_NEVER;
    /* A session that nobody has heard of is given up in time, however often it is asked for. */
    if (datagram->flight[3] != USMP_SESSION_OK) return repeat_in;
    return usmp_earlier(repeat_in, usmp_due_in(now, datagram->flight_first_sent_at, USMP_DELIVERY_TIMEOUT));
}

/** A client goes on although its frame was acknowledged, because the answer may be lost (§9.3). */
static void repeat_flight(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    bool is_answer = datagram->flight[3] == USMP_SESSION_OK;
    if (is_answer && usmp_due_in(now, datagram->flight_first_sent_at, USMP_DELIVERY_TIMEOUT) == 0) {
        usmp_fail(usmp, USMP_ERROR_NOT_ACKNOWLEDGED);
        return;
    }
    if (datagram->flight_attempts < UINT8_MAX) datagram->flight_attempts++;
    datagram->flight_sent_at = now;
    datagram->flight_due = true;
    if (datagram->has_cookie && usmp->state == USMP_STATE_HANDSHAKE && datagram->flight[3] == USMP_HELLO) {
        bool asks_again = datagram->flight_attempts % ASK_AGAIN_EVERY == 0;
        datagram->flight_length =
            (uint8_t)usmp_handshake_hello(&usmp->layer.handshake, usmp->settings->device_id,
                                          asks_again ? NULL : datagram->cookie, datagram->flight);
    }
}

static void on_flight_acknowledged(usmp_datagram_t *datagram, bool is_server, uint32_t now)
{
    datagram->heard = true;
    if (datagram->flight_attempts == 0 && !datagram->flight_acknowledged) {
        usmp_round_trip_measure(&datagram->trip, now - datagram->flight_sent_at);
    }
    datagram->flight_acknowledged = true;
    if (is_server) datagram->flying = false;
}

/* ── Handshake ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Nothing but the checksum shows damage before it is too late to take a good repeat. But peers need not fill it in (§3.1): what
 * comes twice in the same way is as it was sent (§9.3). Sixteen bits tell damaged frames apart well enough.
 */
static bool is_doubtful(usmp_datagram_t *datagram, const uint8_t *frame, size_t size)
{
    if (usmp_frame_checksum_fits(frame)) return false;
    uint16_t digest = usmp_crc16(frame, size, 0);
    if (datagram->has_doubtful && digest == datagram->doubtful) return false;
    datagram->has_doubtful = true;
    datagram->doubtful = digest;
    return true;
}

/** Without regard to the content, which the handshake has judged when it came first (§9.3). */
static bool is_repeat(const usmp_t *usmp, uint8_t type)
{
    uint8_t state = usmp->has_record ? USMP_HANDSHAKE_DONE : usmp->layer.handshake.state;
    if (!usmp->is_server) {
        if (type == USMP_CHALLENGE) return state != USMP_WAIT_CHALLENGE;
        return type == USMP_SESSION_OK && state == USMP_HANDSHAKE_DONE;
    }
    if (type == USMP_HELLO) return state != USMP_WAIT_HELLO;
    return type == USMP_HELLO_ACK && (state == USMP_WAIT_KEYS || state == USMP_HANDSHAKE_DONE);
}

/** The answer may have been lost although its UTACK was not: anybody can make that. */
static void answer_again(usmp_datagram_t *datagram, const uint8_t *frame, size_t size)
{
    uint8_t answer = datagram->flight_length == 0 ? 0 : datagram->flight[3];
    bool asks_for_challenge = frame[3] == USMP_HELLO;
    bool same_proof = frame[3] == USMP_HELLO_ACK && size == USMP_HEADER_LENGTH + USMP_MAC_LENGTH &&
                      usmp_load32(USMP_PAYLOAD(frame)) == datagram->hello_ack_tag;
    if (asks_for_challenge && answer == USMP_CHALLENGE) datagram->flight_due = true;
    if (same_proof && answer == USMP_SESSION_OK) datagram->flight_due = true;
}

/** A cookie that differs from the last replaces it, so that a forged one does no harm (§9.2). */
static void on_hello_retry(usmp_t *usmp, const uint8_t *frame, size_t size, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    const uint8_t *cookie = USMP_PAYLOAD(frame);
    if (usmp->is_server || size != USMP_HEADER_LENGTH + USMP_COOKIE_LENGTH) return;
    datagram->heard = true;
    acknowledge_handshake(usmp, frame);
    if (usmp->state != USMP_STATE_HANDSHAKE || usmp->layer.handshake.state != USMP_WAIT_CHALLENGE) return;
    if (datagram->has_cookie && memcmp(cookie, datagram->cookie, USMP_COOKIE_LENGTH) == 0) return;
    memcpy(datagram->cookie, cookie, USMP_COOKIE_LENGTH);
    datagram->has_cookie = true;
    size_t length = usmp_handshake_hello(&usmp->layer.handshake, usmp->settings->device_id, cookie, datagram->flight);
    if (datagram->cookies_tried < USMP_MAX_COOKIES_TRIED) {
        datagram->cookies_tried++;
        usmp_datagram_fly(usmp, length, now);
    } else {
        datagram->flight_length = (uint8_t)length;
    }
}

static void take_handshake_frame(usmp_t *usmp, const uint8_t *frame, size_t size, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    usmp_handshake_t *handshake = &usmp->layer.handshake;
    uint8_t type = frame[3];
    usmp_error_t error = usmp_handshake_handle_frame(handshake, usmp->settings, frame, size, datagram->flight);
    if (error == USMP_OK) {
        datagram->heard = true;
        datagram->flying = datagram->flight_due = false;
        if (type == USMP_HELLO_ACK) datagram->hello_ack_tag = usmp_load32(USMP_PAYLOAD(frame));
        acknowledge_handshake(usmp, frame);
        if (handshake->reply_length > 0) usmp_datagram_fly(usmp, handshake->reply_length, now);
#if USMP_SERVER
        if (type == USMP_HELLO) usmp_emit(usmp, USMP_EVENT_KEYS_WANTED);
#endif
        error = usmp_open_if_done(usmp, now);
    }
    if (error != USMP_OK) usmp_fail(usmp, error);
}

static void handle_handshake_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    if (usmp->state == USMP_STATE_CLOSED || is_doubtful(&usmp->datagram, frame, size)) return;
    if (frame[3] == USMP_HELLO_RETRY) {
        on_hello_retry(usmp, frame, size, now);
        return;
    }
    /* Whether the cookie of a HELLO is right was judged before (§9.2). */
    if (usmp->is_server && frame[3] == USMP_HELLO && size == USMP_HEADER_LENGTH + USMP_HELLO_LENGTH + USMP_COOKIE_LENGTH) {
        size -= USMP_COOKIE_LENGTH;
    }
    if (usmp->state == USMP_STATE_HANDSHAKE && usmp_handshake_expects(&usmp->layer.handshake, frame, size)) {
        take_handshake_frame(usmp, frame, size, now);
    } else if (is_repeat(usmp, frame[3])) {
        acknowledge_handshake(usmp, frame);
        if (usmp->is_server) answer_again(&usmp->datagram, frame, size);
    }
}

USMP_INTERNAL usmp_error_t usmp_datagram_timeout_error(const usmp_t *usmp)
{
    if (usmp->is_server) return USMP_ERROR_HANDSHAKE_TIMEOUT;
    if (usmp->layer.handshake.state == USMP_WAIT_SESSION_OK) return USMP_ERROR_REFUSED;
    return usmp->datagram.has_cookie ? USMP_ERROR_TURNED_AWAY : USMP_ERROR_HANDSHAKE_TIMEOUT;
}

/* ── Session: what has been sent ─────────────────────────────────────────────────────────────────────────────────── */

/** Takes the bytes of an acknowledged frame out of `tx`. */
static void remove_frame(usmp_t *usmp, unsigned index, uint32_t now)
{
    usmp_window_t *window = &usmp->datagram.window;
    size_t length = window->frames[index].length;
    uint8_t *frame = usmp->tx + usmp_window_offset(window, index);
    memmove(frame, frame + length, (size_t)(usmp->tx + usmp->tx_end - (frame + length)));
    usmp->tx_end = (uint16_t)(usmp->tx_end - length);
    usmp_window_acknowledge(window, index, &usmp->datagram.trip, now);
}

/** A peer that goes on taking what was sent before BYE gets the time for it. */
static void prolong_linger(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (!datagram->lingers || !usmp->bye_wanted) return;
    datagram->linger_since = now;
    datagram->linger_for = usmp_earlier(USMP_DELIVERY_TIMEOUT + USMP_BYE_TIMEOUT,
                                        usmp_due_in(now, usmp->began_at, USMP_LINGER_LIMIT));
}

static void handle_utack(usmp_t *usmp, const uint8_t *utack, size_t length, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (!usmp_utack_fits(utack, length)) return;
    uint8_t type = utack[2];
    uint32_t seq = usmp_load32(utack + 3);
    if (usmp_is_handshake_type(type)) {
        bool ours = datagram->flying && datagram->flight[3] == type && usmp_load32(datagram->flight + 4) == seq;
        if (ours) on_flight_acknowledged(datagram, usmp->is_server, now);
        return;
    }
    if (!usmp->has_record) return;
    unsigned index = usmp_window_find(&datagram->window, type, seq);
    if (index == datagram->window.count) return;
    if (!usmp_record_verify_utack(&usmp->layer.record, utack + USMP_UTACK_HEADER_LENGTH, utack)) return;
    usmp_heard(usmp, now);
    remove_frame(usmp, index, now);
    if (type == USMP_REKEY) usmp_record_rekey_acknowledged(&usmp->layer.record);
    if (type == USMP_BYE) usmp_datagram_finish(usmp);
    else prolong_linger(usmp, now);
}

/* ── Session: receiving ──────────────────────────────────────────────────────────────────────────────────────────── */

/** A message was lost. Nobody wants to know once the end has been told. */
static void tell_loss(usmp_t *usmp)
{
    if (usmp->state == USMP_STATE_OPEN || usmp->datagram.closed_pending) usmp_emit(usmp, USMP_EVENT_MESSAGE_DROPPED);
}

static void drop_parts(usmp_t *usmp)
{
    if (usmp_message_drop(&usmp->message)) tell_loss(usmp);
}

/** What opens and then breaks a rule costs the unfinished message, not the session (§9.4). Of REKEY and BYE, only what is none comes here. */
static void deliver(usmp_t *usmp, uint8_t type, const uint8_t *text, size_t length, uint32_t now)
{
    if (type == USMP_DATA || type == USMP_DATA_FRAG) {
        if (usmp_on_part(usmp, text, length, type == USMP_DATA) == USMP_OK) return;
        /* More parts than a message has: the whole is dropped when its end has come. */
        usmp->message.parts = USMP_MAX_PARTS - 1;
        usmp->message.length = 0;
        usmp->message.overlong = true;
        return;
    }
    drop_parts(usmp);
    if (usmp_check_control(type, length) == USMP_OK) usmp_on_ping_pong(usmp, type, now);
}

static usmp_held_t *free_slot(usmp_datagram_t *datagram)
{
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) {
        if (!datagram->held[i].used) return &datagram->held[i];
    }
    return NULL;
}

/** The held frame with the lowest number under one of the keys, or null. */
static usmp_held_t *lowest_held(usmp_datagram_t *datagram, bool under_old_key)
{
    usmp_held_t *lowest = NULL;
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) {
        usmp_held_t *held = &datagram->held[i];
        if (!held->used || held->under_old_key != under_old_key) continue;
        if (lowest == NULL || held->seq < lowest->seq) lowest = held;
    }
    return lowest;
}

static bool holds_any(const usmp_datagram_t *datagram)
{
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) {
        if (datagram->held[i].used) return true;
    }
    return false;
}

static usmp_replay_t *filter_of(usmp_record_t *record, bool under_old_key)
{
    return under_old_key ? &record->filter_before : &record->filter;
}

/** Nothing that is missing in front of what is held under this key will come. */
static void flush(usmp_t *usmp, bool under_old_key)
{
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) {
        usmp_held_t *held = &usmp->datagram.held[i];
        if (held->used && held->under_old_key == under_old_key) held->flushed = true;
    }
    usmp->datagram.flush_next = filter_of(&usmp->layer.record, under_old_key)->next;
}

/** Gives up the numbers below `first`. */
static void skip_gap(usmp_t *usmp, usmp_replay_t *filter, uint32_t first)
{
    filter->next = first;
    (void)usmp_message_drop(&usmp->message);
    tell_loss(usmp);
}

/** The held frame whose turn it is, or null. */
static usmp_held_t *next_held(usmp_t *usmp)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    for (unsigned old = 2; old-- > 0;) {
        usmp_held_t *held = lowest_held(datagram, old == 1);
        if (held == NULL) continue;
        if (held->flushed) {
            if (held->seq != datagram->flush_next) drop_parts(usmp);
            datagram->flush_next = held->seq + 1;
            return held;
        }
        usmp_replay_t *filter = filter_of(&usmp->layer.record, old == 1);
        uint32_t start = usmp_replay_start(filter);
        if (filter->next < start) skip_gap(usmp, filter, usmp_earlier(start, held->seq));
        if (held->seq != filter->next) continue;
        filter->next++;
        return held;
    }
    return NULL;
}

/** When the oldest of the frames held behind a gap has come. */
static void renew_gap(usmp_datagram_t *datagram, uint32_t now)
{
    uint32_t longest = 0;
    datagram->gap = false;
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) {
        if (!datagram->held[i].used) continue;
        uint32_t waiting = now - datagram->held[i].arrived_at;
        if (waiting > longest) longest = waiting;
        datagram->gap = true;
    }
    datagram->gap_since = now - longest;
}

/** Delivers what is held and has its turn, up to the next thing to tell. */
USMP_INTERNAL void usmp_datagram_deliver(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    while (usmp->events == 0) {
        usmp_held_t *held = next_held(usmp);
        if (held == NULL) break;
        held->used = false;
        renew_gap(datagram, now);
        deliver(usmp, held->type, held->text, held->length, now);
        usmp_crypto_wipe(held->text, sizeof held->text);
    }
    if (usmp->events == 0 && datagram->closed_pending) {
        datagram->closed_pending = false;
        usmp_emit(usmp, USMP_EVENT_CLOSED);
    }
}

/** Not while frames of ours are under way or a message is half sent; what is new has to wait for it then (§9.5). */
static bool may_take_rekey(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (datagram->window.count == 0 || usmp_window_awaits_only(&datagram->window, USMP_REKEY)) return true;
    datagram->held_back = true;
    datagram->held_back_since = now;
    return false;
}

/** The client has SESSION_OK (§9.3). */
static void on_first_frame(usmp_datagram_t *datagram)
{
    datagram->flying = datagram->flight_due = false;
    datagram->flight_length = 0;
}

/** Keeps BYE and its UTACK, which is already on its way, to answer repeats, and ends. */
static void on_bye(usmp_t *usmp, const uint8_t *frame, const uint8_t *utack)
{
    usmp_fail(usmp, USMP_ERROR_BYE);
    memcpy(FAREWELL_BYE(usmp), frame, USMP_RECORD_OVERHEAD);
    memcpy(FAREWELL_UTACK(usmp), utack, USMP_UTACK_LENGTH);
    usmp->datagram.farewell = true;
}

/** Takes the number of the frame as the next one to deliver, or holds the frame. @return whether it can be taken at all */
static bool find_place(usmp_t *usmp, const uint8_t *frame, size_t length, usmp_opened_t opened, uint32_t now, bool *in_turn)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    usmp_replay_t *filter = filter_of(&usmp->layer.record, opened.under_old_key);
    uint32_t seq = usmp_load32(frame + 4);
    *in_turn = seq == filter->next;
    if (*in_turn) {
        filter->next++;
        renew_gap(datagram, now);
        return true;
    }
    /* For whom there was no room waits no longer than the others. */
    bool expired = datagram->gap && usmp_due_in(now, datagram->gap_since, USMP_GAP_TIMEOUT) == 0;
    if (expired && lowest_held(datagram, opened.under_old_key) == NULL) {
        skip_gap(usmp, filter, seq + 1);
        datagram->gap = false;
        *in_turn = true;
        return true;
    }
    if (!datagram->gap) {
        datagram->gap = true;
        datagram->gap_since = now;
    }
    usmp_held_t *held = free_slot(datagram);
    if (held == NULL) return false;
    held->used = true;
    held->flushed = false;
    held->under_old_key = opened.under_old_key;
    held->seq = seq;
    held->type = frame[3];
    held->arrived_at = now;
    held->length = (uint16_t)length;
    memcpy(held->text, USMP_TEXT(frame), length);
    return true;
}

static void handle_session_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    usmp_record_t *record = &usmp->layer.record;
    uint8_t type = frame[3];
    uint32_t seq = usmp_load32(frame + 4);
    usmp_opened_t opened;
    bool in_turn = true;
    if (!usmp_frame_checksum_fits(frame) || !usmp_record_authenticate(record, frame, size, &opened)) return;
    if (opened.repeat) {
        (void)acknowledge(usmp, type, seq, opened);
        return;
    }
    size_t length = size - USMP_RECORD_OVERHEAD;
    usmp_heard(usmp, now);
    on_first_frame(datagram);
    /* One of a wrong length is delivered like any other, and dropped when it has its turn. */
    bool valid = usmp_check_control(type, length) == USMP_OK;
    bool rekeys = valid && type == USMP_REKEY;
    bool ends = valid && type == USMP_BYE;
    if (datagram->lingers && !ends && !usmp_window_awaits_only(&datagram->window, USMP_REKEY)) return;
    if (rekeys && !may_take_rekey(usmp, now)) return;
    bool control = rekeys || ends;
    if (!opened.under_old_key && record->before == USMP_BEFORE_NEW_FRAMES) {
        /* The peer has our REKEY, and what is missing under the old key will not come. */
        if (usmp_window_awaits_only(&datagram->window, USMP_REKEY)) {
            remove_frame(usmp, 0, now);
            usmp_record_rekey_acknowledged(record);
        }
        if (lowest_held(datagram, true) != NULL) {
            flush(usmp, true);
            return;
        }
    }
    if (rekeys && lowest_held(datagram, opened.under_old_key) != NULL) {
        /* What is missing in front of REKEY was given up by its sender. It is taken when it comes again. */
        flush(usmp, opened.under_old_key);
        return;
    }
    if (!control && usmp->state == USMP_STATE_OPEN && !find_place(usmp, frame, length, opened, now, &in_turn)) return;
    bool rekeying = !record->rekey_complete;
    usmp_record_confirm(record, seq, opened);
    const uint8_t *utack = acknowledge(usmp, type, seq, opened);
    if (rekeying && record->rekey_complete && usmp->state == USMP_STATE_OPEN) usmp_on_rekeyed(usmp);

    if (!control) {
        if (in_turn && usmp->state == USMP_STATE_OPEN) deliver(usmp, type, USMP_TEXT(frame), length, now);
        return;
    }
    if (ends) {
        on_bye(usmp, frame, utack);
        return;
    }
    drop_parts(usmp);
    datagram->held_back = datagram->gap = false;
    if (usmp_on_rekey(usmp, USMP_TEXT(frame)) != USMP_OK) usmp_fail(usmp, USMP_ERROR_CRYPTO_FAILED);
}

/** Whoever has taken BYE goes on answering its repeats, by the same UTACK (§9.3). */
static void answer_farewell(usmp_t *usmp, const uint8_t *bytes, size_t length)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (!datagram->farewell || length != USMP_RECORD_OVERHEAD) return;
    if (memcmp(bytes, FAREWELL_BYE(usmp), length) != 0) return;
    memcpy(datagram->utacks[0], FAREWELL_UTACK(usmp), USMP_UTACK_LENGTH);
    datagram->utack_lengths[0] = USMP_UTACK_LENGTH;
}

/** @return whether it was taken, or is not worth being handed in again */
USMP_INTERNAL bool usmp_datagram_input(usmp_t *usmp, uint8_t *bytes, size_t length, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    size_t size;
    if (usmp->state == USMP_STATE_CLOSED && !datagram->lingers) {
        answer_farewell(usmp, bytes, length);
        return true;
    }
    if (usmp_utack_is(bytes, length)) {
        handle_utack(usmp, bytes, length, now);
        return true;
    }
    if (length < USMP_HEADER_LENGTH || usmp_frame_measure(bytes, length, &size) != USMP_OK || size != length) return true;
    usmp_datagram_deliver(usmp, now);
    if (usmp->events != 0 || datagram->utack_lengths[0] > 0) return false;
    if (usmp_is_handshake_type(bytes[3])) handle_handshake_frame(usmp, bytes, length, now);
    else if (usmp->has_record) handle_session_frame(usmp, bytes, length, now);
    return true;
}

/* ── Session: sending ────────────────────────────────────────────────────────────────────────────────────────────── */

/** Whether new frames have to wait: for SESSION_OK, for a REKEY of ours or of the peer. */
static bool is_held_back(const usmp_t *usmp)
{
    const usmp_datagram_t *datagram = &usmp->datagram;
    if (datagram->flying) return true;
    if (usmp->state != USMP_STATE_OPEN) return false;
    return datagram->held_back || (usmp->rekey_wanted && usmp->layer.record.rekey_complete) ||
           usmp_window_awaits_only(&datagram->window, USMP_REKEY);
}

/** @param frames how many, of `length` bytes of plaintext in all */
static bool has_room(const usmp_t *usmp, size_t frames, size_t length)
{
    return usmp->datagram.window.count + frames <= USMP_WINDOW_FRAMES &&
           usmp->tx_end + length + frames * USMP_RECORD_OVERHEAD <= sizeof usmp->tx;
}

USMP_INTERNAL bool usmp_datagram_can_send(const usmp_t *usmp, size_t length)
{
    return !is_held_back(usmp) && has_room(usmp, usmp_frame_count(length), length);
}

/** Seals a frame into `tx`, behind what waits there. */
static bool seal_into_window(usmp_t *usmp, uint8_t type, const uint8_t *plaintext, size_t length, bool alone, uint32_t now)
{
    usmp_record_t *record = &usmp->layer.record;
    uint32_t seq = record->tx_seq;
    usmp_error_t error = usmp_record_seal(record, type, plaintext, length, usmp->tx + usmp->tx_end);
    if (error != USMP_OK) {
        usmp_fail(usmp, error);
        return false;
    }
    usmp->tx_end = (uint16_t)(usmp->tx_end + length + USMP_RECORD_OVERHEAD);
    usmp_window_add(&usmp->datagram.window, type, seq, length + USMP_RECORD_OVERHEAD, alone);
    usmp->last_sent = now;
    return true;
}

/** Parts of a message fly alone: released peers put them together only in order (§13). */
USMP_INTERNAL usmp_error_t usmp_datagram_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now)
{
    bool alone = length > USMP_MAX_PLAINTEXT;
    if (!usmp_datagram_can_send(usmp, length)) return USMP_ERROR_BUSY;
    for (; length > USMP_MAX_PLAINTEXT; length -= USMP_MAX_PLAINTEXT, message += USMP_MAX_PLAINTEXT) {
        if (!seal_into_window(usmp, USMP_DATA_FRAG, message, USMP_MAX_PLAINTEXT, alone, now)) return USMP_ERROR_CRYPTO_FAILED;
    }
    return seal_into_window(usmp, USMP_DATA, message, length, alone, now) ? USMP_OK : USMP_ERROR_CRYPTO_FAILED;
}

USMP_INTERNAL bool usmp_datagram_rekey_is_unsafe(const usmp_t *usmp)
{
    return usmp->layer.record.sent_many;
}

static void begin_rekey(usmp_t *usmp, uint32_t now)
{
    uint8_t salt[USMP_REKEY_SALT_LENGTH];
    bool forced = usmp->datagram.rekey_forced;
    usmp->rekey_wanted = usmp->datagram.rekey_forced = false;
    if (!forced && usmp_datagram_rekey_is_unsafe(usmp)) {
        usmp->error = USMP_ERROR_REKEY_UNSAFE;
        usmp_emit(usmp, USMP_EVENT_REKEY_REFUSED);
        return;
    }
    if (!usmp_crypto_random(salt, sizeof salt)) {
        usmp_fail(usmp, USMP_ERROR_CRYPTO_FAILED);
    } else if (seal_into_window(usmp, USMP_REKEY, salt, sizeof salt, true, now)) {
        usmp->rekey_is_ours = usmp->ping_wanted = true;
        for (unsigned i = 0; i < USMP_MAX_HELD; i++) usmp->datagram.held[i].under_old_key = true;
        if (!usmp_record_rekey(&usmp->layer.record, USMP_REKEY_INITIATOR, salt, true)) usmp_fail(usmp, USMP_ERROR_CRYPTO_FAILED);
    }
    usmp_crypto_wipe(salt, sizeof salt);
}

/** Seals the control frame that is owed next, between messages first REKEY, then PONG and PING, if it may leave. */
static void seal_control(usmp_t *usmp, uint32_t now)
{
    usmp_window_t *window = &usmp->datagram.window;
    if (usmp->datagram.flying || (window->count > 0 && !window->frames[window->count - 1].sent)) return;
    if (usmp->bye_wanted) {
        if (window->count > 0) return;
        usmp->bye_wanted = false;
        usmp->datagram.linger_since = now;
        usmp->datagram.linger_for = USMP_BYE_TIMEOUT;
        (void)seal_into_window(usmp, USMP_BYE, NULL, 0, true, now);
        return;
    }
    if (usmp->state != USMP_STATE_OPEN) return;
    bool rekeys = usmp->rekey_wanted && usmp->layer.record.rekey_complete;
    if (!rekeys && usmp->pongs_owed == 0 && !usmp->ping_wanted) return;
    if (rekeys && window->count > 0) return;
    if (!rekeys && (is_held_back(usmp) || !has_room(usmp, 1, 0))) return;
    if (!rekeys && !usmp_window_admits(window, usmp->layer.record.tx_seq, USMP_RECORD_OVERHEAD, false)) return;
    if (usmp_record_sealable(&usmp->layer.record) <= 1u + rekeys) {
        usmp_close_with(usmp, USMP_ERROR_SEQUENCE_SPENT, now);
        return;
    }
    if (rekeys) {
        begin_rekey(usmp, now);
    } else if (usmp->pongs_owed > 0) {
        if (seal_into_window(usmp, USMP_PONG, NULL, 0, false, now)) usmp->pongs_owed--;
    } else if (seal_into_window(usmp, USMP_PING, NULL, 0, false, now)) {
        usmp_on_ping_sealed(usmp, now);
    }
}

USMP_INTERNAL const uint8_t *usmp_datagram_poll_transmit(usmp_t *usmp, uint32_t now, size_t *length)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    datagram->given = GIVEN_NOTHING;
    if (datagram->utack_lengths[0] > 0) {
        datagram->given = GIVEN_UTACK;
        *length = datagram->utack_lengths[0];
        return datagram->utacks[0];
    }
    if (datagram->flight_due) {
        datagram->given = GIVEN_FLIGHT;
        *length = datagram->flight_length;
        return datagram->flight;
    }
    if (!usmp->has_record) return NULL;
    unsigned next = usmp_window_next(&datagram->window);
    /* Twice, as the first try may find that only BYE has a number left. */
    for (unsigned tries = 0; tries < 2 && next == datagram->window.count && usmp->has_record; tries++) {
        seal_control(usmp, now);
        next = usmp_window_next(&datagram->window);
    }
    if (next == datagram->window.count) return NULL;
    datagram->given = GIVEN_FRAME;
    datagram->given_frame = (uint8_t)next;
    *length = datagram->window.frames[next].length;
    return usmp->tx + usmp_window_offset(&datagram->window, next);
}

USMP_INTERNAL void usmp_datagram_transmitted(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (datagram->given == GIVEN_UTACK) {
        memcpy(datagram->utacks[0], datagram->utacks[1], USMP_UTACK_LENGTH);
        datagram->utack_lengths[0] = datagram->utack_lengths[1];
        datagram->utack_lengths[1] = 0;
    } else if (datagram->given == GIVEN_FLIGHT) {
        datagram->flight_due = false;
        /* The clock may have gone on while keys were computed. */
        datagram->flight_sent_at = now;
        if (!datagram->flight_sent) datagram->flight_first_sent_at = now;
        datagram->flight_sent = true;
    } else if (datagram->given == GIVEN_FRAME && datagram->given_frame < datagram->window.count) {
        usmp_window_sent(&datagram->window, datagram->given_frame, &datagram->trip, now);
    }
    datagram->given = GIVEN_NOTHING;
}

USMP_INTERNAL size_t usmp_datagram_pending(const usmp_t *usmp)
{
    return usmp->datagram.farewell ? 0 : usmp->tx_end;
}

/* ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t linger_in(const usmp_datagram_t *datagram, uint32_t now)
{
    return datagram->lingers ? usmp_due_in(now, datagram->linger_since, datagram->linger_for) : USMP_NEVER;
}

static uint32_t release_in(const usmp_datagram_t *datagram, uint32_t now)
{
    return datagram->held_back ? usmp_due_in(now, datagram->held_back_since, USMP_GAP_TIMEOUT) : USMP_NEVER;
}

/** The gap in front of frames that are held; one without any ends with the next frame that comes after its time. */
static uint32_t gap_in(const usmp_datagram_t *datagram, uint32_t now)
{
    return datagram->gap && holds_any(datagram) ? usmp_due_in(now, datagram->gap_since, USMP_GAP_TIMEOUT) : USMP_NEVER;
}

USMP_INTERNAL void usmp_datagram_handle_timeout(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (flight_due_in(datagram, now) == 0) repeat_flight(usmp, now);
    if (!usmp_window_handle_timeout(&datagram->window, &datagram->trip, now)) {
        usmp_fail(usmp, USMP_ERROR_NOT_ACKNOWLEDGED);
    }
    if (gap_in(datagram, now) == 0 && usmp->has_record) {
        for (unsigned old = 0; old < 2; old++) {
            const usmp_held_t *held = lowest_held(datagram, old == 1);
            usmp_replay_t *filter = filter_of(&usmp->layer.record, old == 1);
            if (held != NULL && !held->flushed && held->seq > filter->next) skip_gap(usmp, filter, held->seq);
        }
        datagram->gap = false;
    }
    if (linger_in(datagram, now) == 0) usmp_datagram_finish(usmp);
    if (release_in(datagram, now) == 0) datagram->held_back = false;
}

USMP_INTERNAL uint32_t usmp_datagram_poll_timeout(const usmp_t *usmp, uint32_t now)
{
    const usmp_datagram_t *datagram = &usmp->datagram;
    uint32_t earliest = usmp_earlier(flight_due_in(datagram, now), usmp_window_poll_timeout(&datagram->window, now));
    earliest = usmp_earlier(earliest, usmp_earlier(linger_in(datagram, now), release_in(datagram, now)));
    return usmp->has_record ? usmp_earlier(earliest, gap_in(datagram, now)) : earliest;
}

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The connection closes: what was acknowledged is delivered first, whatever is missing in front of it. */
USMP_INTERNAL bool usmp_datagram_ending(usmp_t *usmp)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    if (usmp->has_record) {
        flush(usmp, true);
        flush(usmp, false);
    }
    datagram->closed_pending = holds_any(datagram);
    return datagram->closed_pending;
}

/** What was sent before goes first; BYE is repeated until it is acknowledged. */
USMP_INTERNAL void usmp_datagram_close(usmp_t *usmp, uint32_t now)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    datagram->lingers = true;
    datagram->linger_since = now;
    datagram->linger_for = USMP_DELIVERY_TIMEOUT + USMP_BYE_TIMEOUT;
}

/** Nothing more is sent but UTACKs. */
USMP_INTERNAL void usmp_datagram_finish(usmp_t *usmp)
{
    usmp_datagram_t *datagram = &usmp->datagram;
    usmp->bye_wanted = datagram->lingers = datagram->flying = datagram->flight_due = datagram->held_back = false;
    datagram->window.count = 0;
    usmp->tx_end = 0;
    usmp_wipe_layer(usmp);
}

USMP_INTERNAL bool usmp_datagram_lingers(const usmp_t *usmp)
{
    return usmp->datagram.lingers || usmp->datagram.utack_lengths[0] > 0 || usmp->datagram.closed_pending;
}

#endif
