/** Sequence numbers that run out. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


/** Frames that each direction has left. */
#define LEFT 21u

static void begin_late(end_t *end, uint32_t seq)
{
    usmp_record_t *record = &end->usmp->layer.record;
    record->tx_seq = record->filter.expected = seq;
#if USMP_DATAGRAM
    record->filter.next = seq;
#endif
}

static void open_late(void)
{
    pair_options_t all = options();
    all.least_delay = all.most_delay = 5;
    pair_open(&pair, &all);
    begin_late(&pair.client, 0xFFFFFFFEu - (LEFT - 1));
    begin_late(&pair.server, 0xFFFFFFFEu - (LEFT - 1));
}

static void the_last_number_is_for_bye(void)
{
    uint8_t message[10];
    open_late();
    size_t sent = 0;
    usmp_error_t error = USMP_OK;
    for (; sent < 100; sent++) {
        pattern(message, sizeof message, (unsigned)sent);
        error = end_send(&pair, &pair.client, message, sizeof message);
        if (error != USMP_OK) break;
        pair_settle(&pair);
    }
    CHECK_ERROR(error, USMP_ERROR_SEQUENCE_SPENT);
    CHECK_NUMBER(sent, LEFT - 1);
    pair_settle(&pair);
    for (size_t i = 0; i < sent; i++) CHECK(end_has_message(&pair.server, i, (unsigned)i, sizeof message));
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_SEQUENCE_SPENT);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_BYE), 1);
    CHECK_ERROR(end_send(&pair, &pair.client, message, 1), USMP_ERROR_NOT_CONNECTED);
    pair_free(&pair);
}

static void no_message_is_begun_that_cannot_be_ended(void)
{
    uint8_t message[USMP_MAX_MESSAGE] = {0};
    size_t frames = (USMP_MAX_MESSAGE + 451) / 452;
    open_late();
    for (size_t i = 0; i < LEFT - frames; i++) {
        end_send_pattern(&pair, &pair.client, 1, 1);
        pair_settle(&pair);
    }
    CHECK_ERROR(end_send(&pair, &pair.client, message, sizeof message), USMP_ERROR_SEQUENCE_SPENT);
    pair_settle(&pair);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), LEFT - frames);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    pair_free(&pair);
}

static void pongs_run_out_of_numbers_too(void)
{
    open_late();
    for (size_t i = 0; i < LEFT - 1; i++) {
        end_send_pattern(&pair, &pair.server, 1, 1);
        pair_settle(&pair);
    }
    CHECK_OK(usmp_ping(pair.client.usmp));
    pair_settle(&pair);
    pair_advance(&pair, 2000);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_SEQUENCE_SPENT);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_MESSAGE), LEFT - 1);
    pair_free(&pair);
}

static void keepalive_runs_out_of_numbers_too(void)
{
    open_late();
    pair.client.settings.keepalive_interval = 1000;
    for (size_t i = 0; i < LEFT - 1; i++) {
        end_send_pattern(&pair, &pair.client, 1, 1);
        pair_settle(&pair);
    }
    pair_advance(&pair, 3000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_SEQUENCE_SPENT);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    pair_free(&pair);
}

static void rekey_gives_the_numbers_back(void)
{
    open_late();
    for (unsigned generation = 0; generation < 5; generation++) {
        for (size_t i = 0; i < LEFT - 4; i++) {
            end_send_pattern(&pair, &pair.client, (unsigned)i, 20);
            end_send_pattern(&pair, &pair.server, (unsigned)i, 20);
            pair_settle(&pair);
        }
        CHECK_OK(usmp_rekey(pair.client.usmp, true));
        pair_settle(&pair);
    }
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_MESSAGE), 5 * (LEFT - 4));
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), 5 * (LEFT - 4));
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 5);
    pair_free(&pair);
}

static void a_late_rekey_closes(void)
{
    open_late();
    for (size_t i = 0; i < LEFT - 2; i++) {
        end_send_pattern(&pair, &pair.server, 1, 1);
        pair_settle(&pair);
    }
    CHECK_OK(usmp_rekey(pair.server.usmp, true));
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_SEQUENCE_SPENT);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    pair_free(&pair);
}

static void closing_with_all_numbers_used(void)
{
    open_late();
    for (size_t i = 0; i < LEFT - 1; i++) {
        end_send_pattern(&pair, &pair.client, 1, 1);
        pair_settle(&pair);
    }
    usmp_close(pair.client.usmp, pair_now(&pair));
    usmp_close(pair.client.usmp, pair_now(&pair));
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_BYE), 1);
    pair_free(&pair);
}

void sequence_end_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("numbers run out: the last one is for BYE", the_last_number_is_for_bye);
        PER_TRANSPORT("numbers run out: no message is begun that cannot be ended", no_message_is_begun_that_cannot_be_ended);
        PER_TRANSPORT("numbers run out: by a PONG", pongs_run_out_of_numbers_too);
        PER_TRANSPORT("numbers run out: by a keepalive", keepalive_runs_out_of_numbers_too);
        PER_TRANSPORT("numbers run out: a change of keys in time gives all of them back", rekey_gives_the_numbers_back);
        PER_TRANSPORT("numbers run out: a change of keys that comes too late closes", a_late_rekey_closes);
        PER_TRANSPORT("numbers run out: closing with the last one sends nothing more", closing_with_all_numbers_used);
    }
}
