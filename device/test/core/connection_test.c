/** What holds of a connection over whatever carries it: stream, serial line, datagrams. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"

static const struct {
    usmp_transport_t transport;
    const char *name;
} TRANSPORTS[] = {
#if USMP_STREAM
    {USMP_TRANSPORT_STREAM, "stream"},
#endif
#if USMP_SERIAL
    {USMP_TRANSPORT_SERIAL, "serial"},
#endif
#if USMP_DATAGRAM
    {USMP_TRANSPORT_DATAGRAM, "datagrams"},
#endif
};

/** What is tested at present. */
static usmp_transport_t transport;

static pair_t pair;

static pair_options_t options(void)
{
    pair_options_t all = {0};
    all.transport = transport;
    return all;
}

static void open_pair(void)
{
    pair_options_t all = options();
    pair_open(&pair, &all);
}

/** Sizes at which the number of frames changes, as far as messages go here. */
static const size_t SIZES[] = {0, 1, 2, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808};

static size_t size_number(size_t i)
{
    size_t size = SIZES[i % COUNT(SIZES)];
    return size <= USMP_MAX_MESSAGE ? size : size % (USMP_MAX_MESSAGE + 1);
}

static void check_talks(void)
{
    size_t up = end_count(&pair.server, USMP_EVENT_MESSAGE);
    size_t down = end_count(&pair.client, USMP_EVENT_MESSAGE);
    end_send_pattern(&pair, &pair.client, 201, USMP_MAX_MESSAGE);
    end_send_pattern(&pair, &pair.server, 202, USMP_MAX_MESSAGE);
    pair_settle(&pair);
    CHECK(end_has_message(&pair.server, up, 201, USMP_MAX_MESSAGE));
    CHECK(end_has_message(&pair.client, down, 202, USMP_MAX_MESSAGE));
}

static void check_types(const end_t *end, const usmp_event_type_t *types, size_t count)
{
    if (!CHECK_NUMBER(end->event_count, count)) return;
    for (size_t i = 0; i < count; i++) CHECK_NUMBER(end->events[i].event.type, types[i]);
}

#define CHECK_TYPES(end, ...)                                                                                                    \
    check_types(end, (const usmp_event_type_t[]){__VA_ARGS__}, COUNT(((const usmp_event_type_t[]){__VA_ARGS__})))

/* ── Handshake ───────────────────────────────────────────────────────────────────────────────────────────────────── */

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

static void two_keys(void)
{
    static const char *const KEYS[] = {"the new key of this device", "the old key of this device", "a third key of this device"};
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
    } CASES[] = {
        {"a key for the test bed", {"another key of this device"}, false},
        {"a key for the test bed", {NULL}, true},
        {"a key for the test bed", {"another key of this device", "and one more of this device"}, false},
        {"nobody has this key.............", {NULL}, true},
        {"shorter than 16!", {"shorter than 16"}, false},
        {"the third key of a device", {"the first key of a device", "the second key of a device", "the third key of a device"}, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        pair_options_t all = options();
        test_context("case %zu", i);
        all.client_key = CASES[i].client;
        memcpy(all.server_keys, CASES[i].server, sizeof all.server_keys);
        all.knows_nobody = CASES[i].nobody;
        pair_begin(&pair, &all);
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
    usmp_provide_keys(pair.server.usmp, pair.keys, 1, pair_now(&pair));
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
        usmp_provide_keys(pair.server.usmp, pair.keys, pair.key_count, pair_now(&pair));
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
    usmp_provide_keys(pair.server.usmp, pair.keys, pair.key_count, pair_now(&pair));
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
    usmp_provide_keys(pair.client.usmp, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    usmp_handle_end(pair.server.usmp);
    usmp_provide_keys(pair.server.usmp, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK_TYPES(&pair.server, USMP_EVENT_KEYS_WANTED, USMP_EVENT_CLOSED);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
    pair_free(&pair);

    open_pair();
    usmp_provide_keys(pair.server.usmp, pair.keys, 1, pair_now(&pair));
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

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void messages_of_all_sizes(void)
{
    static const size_t PIECES[] = {1, 13, 700, 0};
    for (size_t i = 0; i < COUNT(PIECES); i++) {
        pair_options_t all = options();
        all.seed = 7;
        all.most_delay = 30;
        all.largest_piece = PIECES[i];
        pair_open(&pair, &all);
        for (size_t j = 0; j < COUNT(SIZES); j++) {
            end_send_pattern(&pair, &pair.client, (unsigned)j, size_number(j));
            end_send_pattern(&pair, &pair.server, (unsigned)(100 + j), size_number(j));
            pair_settle(&pair);
        }
        for (size_t j = 0; j < COUNT(SIZES); j++) {
            CHECK(end_has_message(&pair.server, j, (unsigned)j, size_number(j)));
            CHECK(end_has_message(&pair.client, j, (unsigned)(100 + j), size_number(j)));
        }
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), COUNT(SIZES));
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
            size_t size = chance_percent(&chance, 50) ? chance_between(&chance, 0, 60) : chance_between(&chance, 0, USMP_MAX_MESSAGE);
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

/* ── PING and PONG ───────────────────────────────────────────────────────────────────────────────────────────────── */

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

/* ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

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
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_PONG), transport == USMP_TRANSPORT_STREAM ? 10 : end_count(&pair.client, USMP_EVENT_PONG));
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
        if (!CHECK(end_has_message(&pair.server, 0, hours, 100)) || !CHECK(end_has_message(&pair.client, 0, hours + 1, 10))) break;
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

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

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
                if (memcmp(bytes + at, old, 32) == 0 || memcmp(bytes + at, old + 32, 32) == 0) FAIL("an old key at the %s", ends[j]->name);
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
    usmp_provide_keys(pair.server.usmp, pair.keys, 1, pair_now(&pair));
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

/* ── Sequence numbers that run out ───────────────────────────────────────────────────────────────────────────────── */

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

/* ── REKEY ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static end_t *initiator(unsigned number)
{
    return number == 0 ? &pair.client : &pair.server;
}

static void rekey_completes_on_an_idle_line(void)
{
    for (unsigned i = 0; i < 2; i++) {
        pair_options_t all = options();
        all.least_delay = all.most_delay = 10;
        pair_open(&pair, &all);
        CHECK_OK(usmp_rekey(initiator(i)->usmp, false));
        pair_settle(&pair);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 1);
        CHECK_NUMBER(line_count_type(&initiator(i)->line, USMP_PING), 1);
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
            CHECK_OK(usmp_rekey(initiator(i)->usmp, true));
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
                end_t *end = initiator(j);
                size_t size = size_number(chance_between(&chance, 0, COUNT(SIZES) - 1));
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
            end_t *other = initiator(1 - j);
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

/* ── Cryptography that fails ─────────────────────────────────────────────────────────────────────────────────────── */

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
    if (error != USMP_OK && error != USMP_ERROR_NOT_CONNECTED && error != USMP_ERROR_BUSY) CHECK_ERROR(error, USMP_ERROR_CRYPTO_FAILED);
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
            end_t *end = initiator(i);
            CHECK_NUMBER(usmp_state(end->usmp), USMP_STATE_CLOSED);
            CHECK(!usmp_lingers(end->usmp));
            CHECK_NUMBER(end_count(end, USMP_EVENT_CLOSED), 1);
            CHECK(!seam_finds_secret(end->usmp, sizeof *end->usmp));
        }
        CHECK_NUMBER(seam_live_keys(), 0);
        if (n > 0 && transport == USMP_TRANSPORT_STREAM && !broken) {
            bool told = end_closed(&pair.client) == USMP_ERROR_CRYPTO_FAILED || end_closed(&pair.server) == USMP_ERROR_CRYPTO_FAILED;
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

#define PER_TRANSPORT(promise, run)                                                                                              \
    do {                                                                                                                         \
        test_begin("%s: %s", TRANSPORTS[i].name, promise);                                                                       \
        run();                                                                                                                   \
        test_end();                                                                                                              \
    } while (0)

void connection_suite(void)
{
    test("an idle connection takes every call and does nothing", an_idle_connection_is_harmless);
    for (size_t i = 0; i < COUNT(TRANSPORTS); i++) {
        transport = TRANSPORTS[i].transport;
        PER_TRANSPORT("a handshake opens both ends, and tells each who the other is", opens);
        PER_TRANSPORT("the server tells which of two keys the device has proved", two_keys);
        PER_TRANSPORT("a wrong key, an unknown id, a short key, a third key and the decoy let nobody in", keys_that_do_not_count);
        PER_TRANSPORT("who the device is, is told once it has authenticated", tells_the_device_once_it_has_authenticated);
        PER_TRANSPORT("an unknown device costs as many MACs as a known one, and neither costs an agreement",
                      unknown_devices_cost_as_much);
        PER_TRANSPORT("CHALLENGE leaves before the keys are known, which may come late", late_keys);
        PER_TRANSPORT("the keys may come before HELLO_ACK", keys_may_come_before_hello_ack);
        PER_TRANSPORT("keys that come after the end, to a client or to a session have no effect", keys_have_no_effect_elsewhere);
        PER_TRANSPORT("commands wait for the open session", commands_wait_for_the_session);
        PER_TRANSPORT("settings that cannot be used are refused", settings_are_checked);
        PER_TRANSPORT("closing before the session is open sends no BYE", closing_a_handshake_sends_nothing);
        PER_TRANSPORT("a key pair that was prepared is used", prepared_keys_are_used);
        PER_TRANSPORT("the same memory connects again at any time", connects_again_at_any_time);
        PER_TRANSPORT("each handshake has fresh keys and a fresh session id", handshakes_are_fresh);

        PER_TRANSPORT("messages arrive once and in order, however the line cuts them", messages_of_all_sizes);
        PER_TRANSPORT("messages of every size arrive", every_size);
        PER_TRANSPORT("a message above the limit is refused, and the session lives on", too_large_messages_are_refused);
        PER_TRANSPORT("busy until what was sent before has left, and can_send says the same as send", busy_until_it_has_left);
        PER_TRANSPORT("what waits to be sent is counted", pending_counts_down);
        PER_TRANSPORT("no event is lost: input waits until events have been polled", events_wait_and_input_waits_for_them);

        PER_TRANSPORT("PING measures the round trip", ping_measures);
        PER_TRANSPORT("with several PINGs under way the round trip is true or untold", two_pings_under_way);
        PER_TRANSPORT("PINGs that nobody answered do not stand in the way of others", pings_that_nobody_answered_are_forgotten);
        PER_TRANSPORT("a peer that pings and does not read is owed a few PONGs and no more", few_pongs_are_owed);

        PER_TRANSPORT("the handshake has its time, also where the clock wraps", handshake_has_its_time);
        PER_TRANSPORT("the time for the handshake can be set", handshake_time_can_be_set);
        PER_TRANSPORT("an open session is not touched by the time for the handshake", open_sessions_forget_the_handshake_time);
        PER_TRANSPORT("a client that has nothing to say sends PING, and both sides stay", keepalive_keeps_alive);
        PER_TRANSPORT("the default times keep a session alive, and end it when the line is dead", the_defaults_keep_a_session);
        PER_TRANSPORT("a client that only sends asks for a sign of life all the same", one_way_traffic_asks_for_a_sign);
        PER_TRANSPORT("a line that falls silent ends the session at both sides, each in its time", silence_is_noticed);
        PER_TRANSPORT("a peer that answers no PING is dead after three of them", pings_are_missed_three_times);
        PER_TRANSPORT("PINGs of the application do not put off the verdict on a dead peer", own_pings_do_not_put_off_the_verdict);
        PER_TRANSPORT("any sign of life sets the count of missed PINGs back", a_sign_of_life_sets_the_count_back);
        PER_TRANSPORT("one late call of the clock is one missed PING, however late it is", a_late_clock_is_one_missed_ping);
        PER_TRANSPORT("calling the clock early does nothing", calling_early_does_nothing);
        PER_TRANSPORT("a part of a frame is no sign of life", part_of_a_frame_is_no_sign_of_life);
        PER_TRANSPORT("a session lives for 60 days with traffic, through two wraps of the clock", sessions_live_for_months);
        PER_TRANSPORT("a session without deadlines lasts through 60 days of silence", silence_without_deadlines_lasts);

        PER_TRANSPORT("BYE reaches the peer behind all messages, and each side is told once", bye_comes_behind_all);
        PER_TRANSPORT("after the end nothing is taken, sent or told, and no deadline is left", nothing_happens_after_the_end);
        PER_TRANSPORT("both sides closing at once is an orderly end for both", both_close_at_once);
        PER_TRANSPORT("no PONG is sent by a connection that has closed", no_pong_of_a_closed_connection);
        PER_TRANSPORT("closing ends in its time when the line takes nothing", closing_takes_no_longer_than_it_may);
        PER_TRANSPORT("no key is left in the connection, however its end comes", no_key_is_left);
        PER_TRANSPORT("after a change of keys the old ones are gone", only_the_present_keys_live);
        PER_TRANSPORT("a connection that was wiped is an idle one, all zero bytes", a_wiped_connection_is_idle);
        PER_TRANSPORT("an event that is polled after the end tells what was true, or is not told", events_of_what_is_over_do_not_lie);

        PER_TRANSPORT("numbers run out: the last one is for BYE", the_last_number_is_for_bye);
        PER_TRANSPORT("numbers run out: no message is begun that cannot be ended", no_message_is_begun_that_cannot_be_ended);
        PER_TRANSPORT("numbers run out: by a PONG", pongs_run_out_of_numbers_too);
        PER_TRANSPORT("numbers run out: by a keepalive", keepalive_runs_out_of_numbers_too);
        PER_TRANSPORT("numbers run out: a change of keys in time gives all of them back", rekey_gives_the_numbers_back);
        PER_TRANSPORT("numbers run out: a change of keys that comes too late closes", a_late_rekey_closes);
        PER_TRANSPORT("numbers run out: closing with the last one sends nothing more", closing_with_all_numbers_used);

        PER_TRANSPORT("REKEY completes on an idle line, from either side", rekey_completes_on_an_idle_line);
        PER_TRANSPORT("REKEY many times in a row, with messages in every generation", many_rekeys_in_a_row);
        PER_TRANSPORT("REKEY asked for again before it is complete serves both calls", one_rekey_serves_all_calls);
        PER_TRANSPORT("REKEYs that cross complete at both sides", rekeys_cross);
        PER_TRANSPORT("REKEYs from both sides lose nothing and double nothing of the traffic", traffic_survives_rekeys);
        PER_TRANSPORT("REKEY that is asked for while that of the peer is under way follows it", a_rekey_asked_for_meanwhile_follows);

        PER_TRANSPORT("cryptography that fails at the beginning is told by the call", failures_to_begin_are_told);
        PER_TRANSPORT("one failing call of cryptography ends in order, whichever it is", one_failure_ends_in_order);
        PER_TRANSPORT("cryptography that fails for ever ends in order, whenever it begins", broken_cryptography_ends_in_order);
    }
}
