/** The end of a connection, however it comes, and what must not be left of it. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


static void bye_comes_behind_all(void)
{
    pair_options_t all = options();
    all.seed = 5;
    all.least_delay = 10;
    all.most_delay = 50;
    all.largest_piece = 100;
    pair_open(&pair, &all);
    end_send_pattern(&pair, &pair.client, 1, USMP_MAX_MESSAGE);
    usmp_close(pair.client.usmp, pair_now(&pair));
    usmp_close(pair.client.usmp, pair_now(&pair));
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_CLOSED);
    CHECK(usmp_lingers(pair.client.usmp));
    pair_settle(&pair);
    CHECK_TYPES(&pair.client, USMP_EVENT_CLOSED);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CLOSED);
    CHECK_TYPES(&pair.server, USMP_EVENT_MESSAGE, USMP_EVENT_CLOSED);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    CHECK(!usmp_lingers(pair.client.usmp));
    CHECK(!usmp_lingers(pair.server.usmp));
    pair_free(&pair);
}

static void nothing_happens_after_the_end(void)
{
    static uint8_t late[600];
    size_t length;
    usmp_event_t event;
    pair_options_t all = options();
    all.client.keepalive_interval = 10;
    all.client.idle_timeout = 20;
    pair_open(&pair, &all);
    end_send_pattern(&pair, &pair.server, 1, 1);
    end_drain(&pair, &pair.server);
    size_t late_length = line_take(&pair.server.line, late, sizeof late);
    usmp_close(pair.client.usmp, pair_now(&pair));
    pair_settle(&pair);
    size_t told = pair.client.event_count;
    usmp_t *usmp = pair.client.usmp;
    CHECK_NUMBER(usmp_handle_input(usmp, late, late_length, 5), late_length);
    uint8_t garbage = 0xFF;
    CHECK_NUMBER(usmp_handle_input(usmp, &garbage, 1, 5), 1);
    usmp_handle_end(usmp);
    usmp_handle_timeout(usmp, 1000000000);
    usmp_close(usmp, 1000000000);
    CHECK(!usmp_poll_event(usmp, &event));
    CHECK(usmp_poll_transmit(usmp, 1000000000, &length) == NULL);
    CHECK_NUMBER(usmp_poll_timeout(usmp, 1000000000), USMP_NEVER);
    CHECK_NUMBER(pair.client.event_count, told);
    CHECK_ERROR(usmp_send(usmp, late, 1, 5), USMP_ERROR_NOT_CONNECTED);
    CHECK_ERROR(usmp_ping(usmp), USMP_ERROR_NOT_CONNECTED);
    CHECK_ERROR(usmp_rekey(usmp, true), USMP_ERROR_NOT_CONNECTED);
    pair_free(&pair);
}

static void both_close_at_once(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 10;
    pair_open(&pair, &all);
    usmp_close(pair.client.usmp, pair_now(&pair));
    usmp_close(pair.server.usmp, pair_now(&pair));
    pair_settle(&pair);
    pair_advance(&pair, 5000);
    CHECK_TYPES(&pair.client, USMP_EVENT_CLOSED);
    CHECK_TYPES(&pair.server, USMP_EVENT_CLOSED);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CLOSED);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_CLOSED);
    CHECK(!usmp_lingers(pair.client.usmp));
    CHECK(!usmp_lingers(pair.server.usmp));
    pair_free(&pair);
}

static void no_pong_of_a_closed_connection(void)
{
    open_pair();
    pair.server.line.blocked = true;
    CHECK_OK(usmp_ping(pair.client.usmp));
    pair_settle(&pair);
    usmp_close(pair.server.usmp, pair_now(&pair));
    pair.server.line.blocked = false;
    pair_settle(&pair);
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_PONG), 0);
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_BYE), 1);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    pair_free(&pair);
}

/** Closing with output that the line does not take. */
static void closing_takes_no_longer_than_it_may(void)
{
    pair_options_t all = options();
    all.clock = UINT32_MAX - 1000;
    for (unsigned with_output = 0; with_output < 2; with_output++) {
        test_context("%s", with_output ? "with output" : "without output");
        pair_open(&pair, &all);
        pair.client.line.blocked = true;
        if (with_output) end_send_pattern(&pair, &pair.client, 1, USMP_MAX_MESSAGE);
        usmp_close(pair.client.usmp, pair_now(&pair));
        CHECK(usmp_lingers(pair.client.usmp));
        uint64_t most = transport == USMP_TRANSPORT_DATAGRAM ? 15500 : 3000;
        pair_advance(&pair, most - 1);
        if (transport != USMP_TRANSPORT_DATAGRAM) CHECK(usmp_lingers(pair.client.usmp));
        pair_advance(&pair, 1);
        CHECK(!usmp_lingers(pair.client.usmp));
        CHECK_TYPES(&pair.client, USMP_EVENT_CLOSED);
        CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
        CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), USMP_NEVER);
        CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
        pair_free(&pair);
    }
}

/** A fifth of the message every 2 s. */
static void a_slow_line_gets_all(void)
{
    open_pair();
    if (transport == USMP_TRANSPORT_DATAGRAM) {
        pair_free(&pair);
        return;
    }
    pair.client.line.blocked = true;
    end_send_pattern(&pair, &pair.client, 1, USMP_MAX_MESSAGE);
    usmp_close(pair.client.usmp, pair_now(&pair));
    const uint8_t *bytes;
    size_t length;
    while ((bytes = usmp_poll_transmit(pair.client.usmp, pair_now(&pair), &length)) != NULL) {
        if (length > USMP_MAX_MESSAGE / 5) length = USMP_MAX_MESSAGE / 5;
        end_input(&pair, &pair.server, bytes, length);
        usmp_transmitted(pair.client.usmp, length, pair_now(&pair));
        pair_advance(&pair, 2000);
    }
    CHECK(!usmp_lingers(pair.client.usmp));
    CHECK(end_has_message(&pair.server, 0, 1, USMP_MAX_MESSAGE));
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    pair_free(&pair);
}

/** A byte now and then keeps nobody here for ever. */
static void a_trickle_ends_in_its_time(void)
{
    size_t length;
    open_pair();
    if (transport != USMP_TRANSPORT_DATAGRAM) {
        pair.client.line.blocked = true;
        end_send_pattern(&pair, &pair.client, 1, USMP_MAX_MESSAGE);
        usmp_close(pair.client.usmp, pair_now(&pair));
        for (unsigned i = 0; i < 30; i++) {
            CHECK(usmp_poll_transmit(pair.client.usmp, pair_now(&pair), &length) != NULL);
            usmp_transmitted(pair.client.usmp, 1, pair_now(&pair));
            pair_advance(&pair, 2000);
        }
        CHECK(!usmp_lingers(pair.client.usmp));
    }
    pair_free(&pair);
}

/** How a session can end. */
static void end_by(unsigned way)
{
    uint32_t now = pair_now(&pair);
    uint8_t garbage[100] = {0};
    switch (way) {
    case 0: usmp_close(pair.client.usmp, now); break;
    case 1:
        usmp_handle_end(pair.client.usmp);
        usmp_handle_end(pair.server.usmp);
        break;
    case 2:
        if (transport == USMP_TRANSPORT_STREAM) {
            end_input(&pair, &pair.client, garbage, 1);
            end_input(&pair, &pair.server, garbage, 1);
        }
        break;
    case 3: pair_advance(&pair, 3000); break;
    case 4:
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        end_drain(&pair, &pair.client);
        usmp_close(pair.client.usmp, now);
        usmp_close(pair.server.usmp, now);
        break;
    case 5:
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        CHECK_OK(usmp_rekey(pair.server.usmp, false));
        end_drain(&pair, &pair.client);
        end_drain(&pair, &pair.server);
        pair_deliver(&pair, &pair.client, 72);
        usmp_close(pair.client.usmp, now);
        usmp_close(pair.server.usmp, now);
        break;
    case 6:
        for (unsigned i = 0; i < 5; i++) {
            CHECK_OK(usmp_rekey(pair.server.usmp, false));
            pair_settle(&pair);
        }
        usmp_close(pair.client.usmp, now);
        break;
    default:
        CHECK_OK(usmp_rekey(pair.server.usmp, false));
        pair_settle(&pair);
        usmp_handle_end(pair.client.usmp);
        usmp_handle_end(pair.server.usmp);
        break;
    }
}

static void no_key_is_left(void)
{
    for (unsigned way = 0; way < 8; way++) {
        pair_options_t all = options();
        all.client.idle_timeout = all.server.idle_timeout = 1000;
        pair_open(&pair, &all);
        test_context("way %u", way);
        seam_add_secret((const uint8_t *)TEST_PSK, strlen(TEST_PSK));
        CHECK(seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
        end_by(way);
        pair_settle(&pair);
        pair_advance(&pair, 60000);
        CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_CLOSED);
        CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_CLOSED);
        CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
        CHECK(!seam_finds_secret(pair.server.usmp, sizeof *pair.server.usmp));
        CHECK_NUMBER(seam_live_keys(), 0);
        pair_free(&pair);
    }
}

static void only_the_present_keys_live(void)
{
    open_pair();
    for (unsigned i = 0; i < 4; i++) {
        uint8_t old[64];
        memcpy(old, pair.client.usmp->layer.record.keys, sizeof old);
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        pair_settle(&pair);
        pair_advance(&pair, 2000);
        CHECK_NUMBER(seam_live_keys(), 4);
        const end_t *const ends[] = {&pair.client, &pair.server};
        for (size_t j = 0; j < 2; j++) {
            const uint8_t *bytes = (const uint8_t *)ends[j]->usmp;
            for (size_t at = 0; at + 32 <= sizeof *ends[j]->usmp; at++) {
                if (memcmp(bytes + at, old, 32) == 0 || memcmp(bytes + at, old + 32, 32) == 0)
                    FAIL("an old key at the %s", ends[j]->name);
            }
        }
    }
    pair_free(&pair);
}

static void a_wiped_connection_is_idle(void)
{
    static const usmp_t idle;
    open_pair();
    end_send_pattern(&pair, &pair.client, 1, 20);
    usmp_wipe(pair.client.usmp);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_IDLE);
    CHECK(memcmp(pair.client.usmp, &idle, sizeof idle) == 0);
    pair_free(&pair);
}

/** The device id of KEYS_WANTED and the session id of OPEN are what they were, or the event is not told. */
static void events_of_what_is_over_do_not_lie(void)
{
    static const uint8_t device_id[6] = TEST_DEVICE_ID;
    static uint8_t hello[200];
    pair_options_t all = options();
    usmp_event_t event;
    pair_begin(&pair, &all);
    size_t length = end_take_output(&pair, &pair.client, hello, sizeof hello);
    CHECK_NUMBER(usmp_handle_input(pair.server.usmp, hello, length, 0), length);
    usmp_handle_end(pair.server.usmp);
    bool closed = false;
    while (usmp_poll_event(pair.server.usmp, &event)) {
        if (event.type == USMP_EVENT_KEYS_WANTED) CHECK_BYTES(event.data, event.length, device_id, 6);
        closed |= event.type == USMP_EVENT_CLOSED;
    }
    CHECK(closed);
    pair_free(&pair);

    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    uint8_t id[16];
    memcpy(id, pair.server.usmp->layer.record.session_id, sizeof id);
    usmp_handle_end(pair.server.usmp);
    closed = false;
    while (usmp_poll_event(pair.server.usmp, &event)) {
        if (event.type == USMP_EVENT_OPEN) CHECK_BYTES(event.data, event.length, id, sizeof id);
        closed |= event.type == USMP_EVENT_CLOSED;
    }
    CHECK(closed);
    pair_free(&pair);
}

void closing_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("BYE reaches the peer behind all messages, and each side is told once", bye_comes_behind_all);
        PER_TRANSPORT("after the end nothing is taken, sent or told, and no deadline is left",
                      nothing_happens_after_the_end);
        PER_TRANSPORT("both sides closing at once is an orderly end for both", both_close_at_once);
        PER_TRANSPORT("no PONG is sent by a connection that has closed", no_pong_of_a_closed_connection);
        PER_TRANSPORT("closing ends in its time when the line takes nothing", closing_takes_no_longer_than_it_may);
        PER_TRANSPORT("a line that is slow gets all that was sent before closing, and BYE", a_slow_line_gets_all);
        PER_TRANSPORT("closing ends after a minute when the line takes a byte now and then", a_trickle_ends_in_its_time);
        PER_TRANSPORT("no key is left in the connection, however its end comes", no_key_is_left);
        PER_TRANSPORT("after a change of keys the old ones are gone", only_the_present_keys_live);
        PER_TRANSPORT("a connection that was wiped is an idle one, all zero bytes", a_wiped_connection_is_idle);
        PER_TRANSPORT("an event that is polled after the end tells what was true, or is not told",
                      events_of_what_is_over_do_not_lie);
    }
}
