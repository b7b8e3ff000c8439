/** Cryptography that fails, at each of its calls. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


/** In plain sight on the line, should it ever get there. */
static const char SECRET_TEXT[] = "this text must not be read by anybody on the line";
static bool leaked;

static unsigned watching_for_plaintext(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)with;
    (void)from;
    for (size_t i = 0; i + 16 <= length; i++) leaked |= memcmp(frame + i, SECRET_TEXT, 16) == 0;
    return 1;
}

/** Failing calls may make calls of the API fail, with crypto_failed and nothing else. */
static void expect_crypto_failure(usmp_error_t error)
{
    if (error != USMP_OK && error != USMP_ERROR_NOT_CONNECTED && error != USMP_ERROR_BUSY)
        CHECK_ERROR(error, USMP_ERROR_CRYPTO_FAILED);
}

static void live_a_whole_life(void)
{
    end_t *const ends[] = {&pair.client, &pair.server};
    pair_settle(&pair);
    for (unsigned i = 0; i < 2; i++) {
        expect_crypto_failure(usmp_send(ends[i]->usmp, (const uint8_t *)SECRET_TEXT, sizeof SECRET_TEXT, pair_now(&pair)));
        (void)usmp_ping(ends[i]->usmp);
        pair_settle(&pair);
    }
    expect_crypto_failure(usmp_rekey(pair.client.usmp, true));
    pair_settle(&pair);
    expect_crypto_failure(usmp_rekey(pair.server.usmp, true));
    pair_settle(&pair);
    expect_crypto_failure(usmp_rekey(pair.server.usmp, true));
    expect_crypto_failure(usmp_rekey(pair.client.usmp, true));
    pair_settle(&pair);
    for (unsigned i = 0; i < 2; i++) {
        expect_crypto_failure(usmp_send(ends[i]->usmp, (const uint8_t *)SECRET_TEXT, sizeof SECRET_TEXT, pair_now(&pair)));
    }
    pair_settle(&pair);
    usmp_close(pair.client.usmp, pair_now(&pair));
    pair_settle(&pair);
}

static void failures_end_in_order(bool broken)
{
    unsigned calls = 1000;
    for (unsigned n = 0; n <= calls; n += broken ? 3 : 1) {
        pair_options_t all = options();
        all.path = watching_for_plaintext;
        all.server.idle_timeout = 30000;
        all.client.keepalive_interval = 10000;
        all.least_delay = all.most_delay = 5;
        leaked = false;
        pair_begin(&pair, &all);
        test_context("call %u fails%s", n, broken ? " and all after it" : "");
        seam_fail(n, broken);
        live_a_whole_life();
        if (n == 0) {
            calls = seam_calls();
            CHECK(calls > 30);
            CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
        }
        pair_advance(&pair, 200000);
        CHECK(!leaked);
        for (unsigned i = 0; i < 2; i++) {
            end_t *end = end_number(i);
            CHECK_NUMBER(usmp_state(end->usmp), USMP_STATE_CLOSED);
            CHECK(!usmp_lingers(end->usmp));
            CHECK_NUMBER(end_count(end, USMP_EVENT_CLOSED), 1);
            CHECK(!seam_finds_secret(end->usmp, sizeof *end->usmp));
        }
        CHECK_NUMBER(seam_live_keys(), 0);
        if (n > 0 && transport == USMP_TRANSPORT_STREAM && !broken) {
            bool told =
                end_closed(&pair.client) == USMP_ERROR_CRYPTO_FAILED || end_closed(&pair.server) == USMP_ERROR_CRYPTO_FAILED;
            /* What fails after the end of one side, or to open a frame, cannot be told apart from other failures. */
            bool forged = end_closed(&pair.client) == USMP_ERROR_BAD_TAG || end_closed(&pair.server) == USMP_ERROR_BAD_TAG;
            bool closing = end_closed(&pair.client) == USMP_ERROR_CLOSED;
            CHECK(told || forged || closing);
        }
        pair_free(&pair);
        if (test_has_failed()) break;
    }
    seam_fail(0, false);
}

static void one_failure_ends_in_order(void)
{
    failures_end_in_order(false);
}

static void broken_cryptography_ends_in_order(void)
{
    failures_end_in_order(true);
}

static void failures_to_begin_are_told(void)
{
    static usmp_t usmp;
    usmp_settings_t settings = {0};
    settings.transport = transport;
    settings.psk = (const uint8_t *)TEST_PSK;
    settings.psk_length = strlen(TEST_PSK);
    for (unsigned n = 1; n <= 2; n++) {
        seam_reset(1);
        seam_fail(n, false);
        CHECK_ERROR(usmp_connect(&usmp, &settings, 0), USMP_ERROR_CRYPTO_FAILED);
        CHECK_NUMBER(usmp_state(&usmp), USMP_STATE_IDLE);
        CHECK(!seam_finds_secret(&usmp, sizeof usmp));
        seam_fail(n, false);
        CHECK_ERROR(usmp_prepare(&usmp), USMP_ERROR_CRYPTO_FAILED);
        CHECK_OK(usmp_prepare(&usmp));
        CHECK_OK(usmp_connect(&usmp, &settings, 0));
        usmp_wipe(&usmp);
    }
    seam_reset(1);
}

void crypto_failures_suite(void)
{
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("cryptography that fails at the beginning is told by the call", failures_to_begin_are_told);
        PER_TRANSPORT("one failing call of cryptography ends in order, whichever it is", one_failure_ends_in_order);
        PER_TRANSPORT("cryptography that fails for ever ends in order, whenever it begins",
                      broken_cryptography_ends_in_order);
    }
}
