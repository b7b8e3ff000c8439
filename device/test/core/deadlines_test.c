/** Time: the handshake, keepalives, silence, and a clock that wraps. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


static void handshake_has_its_time(void)
{
    uint32_t clocks[] = {0, UINT32_MAX - 5000};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        pair_options_t all = options();
        all.clock = clocks[i];
        all.leaves_keys_open = true;
        pair_begin(&pair, &all);
        uint64_t time = transport == USMP_TRANSPORT_SERIAL ? 30000 : 10000;
        pair_advance(&pair, time - 1);
        CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
        CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_HANDSHAKE);
        pair_advance(&pair, 1);
        /* Over a stream nobody has hung up, so nothing says that it was refused. */
        CHECK_ERROR(end_closed(&pair.client),
                    transport == USMP_TRANSPORT_STREAM ? USMP_ERROR_HANDSHAKE_TIMEOUT : USMP_ERROR_REFUSED);
        if (transport != USMP_TRANSPORT_SERIAL) CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_HANDSHAKE_TIMEOUT);
        CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
        pair_free(&pair);
    }
}

static void handshake_time_can_be_set(void)
{
    pair_options_t all = options();
    all.client.handshake_timeout = 700;
    all.server.handshake_timeout = USMP_NEVER;
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_advance(&pair, 699);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
    pair_advance(&pair, 1);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_CLOSED);
    pair_free(&pair);
}

static void open_sessions_forget_the_handshake_time(void)
{
    open_pair();
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), USMP_NEVER);
    pair_advance(&pair, 100000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    pair_free(&pair);
}

static void keepalive_keeps_alive(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 50;
    all.clock = UINT32_MAX - 100000;
    all.client.keepalive_interval = 30000;
    all.server.idle_timeout = 60000;
    pair_open(&pair, &all);
    pair_advance(&pair, 300500);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG),
                 transport == USMP_TRANSPORT_STREAM ? 10 : end_count(&pair.client, USMP_EVENT_PONG));
    CHECK(end_count(&pair.client, USMP_EVENT_PONG) >= 9);
    for (size_t i = 0; i < end_count(&pair.client, USMP_EVENT_PONG); i++) {
        CHECK_NUMBER(end_event(&pair.client, USMP_EVENT_PONG, i)->rtt, 100);
    }
    pair_free(&pair);
}

static void the_defaults_keep_a_session(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 50;
    pair_begin(&pair, &all);
    pair.client.settings.keepalive_interval = pair.client.settings.idle_timeout = 0;
    pair.server.settings.keepalive_interval = pair.server.settings.idle_timeout = 0;
    pair_advance(&pair, 1000000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    pair.client.line.silent = pair.server.line.silent = true;
    pair_advance(&pair, 100000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_CLOSED);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_CLOSED);
    pair_free(&pair);
}

static void one_way_traffic_asks_for_a_sign(void)
{
    pair_options_t all = options();
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    for (unsigned second = 0; second < 200; second += 10) {
        end_send_pattern(&pair, &pair.client, second, 1);
        pair_advance(&pair, 10000);
    }
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    if (transport != USMP_TRANSPORT_DATAGRAM) CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), 6);
    pair_free(&pair);
}

static void silence_is_noticed(void)
{
    pair_options_t all = options();
    all.clock = UINT32_MAX - 30000;
    all.client.keepalive_interval = 30000;
    all.server.idle_timeout = 60000;
    pair_open(&pair, &all);
    pair.client.line.silent = pair.server.line.silent = true;
    pair_advance(&pair, 59999);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_IDLE_TIMEOUT);
    pair_advance(&pair, 29999);
    bool acknowledges = transport == USMP_TRANSPORT_DATAGRAM;
    CHECK_ERROR(end_closed(&pair.client), acknowledges ? USMP_ERROR_NOT_ACKNOWLEDGED : USMP_OK);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.client), acknowledges ? USMP_ERROR_NOT_ACKNOWLEDGED : USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

static void pings_are_missed_three_times(void)
{
    static const struct {
        unsigned second, pings;
    } SENT[] = {{29, 0}, {30, 1}, {49, 1}, {50, 2}, {69, 2}, {70, 3}, {89, 3}};
    pair_options_t all = options();
    if (transport == USMP_TRANSPORT_DATAGRAM) return;
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    pair.client.line.silent = pair.server.line.silent = true;
    unsigned second = 0;
    for (size_t i = 0; i < COUNT(SENT); i++) {
        for (; second < SENT[i].second; second++) pair_advance(&pair, 1000);
        CHECK_NUMBER(line_count_type(&pair.client.line, USMP_PING), SENT[i].pings);
        CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    }
    pair_advance(&pair, 1000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

static void own_pings_do_not_put_off_the_verdict(void)
{
    pair_options_t all = options();
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    pair.client.line.silent = pair.server.line.silent = true;
    for (unsigned second = 0; second < 90; second++) {
        pair_advance(&pair, 1000);
        if (usmp_state(pair.client.usmp) == USMP_STATE_OPEN) CHECK_OK(usmp_ping(pair.client.usmp));
    }
    CHECK_ERROR(end_closed(&pair.client),
                transport == USMP_TRANSPORT_DATAGRAM ? USMP_ERROR_NOT_ACKNOWLEDGED : USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

static void a_sign_of_life_sets_the_count_back(void)
{
    pair_options_t all = options();
    if (transport == USMP_TRANSPORT_DATAGRAM) return;
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    pair.client.line.silent = true;
    for (unsigned round = 0; round < 5; round++) {
        test_context("round %u", round);
        pair_advance(&pair, 55000);
        CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
        end_send_pattern(&pair, &pair.server, round, 1);
    }
    pair_advance(&pair, 90000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

static void a_late_clock_is_one_missed_ping(void)
{
    pair_options_t all = options();
    if (transport == USMP_TRANSPORT_DATAGRAM) return;
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    pair.client.line.silent = pair.server.line.silent = true;
    pair_advance(&pair, 30000);
    usmp_handle_timeout(pair.client.usmp, 3600000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    usmp_handle_timeout(pair.client.usmp, 7200000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    usmp_handle_timeout(pair.client.usmp, 7200000 + 20000);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_CLOSED);
    pair_free(&pair);
}

static void calling_early_does_nothing(void)
{
    size_t length;
    usmp_event_t event;
    pair_options_t all = options();
    all.client.keepalive_interval = 500;
    all.client.idle_timeout = 1000;
    pair_open(&pair, &all);
    for (uint32_t now = 0; now < 500; now++) usmp_handle_timeout(pair.client.usmp, pair_now(&pair) + now);
    CHECK(usmp_poll_transmit(pair.client.usmp, pair_now(&pair) + 499, &length) == NULL);
    CHECK(!usmp_poll_event(pair.client.usmp, &event));
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair) + 499), 1);
    pair_free(&pair);
}

static void part_of_a_frame_is_no_sign_of_life(void)
{
    pair_options_t all = options();
    if (transport == USMP_TRANSPORT_DATAGRAM) return;
    all.server.idle_timeout = 1000;
    pair_open(&pair, &all);
    pair_advance(&pair, 900);
    CHECK_OK(usmp_ping(pair.client.usmp));
    pair_advance(&pair, 900);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    end_send_pattern(&pair, &pair.client, 1, 1);
    pair_deliver(&pair, &pair.server, 20);
    uint8_t dropped[100];
    (void)line_take(&pair.client.line, dropped, sizeof dropped);
    pair_advance(&pair, 99);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

#define MINUTE 60000u
#define DAY (24u * 60 * MINUTE)

static void sessions_live_for_months(void)
{
    pair_options_t all = options();
    all.most_delay = 200;
    all.seed = 3;
    all.clock = UINT32_MAX - MINUTE;
    all.client.keepalive_interval = 10 * MINUTE;
    all.client.keepalive_timeout = MINUTE;
    all.server.idle_timeout = 25 * MINUTE;
    pair_open(&pair, &all);
    for (unsigned hours = 0; hours < 60 * 24; hours += 6) {
        pair_advance(&pair, 6 * 60 * MINUTE - 1);
        PAIR_UNTIL(&pair, usmp_can_send(pair.client.usmp, 100) && usmp_can_send(pair.server.usmp, 10), 5000);
        end_send_pattern(&pair, &pair.client, hours, 100);
        end_send_pattern(&pair, &pair.server, hours + 1, 10);
        if (hours % 5 == 0) CHECK_OK(usmp_rekey(pair.client.usmp, true));
        pair_advance(&pair, 5000);
        if (!CHECK(end_has_message(&pair.server, 0, hours, 100)) || !CHECK(end_has_message(&pair.client, 0, hours + 1, 10)))
            break;
        end_forget_events(&pair.server);
        end_forget_events(&pair.client);
    }
    CHECK(pair.time > 59ull * DAY);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    pair_free(&pair);
}

/** Nothing happens for longer than the clock goes round: no deadline may be mistaken for one that has passed. */
static void silence_without_deadlines_lasts(void)
{
    open_pair();
    for (unsigned days = 0; days < 60; days++) pair_advance(&pair, DAY);
    check_talks();
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), USMP_NEVER);
    pair_free(&pair);
}

void deadlines_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("the handshake has its time, also where the clock wraps", handshake_has_its_time);
        PER_TRANSPORT("the time for the handshake can be set", handshake_time_can_be_set);
        PER_TRANSPORT("an open session is not touched by the time for the handshake",
                      open_sessions_forget_the_handshake_time);
        PER_TRANSPORT("a client that has nothing to say sends PING, and both sides stay", keepalive_keeps_alive);
        PER_TRANSPORT("the default times keep a session alive, and end it when the line is dead",
                      the_defaults_keep_a_session);
        PER_TRANSPORT("a client that only sends asks for a sign of life all the same", one_way_traffic_asks_for_a_sign);
        PER_TRANSPORT("a line that falls silent ends the session at both sides, each in its time", silence_is_noticed);
        PER_TRANSPORT("a peer that answers no PING is dead after three of them", pings_are_missed_three_times);
        PER_TRANSPORT("PINGs of the application do not put off the verdict on a dead peer",
                      own_pings_do_not_put_off_the_verdict);
        PER_TRANSPORT("any sign of life sets the count of missed PINGs back", a_sign_of_life_sets_the_count_back);
        PER_TRANSPORT("one late call of the clock is one missed PING, however late it is", a_late_clock_is_one_missed_ping);
        PER_TRANSPORT("calling the clock early does nothing", calling_early_does_nothing);
        PER_TRANSPORT("a part of a frame is no sign of life", part_of_a_frame_is_no_sign_of_life);
        PER_TRANSPORT("a session lives for 60 days with traffic, through two wraps of the clock", sessions_live_for_months);
        PER_TRANSPORT("a session without deadlines lasts through 60 days of silence", silence_without_deadlines_lasts);
    }
}
