#include "usmp/connection.h"

#if USMP_DATAGRAM

/* ── Round trip ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Waits double with each attempt; beyond this many every one of them is longer than the longest. */
#define MAX_DOUBLINGS 6u

USMP_INTERNAL void usmp_round_trip_begin(usmp_round_trip_t *trip)
{
    trip->rto = USMP_FIRST_RTO;
}

USMP_INTERNAL void usmp_round_trip_measure(usmp_round_trip_t *trip, uint32_t milliseconds)
{
    /* Longer than any wait: says nothing more, and must not overflow. */
    if (milliseconds > USMP_DELIVERY_TIMEOUT) milliseconds = USMP_DELIVERY_TIMEOUT;
    if (!trip->measured) {
        trip->smoothed8 = milliseconds * 8;
        trip->variation4 = milliseconds * 2;
        trip->measured = true;
    } else {
        uint32_t smoothed = trip->smoothed8 / 8;
        uint32_t error = milliseconds > smoothed ? milliseconds - smoothed : smoothed - milliseconds;
        trip->variation4 = trip->variation4 - trip->variation4 / 4 + error;
        trip->smoothed8 = trip->smoothed8 - smoothed + milliseconds;
    }
    uint32_t rto = trip->smoothed8 / 8 + trip->variation4;
    if (rto < USMP_MIN_RTO) rto = USMP_MIN_RTO;
    trip->rto = usmp_earlier(rto, USMP_MAX_RTO);
    trip->back_off = 0;
}

USMP_INTERNAL void usmp_round_trip_back_off(usmp_round_trip_t *trip)
{
    if (trip->rto << trip->back_off < USMP_MAX_KEPT_RTO) trip->back_off++;
}

USMP_INTERNAL uint32_t usmp_round_trip_timeout(const usmp_round_trip_t *trip, unsigned attempts, uint32_t longest)
{
    uint32_t kept = usmp_earlier(trip->rto << trip->back_off, USMP_MAX_KEPT_RTO);
    uint32_t wait = trip->rto << (attempts < MAX_DOUBLINGS ? attempts : MAX_DOUBLINGS);
    return usmp_earlier(wait > kept ? wait : kept, longest);
}

/* ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

USMP_INTERNAL bool usmp_window_admits(const usmp_window_t *window, uint32_t seq, size_t bytes, bool alone)
{
    unsigned flying = 0;
    for (unsigned i = 0; i < window->count && window->frames[i].sent; i++) {
        bytes += window->frames[i].length;
        alone |= window->frames[i].alone;
        flying++;
    }
    if (flying == 0) return true;
    return !alone && flying < window->size && bytes <= USMP_MAX_BYTES_UNDER_WAY &&
           seq - window->frames[0].seq < USMP_REPLAY_WINDOW;
}

USMP_INTERNAL bool usmp_window_awaits_only(const usmp_window_t *window, uint8_t type)
{
    return window->count == 1 && window->frames[0].alone && window->frames[0].type == type;
}

USMP_INTERNAL void usmp_window_add(usmp_window_t *window, uint8_t type, uint32_t seq, size_t length, bool alone)
{
    usmp_under_way_t frame = {0};
    frame.type = type;
    frame.seq = seq;
    frame.length = (uint16_t)length;
    frame.alone = alone;
    window->frames[window->count++] = frame;
}

USMP_INTERNAL unsigned usmp_window_next(const usmp_window_t *window)
{
    for (unsigned i = 0; i < window->count; i++) {
        const usmp_under_way_t *frame = &window->frames[i];
        if (frame->due) return i;
        if (!frame->sent) {
            return usmp_window_admits(window, frame->seq, frame->length, frame->alone) ? i : window->count;
        }
    }
    return window->count;
}

USMP_INTERNAL size_t usmp_window_offset(const usmp_window_t *window, unsigned index)
{
    size_t offset = 0;
    while (index > 0) offset += window->frames[--index].length;
    return offset;
}

/** From now on it waits for its UTACK again, but never longer than its sender has patience. */
static void wait_again(usmp_window_t *window, usmp_under_way_t *frame, const usmp_round_trip_t *trip, uint32_t now)
{
    uint32_t left = usmp_due_in(now, frame->first_sent_at, USMP_DELIVERY_TIMEOUT);
    frame->order = ++window->order;
    frame->sent_at = now;
    frame->wait = usmp_earlier(usmp_round_trip_timeout(trip, frame->attempts, USMP_MAX_RTO), left);
    frame->overtaken = 0;
    frame->postponed = false;
}

static void repeat(usmp_window_t *window, usmp_under_way_t *frame, const usmp_round_trip_t *trip, uint32_t now)
{
    wait_again(window, frame, trip, now);
    frame->repeated = frame->due = true;
}

USMP_INTERNAL void usmp_window_sent(usmp_window_t *window, unsigned index, const usmp_round_trip_t *trip, uint32_t now)
{
    usmp_under_way_t *frame = &window->frames[index];
    frame->due = false;
    if (frame->sent) return;
    frame->sent = true;
    frame->first_sent_at = now;
    wait_again(window, frame, trip, now);
}

USMP_INTERNAL unsigned usmp_window_find(const usmp_window_t *window, uint8_t type, uint32_t seq)
{
    for (unsigned i = 0; i < window->count; i++) {
        const usmp_under_way_t *frame = &window->frames[i];
        if (frame->seq == seq && frame->type == type && frame->sent) return i;
    }
    return window->count;
}

/** Losses show by frames that were sent later and have arrived; those that were merely overtaken cost a repeat. */
static void find_lost(usmp_window_t *window, uint32_t order, const usmp_round_trip_t *trip, uint32_t now)
{
    for (unsigned i = 0; i < window->count; i++) {
        usmp_under_way_t *frame = &window->frames[i];
        if (!frame->sent || frame->postponed || frame->order > order) continue;
        if (++frame->overtaken >= USMP_LOSS_THRESHOLD) repeat(window, frame, trip, now);
    }
}

/** The line works again: one that was postponed in the place of the one acknowledged, and one as the window opens. */
static void resume(usmp_window_t *window, const usmp_round_trip_t *trip, uint32_t now)
{
    unsigned resumed = 0;
    for (unsigned i = 0; i < window->count && resumed < 2; i++) {
        if (!window->frames[i].postponed) continue;
        repeat(window, &window->frames[i], trip, now);
        resumed++;
    }
}

USMP_INTERNAL void usmp_window_acknowledge(usmp_window_t *window, unsigned index, usmp_round_trip_t *trip, uint32_t now)
{
    usmp_under_way_t frame = window->frames[index];
    window->count--;
    for (unsigned i = index; i < window->count; i++) window->frames[i] = window->frames[i + 1];
    if (!frame.repeated) usmp_round_trip_measure(trip, now - frame.first_sent_at);
    if (window->size < USMP_MAX_UNDER_WAY) window->size++;
    find_lost(window, frame.order, trip, now);
    resume(window, trip, now);
}

USMP_INTERNAL bool usmp_window_handle_timeout(usmp_window_t *window, usmp_round_trip_t *trip, uint32_t now)
{
    unsigned at_once = window->size;
    unsigned repeated = 0;
    for (unsigned i = 0; i < window->count; i++) {
        usmp_under_way_t *frame = &window->frames[i];
        if (!frame->sent || usmp_due_in(now, frame->sent_at, frame->wait) > 0) continue;
        if (usmp_due_in(now, frame->first_sent_at, USMP_DELIVERY_TIMEOUT) == 0) return false;
        if (repeated == 0) usmp_round_trip_back_off(trip);
        /* More than the window at once would only be lost again. */
        if (repeated < at_once) {
            repeated++;
            frame->attempts++;
            repeat(window, frame, trip, now);
        } else {
            wait_again(window, frame, trip, now);
            frame->postponed = frame->repeated = true;
        }
    }
    if (repeated > 0 && window->size > 1) window->size /= 2;
    return true;
}

USMP_INTERNAL uint32_t usmp_window_poll_timeout(const usmp_window_t *window, uint32_t now)
{
    uint32_t earliest = USMP_NEVER;
    for (unsigned i = 0; i < window->count; i++) {
        const usmp_under_way_t *frame = &window->frames[i];
        if (frame->sent) earliest = usmp_earlier(earliest, usmp_due_in(now, frame->sent_at, frame->wait));
    }
    return earliest;
}

#endif
