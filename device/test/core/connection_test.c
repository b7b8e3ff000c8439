/** The handshake over whatever carries it, and what a connection says about calls at the wrong time. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"
#include "transports.h"

#include "usmp/frame.h"


static void opens(void)
{
    static const uint8_t device_id[6] = TEST_DEVICE_ID;
    pair_options_t all = options();
    all.least_delay = 5;
    all.most_delay = 20;
    all.largest_piece = 7;
    pair_begin(&pair, &all);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
    pair_settle(&pair);
    CHECK_TYPES(&pair.client, USMP_EVENT_OPEN);
    CHECK_TYPES(&pair.server, USMP_EVENT_KEYS_WANTED, USMP_EVENT_OPEN);
    if (test_has_failed()) return;
    const usmp_event_t *mine = end_event(&pair.client, USMP_EVENT_OPEN, 0);
    const usmp_event_t *theirs = end_event(&pair.server, USMP_EVENT_OPEN, 0);
    const usmp_event_t *wanted = end_event(&pair.server, USMP_EVENT_KEYS_WANTED, 0);
    CHECK_BYTES(mine->data, mine->length, theirs->data, theirs->length);
    CHECK_BYTES(wanted->data, wanted->length, device_id, sizeof device_id);
    CHECK_NUMBER(mine->length, 16);
    check_talks();
    pair_free(&pair);
}

static void a_server_waits_to_be_spoken_to(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    pair.client.line.silent = true;
    pair_advance(&pair, 5000);
    CHECK_NUMBER(pair.server.line.written, 0);
    CHECK_NUMBER(pair.server.event_count, 0);
    pair_free(&pair);
}

static void two_keys(void)
{
    static const char *const KEYS[] = {"the new key of this device", "the old key of this device",
                                       "a third key of this device"};
    for (size_t proved = 0; proved < 2; proved++) {
        pair_options_t all = options();
        all.client_key = KEYS[proved];
        for (size_t i = 0; i < 3; i++) all.server_keys[i] = KEYS[i];
        pair_begin(&pair, &all);
        pair_settle(&pair);
        const usmp_event_t *event = end_event(&pair.server, USMP_EVENT_OPEN, 0);
        if (CHECK(event != NULL)) CHECK_NUMBER(event->index, proved);
        check_talks();
        pair_free(&pair);
    }
}

/** What must not let anyone in. */
static void keys_that_do_not_count(void)
{
    static const struct {
        const char *client, *server[3];
        bool nobody;
        /** The client proves no more than this of its key; 0: all of it. */
        size_t proves;
    } CASES[] = {
        {"a key for the test bed", {"another key of this device"}, false, 0},
        {"a key for the test bed", {NULL}, true, 0},
        {"a key for the test bed", {"another key of this device", "and one more of this device"}, false, 0},
        {TEST_DECOY, {NULL}, true, 0},
        {TEST_DECOY, {"another key of this device"}, false, 0},
        {"shorter than 16!", {"shorter than 16"}, false, 15},
        {"shorter than 16!", {"another key of this device", "shorter than 16"}, false, 15},
        {"the third key of a device",
         {"the first key of a device", "the second key of a device", "the third key of a device"},
         false,
         0},
    };
    CHECK_NUMBER(strlen(TEST_DECOY), 32);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        pair_options_t all = options();
        test_context("case %zu", i);
        all.client_key = CASES[i].client;
        memcpy(all.server_keys, CASES[i].server, sizeof all.server_keys);
        all.knows_nobody = CASES[i].nobody;
        pair_begin(&pair, &all);
        if (CASES[i].proves > 0) pair.client.settings.psk_length = CASES[i].proves;
        pair_settle(&pair);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_WRONG_KEY);
        CHECK_NUMBER(line_count_type(&pair.server.line, USMP_CHALLENGE), 1);
        CHECK_NUMBER(line_count_type(&pair.server.line, USMP_SESSION_OK), 0);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_OPEN), 0);
        CHECK(!seam_finds_secret(pair.server.usmp, sizeof *pair.server.usmp));
        CHECK(usmp_device_id(pair.server.usmp) == NULL);
        pair_free(&pair);
    }
}

static void tells_the_device_once_it_has_authenticated(void)
{
    static const uint8_t device_id[6] = TEST_DEVICE_ID;
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    CHECK(usmp_device_id(pair.server.usmp) == NULL);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    if (CHECK(usmp_device_id(pair.server.usmp) != NULL)) CHECK_BYTES(usmp_device_id(pair.server.usmp), 6, device_id, 6);
    CHECK(usmp_device_id(pair.client.usmp) == NULL);
    pair_free(&pair);

    all.leaves_keys_open = false;
    all.knows_nobody = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    CHECK(usmp_device_id(pair.server.usmp) == NULL);
    pair_free(&pair);
}

static void unknown_devices_cost_as_much(void)
{
    static const char *const KEYS[] = {NULL, "another key of this device", "a second key of a device"};
    unsigned macs[3] = {0}, agreements[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        pair_options_t all = options();
        for (size_t j = 0; j < i; j++) all.server_keys[j] = KEYS[j + 1];
        all.knows_nobody = i == 0;
        all.leaves_keys_open = true;
        pair_begin(&pair, &all);
        pair_settle(&pair);
        unsigned before = seam_count(SEAM_HMAC), agreed = seam_count(SEAM_AGREE);
        usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, pair.key_count, pair_now(&pair));
        macs[i] = seam_count(SEAM_HMAC) - before;
        agreements[i] = seam_count(SEAM_AGREE) - agreed;
        end_drain(&pair, &pair.server);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_WRONG_KEY);
        pair_free(&pair);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_NUMBER(macs[i], 2);
        CHECK_NUMBER(agreements[i], 0);
    }
}

static void late_keys(void)
{
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    CHECK_TYPES(&pair.server, USMP_EVENT_KEYS_WANTED);
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_CHALLENGE), 1);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_HELLO_ACK), 1);
    pair_advance(&pair, 9000);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, pair.key_count, pair_now(&pair));
    pair_settle(&pair);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    check_talks();
    pair_free(&pair);
}

static void keys_may_come_before_hello_ack(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    end_drain(&pair, &pair.client);
    pair_deliver(&pair, &pair.server, 2000);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_KEYS_WANTED), 1);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_HANDSHAKE);
    pair_settle(&pair);
    CHECK_NUMBER(usmp_state(pair.server.usmp), USMP_STATE_OPEN);
    pair_free(&pair);
}

static void keys_have_no_effect_elsewhere(void)
{
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    usmp_provide_keys(pair.client.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    usmp_handle_end(pair.server.usmp);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK_TYPES(&pair.server, USMP_EVENT_KEYS_WANTED, USMP_EVENT_CLOSED);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
    pair_free(&pair);

    open_pair();
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    check_talks();
    pair_free(&pair);
}

static void commands_wait_for_the_session(void)
{
    pair_options_t all = options();
    static usmp_t idle;
    pair_begin(&pair, &all);
    usmp_t *const ends[] = {&idle, pair.client.usmp, pair.server.usmp};
    for (size_t i = 0; i < COUNT(ends); i++) {
        CHECK_ERROR(usmp_send(ends[i], (const uint8_t *)"x", 1, 0), USMP_ERROR_NOT_CONNECTED);
        CHECK_ERROR(usmp_ping(ends[i]), USMP_ERROR_NOT_CONNECTED);
        CHECK_ERROR(usmp_rekey(ends[i], false), USMP_ERROR_NOT_CONNECTED);
        CHECK(!usmp_can_send(ends[i], 0));
    }
    pair_free(&pair);
}

static void an_idle_connection_is_harmless(void)
{
    static usmp_t idle;
    usmp_event_t event;
    size_t length;
    uint8_t byte = 0xCD;
    memset(&idle, 0, sizeof idle);
    CHECK_NUMBER(usmp_state(&idle), USMP_STATE_IDLE);
    CHECK(!usmp_poll_event(&idle, &event));
    CHECK(usmp_poll_transmit(&idle, 0, &length) == NULL);
    CHECK_NUMBER(length, 0);
    CHECK_NUMBER(usmp_poll_timeout(&idle, 0), USMP_NEVER);
    CHECK_NUMBER(usmp_pending_transmit(&idle), 0);
    CHECK(!usmp_lingers(&idle));
    CHECK_NUMBER(usmp_handle_input(&idle, &byte, 1, 0), 1);
    usmp_transmitted(&idle, 1, 0);
    usmp_handle_timeout(&idle, 0);
    usmp_handle_end(&idle);
    usmp_close(&idle, 0);
    CHECK_NUMBER(usmp_state(&idle), USMP_STATE_IDLE);
    CHECK(!usmp_poll_event(&idle, &event));
    usmp_wipe(&idle);
}

static void settings_are_checked(void)
{
    static usmp_t usmp;
    usmp_settings_t settings = {0};
    settings.transport = transport;
    settings.psk = (const uint8_t *)"fifteen bytes..";
    settings.psk_length = 15;
    CHECK_ERROR(usmp_connect(&usmp, &settings, 0), USMP_ERROR_KEY_TOO_SHORT);
    CHECK_ERROR(usmp_accept(&usmp, &settings, 0), USMP_ERROR_INVALID_ARGUMENT);
    settings.transport = (usmp_transport_t)7;
    settings.psk_length = 16;
    CHECK_ERROR(usmp_connect(&usmp, &settings, 0), USMP_ERROR_INVALID_ARGUMENT);
    settings.decoy_key = (const uint8_t *)"thirty-two bytes that are a decoy";
    CHECK_ERROR(usmp_accept(&usmp, &settings, 0), USMP_ERROR_INVALID_ARGUMENT);
    CHECK_NUMBER(usmp_state(&usmp), USMP_STATE_IDLE);
}

static void closing_a_handshake_sends_nothing(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    usmp_close(pair.server.usmp, pair_now(&pair));
    usmp_close(pair.client.usmp, pair_now(&pair));
    pair_settle(&pair);
    CHECK_TYPES(&pair.server, USMP_EVENT_CLOSED);
    CHECK_TYPES(&pair.client, USMP_EVENT_CLOSED);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CLOSED);
    CHECK_NUMBER(pair.server.line.written, 0);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_BYE), 0);
    CHECK(!usmp_lingers(pair.client.usmp));
    pair_free(&pair);
}

static void prepared_keys_are_used(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    usmp_wipe(pair.client.usmp);
    CHECK_OK(usmp_prepare(pair.client.usmp));
    unsigned before = seam_count(SEAM_PUBLIC_KEY);
    CHECK_OK(usmp_prepare(pair.client.usmp));
    CHECK_OK(usmp_connect(pair.client.usmp, &pair.client.settings, pair_now(&pair)));
    CHECK_NUMBER(seam_count(SEAM_PUBLIC_KEY), before);
    pair_settle(&pair);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
    pair_free(&pair);
}

static void connects_again_at_any_time(void)
{
    for (unsigned point = 0; point < 6; point++) {
        pair_options_t all = options();
        test_context("point %u", point);
        pair_begin(&pair, &all);
        if (point == 1) end_drain(&pair, &pair.client);
        if (point == 2) {
            end_drain(&pair, &pair.client);
            pair_deliver(&pair, &pair.server, 2000);
            pair_deliver(&pair, &pair.client, 76);
        }
        if (point >= 3) pair_settle(&pair);
        if (point == 4) usmp_close(pair.client.usmp, pair_now(&pair));
        if (point == 5) {
            end_send_pattern(&pair, &pair.client, 1, 100);
            CHECK_OK(usmp_rekey(pair.client.usmp, false));
            end_drain(&pair, &pair.client);
        }
        uint8_t dropped[4000];
        (void)line_take(&pair.client.line, dropped, sizeof dropped);
        (void)line_take(&pair.server.line, dropped, sizeof dropped);
        pair.client.line.partial_length = pair.server.line.partial_length = 0;
        if (point == 3) CHECK_OK(usmp_prepare(pair.client.usmp));
        CHECK_OK(usmp_connect(pair.client.usmp, &pair.client.settings, pair_now(&pair)));
        CHECK_OK(usmp_accept(pair.server.usmp, &pair.server.settings, pair_now(&pair)));
        end_forget_events(&pair.client);
        end_forget_events(&pair.server);
        pair_settle(&pair);
        CHECK_TYPES(&pair.client, USMP_EVENT_OPEN);
        check_talks();
        pair_free(&pair);
    }
}

static void handshakes_are_fresh(void)
{
    uint8_t ids[4][16], keys[4][64];
    for (size_t i = 0; i < 4; i++) {
        pair_options_t all = options();
        all.seed = (uint32_t)i;
        pair_open(&pair, &all);
        memcpy(ids[i], pair.client.usmp->layer.record.session_id, 16);
        memcpy(keys[i], pair.client.usmp->layer.record.keys, 64);
        CHECK_BYTES(keys[i], 32, pair.server.usmp->layer.record.keys + 32, 32);
        CHECK_BYTES(keys[i] + 32, 32, pair.server.usmp->layer.record.keys, 32);
        CHECK(memcmp(keys[i], keys[i] + 32, 32) != 0);
        for (size_t j = 0; j < i; j++) CHECK(memcmp(ids[i], ids[j], 16) != 0 && memcmp(keys[i], keys[j], 64) != 0);
        pair_free(&pair);
    }
}

void connection_suite(void)
{
    test("an idle connection takes every call and does nothing", an_idle_connection_is_harmless);
    for (size_t i = 0; i < TRANSPORTS_COUNT; i++) {
        PER_TRANSPORT("a handshake opens both ends, and tells each who the other is", opens);
        PER_TRANSPORT("a server says nothing until it is spoken to", a_server_waits_to_be_spoken_to);
        PER_TRANSPORT("the server tells which of two keys the device has proved", two_keys);
        PER_TRANSPORT("a wrong key, an unknown id, a short key, a third key and the decoy let nobody in",
                      keys_that_do_not_count);
        PER_TRANSPORT("who the device is, is told once it has authenticated", tells_the_device_once_it_has_authenticated);
        PER_TRANSPORT("an unknown device costs as many MACs as a known one, and neither costs an agreement",
                      unknown_devices_cost_as_much);
        PER_TRANSPORT("CHALLENGE leaves before the keys are known, which may come late", late_keys);
        PER_TRANSPORT("the keys may come before HELLO_ACK", keys_may_come_before_hello_ack);
        PER_TRANSPORT("keys that come after the end, to a client or to a session have no effect",
                      keys_have_no_effect_elsewhere);
        PER_TRANSPORT("commands wait for the open session", commands_wait_for_the_session);
        PER_TRANSPORT("settings that cannot be used are refused", settings_are_checked);
        PER_TRANSPORT("closing before the session is open sends no BYE", closing_a_handshake_sends_nothing);
        PER_TRANSPORT("a key pair that was prepared is used", prepared_keys_are_used);
        PER_TRANSPORT("the same memory connects again at any time", connects_again_at_any_time);
        PER_TRANSPORT("each handshake has fresh keys and a fresh session id", handshakes_are_fresh);
    }
}
