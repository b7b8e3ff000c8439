/** Messages, events, PING and PONG over whatever carries them. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"

/* ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void messages_of_all_sizes(void)
{
    static const size_t PIECES[] = {1, 13, 700, 0};
    for (size_t i = 0; i < COUNT(PIECES); i++) {
        pair_options_t all = options();
        all.seed = 7;
        all.most_delay = 30;
        all.largest_piece = PIECES[i];
        pair_open(&pair, &all);
        for (size_t j = 0; j < SIZES_COUNT; j++) {
            end_send_pattern(&pair, &pair.client, (unsigned)j, size_number(j));
            end_send_pattern(&pair, &pair.server, (unsigned)(100 + j), size_number(j));
            pair_settle(&pair);
        }
        for (size_t j = 0; j < SIZES_COUNT; j++) {
            CHECK(end_has_message(&pair.server, j, (unsigned)j, size_number(j)));
            CHECK(end_has_message(&pair.client, j, (unsigned)(100 + j), size_number(j)));
        }
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), SIZES_COUNT);
        pair_free(&pair);
    }
}

static void every_size(void)
{
    open_pair();
    for (size_t size = 0; size <= USMP_MAX_MESSAGE; size += size < 460 ? 1 : 3) {
        end_send_pattern(&pair, &pair.client, (unsigned)size, size);
        pair_settle(&pair);
        if (!CHECK(end_has_message(&pair.server, 0, (unsigned)size, size))) break;
        end_forget_events(&pair.server);
    }
    pair_free(&pair);
}

static void too_large_messages_are_refused(void)
{
    uint8_t message[USMP_MAX_MESSAGE + 1] = {0};
    open_pair();
    CHECK(!usmp_can_send(pair.client.usmp, USMP_MAX_MESSAGE + 1));
    CHECK_ERROR(usmp_send(pair.client.usmp, message, USMP_MAX_MESSAGE + 1, 0), USMP_ERROR_MESSAGE_TOO_LARGE);
    CHECK_ERROR(usmp_send(pair.client.usmp, message, SIZE_MAX, 0), USMP_ERROR_MESSAGE_TOO_LARGE);
    check_talks();
    pair_free(&pair);
}

/** `end_send` compares can_send with what send says, each time. */
static void busy_until_it_has_left(void)
{
    pair_options_t all = options();
    chance_t chance = {99};
    for (uint32_t seed = 1; seed <= 10; seed++) {
        size_t sent = 0, busy = 0, sizes[400];
        all.seed = seed;
        pair_open(&pair, &all);
        for (unsigned i = 0; i < 100; i++) {
            uint8_t message[USMP_MAX_MESSAGE];
            size_t size =
                chance_percent(&chance, 50) ? chance_between(&chance, 0, 60) : chance_between(&chance, 0, USMP_MAX_MESSAGE);
            pattern(message, size, (unsigned)sent);
            usmp_error_t error = end_send(&pair, &pair.client, message, size);
            if (error == USMP_OK) sizes[sent++] = size;
            else if (CHECK_ERROR(error, USMP_ERROR_BUSY)) busy++;
            if (chance_percent(&chance, 40)) pair_settle(&pair);
        }
        pair_settle(&pair);
        CHECK(busy > 0 && sent > 20);
        CHECK(usmp_can_send(pair.client.usmp, USMP_MAX_MESSAGE));
        for (size_t i = 0; i < sent; i++) CHECK(end_has_message(&pair.server, i, (unsigned)i, sizes[i]));
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), sent);
        pair_free(&pair);
    }
}

static void pending_counts_down(void)
{
    open_pair();
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    end_send_pattern(&pair, &pair.client, 1, 100);
    CHECK(usmp_pending_transmit(pair.client.usmp) >= 140);
    pair_settle(&pair);
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    pair_free(&pair);
}

/** A driver that polls events late gets all of them, and input that comes meanwhile waits. */
static void events_wait_and_input_waits_for_them(void)
{
    usmp_event_t event;
    static uint8_t bytes[8000], copy[8000];
    open_pair();
    for (unsigned i = 0; i < 3 && usmp_can_send(pair.client.usmp, 50); i++) {
        end_send_pattern(&pair, &pair.client, i, 50);
        end_drain(&pair, &pair.client);
    }
    bool is_datagram = transport == USMP_TRANSPORT_DATAGRAM;
    size_t length = line_take(&pair.client.line, bytes, sizeof bytes);
    memcpy(copy, bytes, length);
    size_t taken = usmp_handle_input(pair.server.usmp, copy, length, pair_now(&pair));
    CHECK(is_datagram ? taken == length : taken > 0 && taken < length / 2);
    if (is_datagram) taken = 0;
    for (unsigned i = 0; i < 3; i++) {
        memcpy(copy, bytes, length);
        CHECK_NUMBER(usmp_handle_input(pair.server.usmp, copy + taken, length - taken, pair_now(&pair)), 0);
    }
    usmp_close(pair.server.usmp, pair_now(&pair));
    CHECK(usmp_poll_event(pair.server.usmp, &event));
    CHECK_NUMBER(event.type, USMP_EVENT_MESSAGE);
    CHECK_NUMBER(event.length, 50);
    CHECK(usmp_poll_event(pair.server.usmp, &event));
    CHECK_NUMBER(event.type, USMP_EVENT_CLOSED);
    CHECK(!usmp_poll_event(pair.server.usmp, &event));
    pair_free(&pair);
}

/* ── PING and PONG ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void ping_measures(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 40;
    pair_open(&pair, &all);
    CHECK_OK(usmp_ping(pair.client.usmp));
    pair_settle(&pair);
    const usmp_event_t *pong = end_event(&pair.client, USMP_EVENT_PONG, 0);
    if (CHECK(pong != NULL)) CHECK_NUMBER(pong->rtt, 80);
    pair_free(&pair);
}

static void two_pings_under_way(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 40;
    for (unsigned round = 0; round < 2; round++) {
        all.clock = round == 0 ? 1000 : UINT32_MAX - 50;
        pair_open(&pair, &all);
        for (unsigned i = 0; i < 3; i++) {
            CHECK_OK(usmp_ping(pair.client.usmp));
            pair_advance(&pair, 5);
        }
        pair_settle(&pair);
        size_t pings = line_count_type(&pair.client.line, USMP_PING);
        CHECK(pings == 3 || transport == USMP_TRANSPORT_DATAGRAM);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), pings);
        for (size_t i = 0; i < pings; i++) {
            const usmp_event_t *pong = end_event(&pair.client, USMP_EVENT_PONG, i);
            if (CHECK(pong != NULL)) CHECK(pong->rtt == USMP_NEVER || (pong->rtt >= 80 && pong->rtt <= 240));
        }
        end_forget_events(&pair.client);
        pair_advance(&pair, 3000);
        CHECK_OK(usmp_ping(pair.client.usmp));
        pair_settle(&pair);
        const usmp_event_t *pong = end_event(&pair.client, USMP_EVENT_PONG, 0);
        if (CHECK(pong != NULL)) CHECK_NUMBER(pong->rtt, 80);
        pair_free(&pair);
    }
}

/** PONGs are not owed (§6.1). */
static unsigned unanswering(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)length;
    (void)from;
    (void)frame;
    with->server.usmp->pongs_owed = 0;
    return 1;
}

static void pings_that_nobody_answered_are_forgotten(void)
{
    open_pair();
    pair.options.path = unanswering;
    for (unsigned i = 0; i < 40; i++) {
        CHECK_OK(usmp_ping(pair.client.usmp));
        end_drain(&pair, &pair.client);
        for (unsigned j = 0; j < 4; j++) {
            pair_deliver(&pair, &pair.server, 100);
            pair_deliver(&pair, &pair.client, 100);
            pair.server.usmp->pongs_owed = 0;
        }
    }
    pair.options.path = NULL;
    pair_settle(&pair);
    size_t before = line_count_type(&pair.client.line, USMP_PING);
    CHECK_OK(usmp_ping(pair.client.usmp));
    pair_settle(&pair);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_PING), before + 1);
    pair_free(&pair);
}

/** More than are counted: which of them a PONG is the answer to cannot be told, and the count does not go round. */
static void more_pings_than_are_counted(void)
{
    static const unsigned PINGS[] = {17, 18, 255, 256, 257, 272};
    if (transport == USMP_TRANSPORT_DATAGRAM) return;
    for (size_t i = 0; i < COUNT(PINGS); i++) {
        pair_options_t all = options();
        all.least_delay = all.most_delay = 40;
        pair_open(&pair, &all);
        test_context("%u PINGs", PINGS[i]);
        /* All are answered, and the answers are still on their way. */
        for (unsigned sent = 0; sent < PINGS[i]; sent++) {
            CHECK_OK(usmp_ping(pair.client.usmp));
            pair_deliver(&pair, &pair.server, 1000);
            pair.time++;
        }
        CHECK_NUMBER(line_count_type(&pair.server.line, USMP_PONG), PINGS[i]);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), 0);
        pair_settle(&pair);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), 16);
        for (size_t j = 0; j < end_count(&pair.client, USMP_EVENT_PONG); j++) {
            CHECK_NUMBER(end_event(&pair.client, USMP_EVENT_PONG, j)->rtt, USMP_NEVER);
        }
        end_forget_events(&pair.client);
        CHECK_OK(usmp_ping(pair.client.usmp));
        pair_settle(&pair);
        const usmp_event_t *pong = end_event(&pair.client, USMP_EVENT_PONG, 0);
        if (CHECK(pong != NULL)) CHECK_NUMBER(pong->rtt, 80);
        pair_free(&pair);
    }
}

static void few_pongs_are_owed(void)
{
    open_pair();
    if (transport == USMP_TRANSPORT_DATAGRAM) {
        pair_free(&pair);
        return;
    }
    pair.server.line.blocked = true;
    for (unsigned i = 0; i < 12; i++) {
        CHECK_OK(usmp_ping(pair.client.usmp));
        end_drain(&pair, &pair.client);
        pair_settle(&pair);
    }
    pair.server.line.blocked = false;
    pair_settle(&pair);
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_PONG), 8);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), 8);
    check_talks();
    pair_free(&pair);
}

void messages_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("messages arrive once and in order, however the line cuts them", messages_of_all_sizes);
        PER_TRANSPORT("messages of every size arrive", every_size);
        PER_TRANSPORT("a message above the limit is refused, and the session lives on", too_large_messages_are_refused);
        PER_TRANSPORT("busy until what was sent before has left, and can_send says the same as send",
                      busy_until_it_has_left);
        PER_TRANSPORT("what waits to be sent is counted", pending_counts_down);
        PER_TRANSPORT("no event is lost: input waits until events have been polled", events_wait_and_input_waits_for_them);
        PER_TRANSPORT("PING measures the round trip", ping_measures);
        PER_TRANSPORT("with several PINGs under way the round trip is true or untold", two_pings_under_way);
        PER_TRANSPORT("PINGs that nobody answered do not stand in the way of others",
                      pings_that_nobody_answered_are_forgotten);
        PER_TRANSPORT("of more PINGs than are counted the first PONGs are told, without a round trip, and the rest are not",
                      more_pings_than_are_counted);
        PER_TRANSPORT("a peer that pings and does not read is owed a few PONGs and no more", few_pongs_are_owed);
    }
}
