/** Changes of keys under traffic, over whatever carries them. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


static void rekey_completes_on_an_idle_line(void)
{
    for (unsigned i = 0; i < 2; i++) {
        pair_options_t all = options();
        all.least_delay = all.most_delay = 10;
        pair_open(&pair, &all);
        CHECK_OK(usmp_rekey(end_number(i)->usmp, false));
        pair_settle(&pair);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 1);
        CHECK_NUMBER(line_count_type(&end_number(i)->line, USMP_PING), 1);
        check_talks();
        pair_free(&pair);
    }
}

static void many_rekeys_in_a_row(void)
{
    for (unsigned i = 0; i < 2; i++) {
        pair_options_t all = options();
        all.least_delay = all.most_delay = 3;
        pair_open(&pair, &all);
        for (unsigned generation = 0; generation < 60; generation++) {
            CHECK_OK(usmp_rekey(end_number(i)->usmp, true));
            pair_settle(&pair);
            check_talks();
            end_forget_events(&pair.client);
            end_forget_events(&pair.server);
            if (test_has_failed()) break;
        }
        pair_free(&pair);
    }
}

static void one_rekey_serves_all_calls(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 50;
    pair_open(&pair, &all);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        pair_advance(&pair, 10);
    }
    pair_settle(&pair);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_REKEY), 1);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_PING), 1);
    pair_free(&pair);
}

static void rekeys_cross(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 20;
    pair_open(&pair, &all);
    for (unsigned round = 0; round < 5; round++) {
        CHECK_OK(usmp_rekey(pair.client.usmp, true));
        CHECK_OK(usmp_rekey(pair.server.usmp, true));
        pair_settle(&pair);
        pair_advance(&pair, 5000);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1 + round);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 1 + round);
        check_talks();
        if (test_has_failed()) break;
    }
    pair_free(&pair);
}

/** Random traffic with changes of keys from both sides: all arrives, once and in order. */
static void traffic_survives_rekeys(void)
{
    for (uint32_t seed = 1; seed <= 25; seed++) {
        pair_options_t all = options();
        chance_t chance = {seed};
        unsigned sent[2] = {0}, sizes[2][400];
        all.seed = seed;
        all.most_delay = 60;
        all.largest_piece = seed % 3 == 0 ? 0 : 300;
        pair_open(&pair, &all);
        for (unsigned i = 0; i < 80; i++) {
            for (unsigned j = 0; j < 2; j++) {
                end_t *end = end_number(j);
                size_t size = size_number(chance_between(&chance, 0, SIZES_COUNT - 1));
                if (usmp_can_send(end->usmp, size)) {
                    end_send_pattern(&pair, end, sent[j], size);
                    sizes[j][sent[j]++] = (unsigned)size;
                }
                if (chance_percent(&chance, 20)) CHECK_OK(usmp_rekey(end->usmp, true));
                if (chance_percent(&chance, 20)) CHECK_OK(usmp_ping(end->usmp));
            }
            pair_advance(&pair, chance_between(&chance, 0, transport == USMP_TRANSPORT_DATAGRAM ? 300 : 20));
        }
        pair_settle(&pair);
        pair_advance(&pair, 60000);
        for (unsigned j = 0; j < 2; j++) {
            end_t *other = end_number(1 - j);
            CHECK_ERROR(end_closed(other), USMP_OK);
            if (!CHECK_NUMBER(end_count(other, USMP_EVENT_MESSAGE), sent[j])) continue;
            for (unsigned i = 0; i < sent[j]; i++) CHECK(end_has_message(other, i, i, sizes[j][i]));
        }
        CHECK(sent[0] > 10 && end_count(&pair.client, USMP_EVENT_REKEYED) > 2);
        if (transport != USMP_TRANSPORT_DATAGRAM) {
            CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), end_count(&pair.server, USMP_EVENT_REKEYED));
        }
        pair_free(&pair);
        if (test_has_failed()) break;
    }
}

static void a_rekey_asked_for_meanwhile_follows(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 50;
    pair_open(&pair, &all);
    CHECK_OK(usmp_rekey(pair.client.usmp, true));
    end_drain(&pair, &pair.client);
    pair_advance(&pair, 40);
    /* The server reads REKEY, and takes the call before the PING behind it. */
    bool serial = transport == USMP_TRANSPORT_SERIAL;
    if (transport != USMP_TRANSPORT_DATAGRAM) {
        uint8_t bytes[200];
        size_t length = line_take(&pair.client.line, bytes, serial ? 72 + 4 : 72);
        size_t taken = usmp_handle_input(pair.server.usmp, bytes, length, pair_now(&pair));
        CHECK_NUMBER(taken, length);
    }
    CHECK_OK(usmp_rekey(pair.server.usmp, true));
    pair_settle(&pair);
    pair_advance(&pair, 20000);
    if (transport != USMP_TRANSPORT_DATAGRAM) {
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 2);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 2);
    }
    check_talks();
    pair_free(&pair);
}

void rekey_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("REKEY completes on an idle line, from either side", rekey_completes_on_an_idle_line);
        PER_TRANSPORT("REKEY many times in a row, with messages in every generation", many_rekeys_in_a_row);
        PER_TRANSPORT("REKEY asked for again before it is complete serves both calls", one_rekey_serves_all_calls);
        PER_TRANSPORT("REKEYs that cross complete at both sides", rekeys_cross);
        PER_TRANSPORT("REKEYs from both sides lose nothing and double nothing of the traffic", traffic_survives_rekeys);
        PER_TRANSPORT("REKEY that is asked for while that of the peer is under way follows it",
                      a_rekey_asked_for_meanwhile_follows);
    }
}
