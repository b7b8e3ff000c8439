/** What holds of a connection over a serial line alone, and of the endpoint that a server has for the line. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"

#if USMP_SERIAL && USMP_SERVER

static pair_t pair;

static pair_options_t options(void)
{
    pair_options_t all = {0};
    all.transport = USMP_TRANSPORT_SERIAL;
    all.endpoint = true;
    return all;
}

static void open_pair(void)
{
    pair_options_t all = options();
    pair_open(&pair, &all);
}

static void check_talks(void)
{
    size_t up = end_count(&pair.server, USMP_EVENT_MESSAGE);
    size_t down = end_count(&pair.client, USMP_EVENT_MESSAGE);
    end_send_pattern(&pair, &pair.client, 201, 30);
    end_send_pattern(&pair, &pair.server, 202, USMP_MAX_MESSAGE);
    pair_settle(&pair);
    CHECK(end_has_message(&pair.server, up, 201, 30));
    CHECK(end_has_message(&pair.client, down, 202, USMP_MAX_MESSAGE));
}

static bool is_open(const end_t *end)
{
    return usmp_state(end->usmp) == USMP_STATE_OPEN;
}

/** Puts a frame on the line as if an end had sent it. */
static void inject(end_t *to, unsigned type, const uint8_t *payload, size_t length)
{
    uint8_t frame[500], line[520];
    size_t size = make_frame(frame, type, type == USMP_HELLO_ACK ? 2 : 0, payload, length);
    size_t at = 0, code = 1;
    /* COBS, byte by byte: another way than that of the core. */
    line[at++] = 0;
    line[at++] = 1;
    for (size_t i = 0; i < size; i++) {
        if (frame[i] != 0) {
            line[at++] = frame[i];
            line[code]++;
        }
        if (frame[i] == 0 || line[code] == 0xFF) {
            code = at;
            line[at++] = 1;
        }
    }
    line[at++] = 0;
    end_input(&pair, to, line, at);
    pair_settle(&pair);
}

/* ── The client's patience ───────────────────────────────────────────────────────────────────────────────────────── */

static void begins_anew_after_a_loss(void)
{
    static const struct {
        unsigned type, count;
        uint32_t after;
    } CASES[] = {
        {USMP_HELLO, 2, 10000}, {USMP_CHALLENGE, 2, 10000}, {USMP_HELLO_ACK, 1, 10000}, {USMP_SESSION_OK, 1, 10000}};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        pair_options_t all = options();
        all.clock = UINT32_MAX - 7000;
        all.path = path_losing;
        test_context("type %u", CASES[i].type);
        pair_begin(&pair, &all);
        pair.type = CASES[i].type;
        pair.counter = CASES[i].count;
        pair_advance(&pair, CASES[i].after - 1);
        CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
        pair_advance(&pair, 1);
        CHECK(is_open(&pair.client));
        check_talks();
        pair_free(&pair);
    }
}

static uint8_t hellos[8][60];
static unsigned hello_count;

static unsigned keeping_hellos(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    if (from == &with->client && frame_type(with, frame) == USMP_HELLO && hello_count < 8) {
        memcpy(hellos[hello_count++], frame, length < 60 ? length : 60);
        return 0;
    }
    return 1;
}

static void each_hello_has_new_keys(void)
{
    pair_options_t all = options();
    all.path = keeping_hellos;
    hello_count = 0;
    pair_begin(&pair, &all);
    pair_advance(&pair, 29999);
    CHECK_NUMBER(hello_count, 6);
    for (unsigned i = 0; i < hello_count; i++) {
        for (unsigned j = 0; j < i; j++) CHECK(memcmp(hellos[i], hellos[j], 50) != 0);
    }
    CHECK_ERROR(end_closed(&pair.client), USMP_OK);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_HANDSHAKE_TIMEOUT);
    pair_free(&pair);
}

static void survives_damage(void)
{
    static const unsigned TYPES[] = {USMP_HELLO, USMP_CHALLENGE, USMP_HELLO_ACK, USMP_SESSION_OK};
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        pair_options_t all = options();
        all.path = path_damaging;
        test_context("type %u", TYPES[i]);
        pair_begin(&pair, &all);
        pair.type = TYPES[i];
        pair.counter = 1;
        pair_advance(&pair, 10000);
        CHECK(is_open(&pair.client));
        check_talks();
        pair_free(&pair);
    }
}

static void a_wrong_key_is_refused_after_all_tries(void)
{
    pair_options_t all = options();
    all.client_key = "not the key of the server";
    pair_begin(&pair, &all);
    pair_advance(&pair, 29999);
    CHECK_ERROR(end_closed(&pair.client), USMP_OK);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_CLOSED), 3);
    for (size_t i = 0; i < 3; i++) {
        const usmp_event_t *closed = end_event(&pair.server, USMP_EVENT_CLOSED, i);
        if (closed != NULL) CHECK_ERROR(closed->error, USMP_ERROR_WRONG_KEY);
    }
    pair_free(&pair);
}

/** One HELLO_ACK went unanswered, and no server after that: still refused (§10). */
static void one_unanswered_proof_is_enough(void)
{
    pair_options_t all = options();
    all.client_key = "not the key of the server";
    pair_begin(&pair, &all);
    pair_settle(&pair);
    pair.client.line.silent = true;
    pair_advance(&pair, 30000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    pair_free(&pair);
}

/** HELLO_ACK never got to the line: nobody can have refused it. */
static void a_proof_that_was_not_sent_proves_nothing(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    end_drain(&pair, &pair.client);
    pair.client.line.blocked = true;
    pair_settle(&pair);
    usmp_transmitted(pair.client.usmp, 0, pair_now(&pair));
    pair_advance(&pair, 30000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_HANDSHAKE_TIMEOUT);
    pair_free(&pair);
}

/** What waits for the line was not asked yet: the patience is that with the server. */
static void the_patience_begins_when_hello_is_on_the_line(void)
{
    pair_options_t all = options();
    all.path = path_losing;
    pair_begin(&pair, &all);
    pair.type = USMP_HELLO;
    pair.counter = 1;
    pair.client.line.blocked = true;
    unsigned pairs = seam_count(SEAM_PUBLIC_KEY);
    pair_advance(&pair, 12000);
    CHECK_NUMBER(seam_count(SEAM_PUBLIC_KEY), pairs);
    pair.client.line.blocked = false;
    pair_advance(&pair, 4999);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_HELLO), 1);
    pair_advance(&pair, 1);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_HELLO), 2);
    CHECK(is_open(&pair.client));
    pair_free(&pair);
}

static void what_was_not_sent_is_dropped(void)
{
    pair_options_t all = options();
    pair_begin(&pair, &all);
    for (uint32_t now = 0; now < 30000; now += 1000) {
        usmp_handle_timeout(pair.client.usmp, now);
        /* One HELLO in its encoding. */
        CHECK(usmp_pending_transmit(pair.client.usmp) >= 50 && usmp_pending_transmit(pair.client.usmp) <= 54);
    }
    pair_free(&pair);
}

static void a_rogue_server_is_found_at_once(void)
{
    static const uint8_t guess[48];
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    inject(&pair.client, USMP_SESSION_OK, guess, sizeof guess);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_ROGUE_SERVER);
    pair_free(&pair);
}

static void a_broken_line_says_nothing_about_the_server(void)
{
    pair_options_t all = options();
    for (unsigned settled = 0; settled < 2; settled++) {
        all.leaves_keys_open = true;
        pair_begin(&pair, &all);
        if (settled) pair_settle(&pair);
        usmp_handle_end(pair.client.usmp);
        end_drain(&pair, &pair.client);
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CONNECTION_LOST);
        pair_free(&pair);
    }
}

/** Without flow control, nothing may come in while the secret is computed (§3.2). */
static void the_secret_is_computed_before_hello_ack(void)
{
    uint8_t bytes[300];
    size_t length;
    pair_options_t all = options();
    pair_begin(&pair, &all);
    end_drain(&pair, &pair.client);
    length = line_take(&pair.client.line, bytes, sizeof bytes);
    end_input(&pair, &pair.server, bytes, length);
    length = end_take_output(&pair, &pair.server, bytes, sizeof bytes);
    end_input(&pair, &pair.client, bytes, length);
    CHECK(usmp_poll_transmit(pair.client.usmp, 0, &length) == NULL);
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, 0), 0);
    unsigned agreements = seam_count(SEAM_AGREE);
    usmp_handle_timeout(pair.client.usmp, 0);
    CHECK_NUMBER(seam_count(SEAM_AGREE), agreements + 1);
    CHECK(usmp_poll_transmit(pair.client.usmp, 0, &length) != NULL);
    pair_free(&pair);
}

/* ── What has no place ───────────────────────────────────────────────────────────────────────────────────────────── */

static void what_is_not_awaited_is_dropped(void)
{
    uint8_t payload[64];
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pattern(payload, sizeof payload, 9);
    inject(&pair.client, USMP_SESSION_OK, payload, 48);
    inject(&pair.client, USMP_DATA, payload, 40);
    pair_settle(&pair);
    inject(&pair.client, USMP_CHALLENGE, payload, 64);
    inject(&pair.client, USMP_SESSION_OK, payload, 47);
    inject(&pair.client, USMP_HELLO, payload, 38);
    inject(&pair.client, USMP_BYE, payload, 28);
    CHECK_ERROR(end_closed(&pair.client), USMP_OK);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK(is_open(&pair.client));
    check_talks();
    pair_free(&pair);
}

static void sessions_take_no_notice_of_handshake_frames(void)
{
    static const unsigned TYPES[] = {USMP_CHALLENGE, USMP_HELLO_ACK, USMP_SESSION_OK, USMP_HELLO_RETRY, USMP_HELLO};
    uint8_t payload[64];
    open_pair();
    pattern(payload, sizeof payload, 5);
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        inject(&pair.client, TYPES[i], payload, 48);
        inject(&pair.server, TYPES[i], payload, 54);
        inject(&pair.server, TYPES[i], payload, 32 + (TYPES[i] == USMP_HELLO));
    }
    check_talks();
    pair_free(&pair);
}

static void session_frames_before_a_session_are_dropped(void)
{
    uint8_t payload[64];
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pattern(payload, sizeof payload, 5);
    inject(&pair.server, USMP_DATA, payload, 40);
    pair_settle(&pair);
    for (unsigned type = USMP_DATA; type <= USMP_REKEY; type++) {
        if (type != USMP_HELLO_RETRY) inject(&pair.server, type, payload, 40);
    }
    CHECK_ERROR(end_closed(&pair.server), USMP_OK);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK(is_open(&pair.client));
    check_talks();
    pair_free(&pair);
}

/** Both say HELLO before the look-up for the first is done, and one connection serves them in turn. */
static void late_keys_are_for_who_asked(void)
{
    static const uint8_t other[6] = {0x02, 0, 0, 0, 0, 0x0B};
    pair_options_t all = options();
    all.leaves_keys_open = true;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    const usmp_t *first = pair.server.usmp;
    memcpy(pair.client.settings.device_id, other, sizeof other);
    CHECK_OK(usmp_connect(pair.client.usmp, &pair.client.settings, pair_now(&pair)));
    pair_settle(&pair);
    CHECK(pair.server.usmp == first);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK(usmp_device_id(pair.server.usmp) == NULL);
    usmp_provide_keys(pair.server.usmp, other, pair.keys, 1, pair_now(&pair));
    pair_settle(&pair);
    CHECK(is_open(&pair.server));
    pair_free(&pair);
}

static void version_1_is_counted(void)
{
    uint8_t line[100];
    open_pair();
    size_t length = 2;
    line[0] = 0;
    /* A HELLO of version 1 without a zero in it cannot be; so its zeros are encoded. */
    uint8_t frame[50];
    static const uint8_t payload[38] = {1};
    size_t size = make_frame(frame, USMP_HELLO, 0, payload, sizeof payload);
    frame[2] = 1;
    uint16_t crc = slow_crc16(frame + 12, 38, slow_crc16(frame, 10, 0xFFFF));
    frame[10] = (uint8_t)crc;
    frame[11] = (uint8_t)(crc >> 8);
    size_t code = 1;
    line[1] = 1;
    for (size_t i = 0; i < size; i++) {
        if (frame[i] != 0) {
            line[length++] = frame[i];
            line[code]++;
        } else {
            code = length;
            line[length++] = 1;
        }
    }
    line[length++] = 0;
    end_input(&pair, &pair.server, line, length);
    CHECK_NUMBER(pair.serial.strays, 1);
    check_talks();
    pair_free(&pair);
}

/** A block of `length` bytes between zeros, which begins with a HELLO of version 1. */
static void give_block(end_t *to, size_t length)
{
    static uint8_t line[80000];
    static const uint8_t BEGIN[] = {0x00, 0x05, 0xCD, 0xAB, 0x01, USMP_HELLO};
    memset(line, 0x01, sizeof line);
    memcpy(line, BEGIN, sizeof BEGIN);
    line[length + 1] = 0x00;
    end_input(&pair, to, line, length + 2);
    pair_settle(&pair);
}

static void blocks_of_another_length_are_not_looked_at(void)
{
    static const size_t LENGTHS[] = {5, 11, 12, 13, 493, 494, 495, 496, 497, 498, 750, 1000, 1851, 1852, 1853, 2000, 65536 + 40, 70000};
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        open_pair();
        test_context("%zu bytes", LENGTHS[i]);
        give_block(&pair.server, LENGTHS[i]);
        give_block(&pair.client, LENGTHS[i]);
        CHECK_NUMBER(pair.serial.strays, LENGTHS[i] >= 1 + 12 && LENGTHS[i] <= 495);
        CHECK_NUMBER(pair.client.event_count + pair.server.event_count, 0);
        check_talks();
        CHECK_NUMBER(pair.client.event_count + pair.server.event_count, 2);
        pair_free(&pair);
    }
}

static void settings_of_a_line_are_checked(void)
{
    static usmp_serial_endpoint_t line;
    usmp_settings_t settings = {0};
    settings.transport = USMP_TRANSPORT_SERIAL;
    CHECK_ERROR(usmp_serial_endpoint_begin(&line, &settings, 0), USMP_ERROR_INVALID_ARGUMENT);
    settings.decoy_key = (const uint8_t *)TEST_DECOY;
    settings.transport = USMP_TRANSPORT_STREAM;
    CHECK_ERROR(usmp_serial_endpoint_begin(&line, &settings, 0), USMP_ERROR_INVALID_ARGUMENT);
    settings.transport = USMP_TRANSPORT_SERIAL;
    CHECK_OK(usmp_serial_endpoint_begin(&line, &settings, 0));
}

/** Where a zero never comes. */
static void a_block_without_end_stays_in_its_place(void)
{
    static struct {
        usmp_serial_endpoint_t line;
        uint8_t behind[8000];
    } server;
    static struct {
        usmp_t usmp;
        uint8_t behind[8000];
    } client;
    static const uint8_t zeros[8000];
    uint8_t byte = 0x01, hello[100];
    size_t length, again;
    pair_options_t all = options();
    pair_begin(&pair, &all);
    CHECK_OK(usmp_serial_endpoint_begin(&server.line, &pair.server.settings, 0));
    CHECK_OK(usmp_connect(&client.usmp, &pair.client.settings, 0));
    const uint8_t *bytes = usmp_poll_transmit(&client.usmp, 0, &length);
    if (CHECK(bytes != NULL && length <= sizeof hello)) memcpy(hello, bytes, length);
    for (unsigned i = 0; i < 6000; i++) {
        CHECK_NUMBER(usmp_serial_endpoint_handle_input(&server.line, &byte, 1, 0), 1);
        CHECK_NUMBER(usmp_handle_input(&client.usmp, &byte, 1, 0), 1);
    }
    CHECK_BYTES(server.behind, sizeof server.behind, zeros, sizeof zeros);
    CHECK_BYTES(client.behind, sizeof client.behind, zeros, sizeof zeros);
    bytes = usmp_poll_transmit(&client.usmp, 0, &again);
    if (CHECK(bytes != NULL)) CHECK_BYTES(bytes, again, hello, length);
    usmp_wipe(&client.usmp);
    pair_free(&pair);
}

/* ── The session ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void a_gap_ends_the_session_with_bye(void)
{
    for (unsigned from = 0; from < 2; from++) {
        pair_options_t all = options();
        all.path = path_damaging;
        pair_open(&pair, &all);
        end_t *sender = from == 0 ? &pair.client : &pair.server, *receiver = pair_other(&pair, sender);
        pair.type = USMP_DATA;
        pair.counter = 1;
        end_send_pattern(&pair, sender, 1, 30);
        pair_settle(&pair);
        CHECK_ERROR(end_closed(receiver), USMP_OK);
        end_send_pattern(&pair, sender, 2, 30);
        pair_settle(&pair);
        CHECK_ERROR(end_closed(receiver), USMP_ERROR_BAD_SEQUENCE);
        CHECK_ERROR(end_closed(sender), USMP_ERROR_BYE);
        CHECK_NUMBER(end_count(receiver, USMP_EVENT_MESSAGE), 0);
        pair_free(&pair);
    }
}

static void silence_ends_the_session_with_bye(void)
{
    pair_options_t all = options();
    all.server.idle_timeout = 60000;
    pair_open(&pair, &all);
    pair.client.line.silent = true;
    pair_advance(&pair, 60000);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_IDLE_TIMEOUT);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    pair_free(&pair);

    all = options();
    all.client.keepalive_interval = 30000;
    pair_open(&pair, &all);
    pair.server.line.silent = true;
    pair_advance(&pair, 90000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_IDLE_TIMEOUT);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    pair_free(&pair);
}

static unsigned doubling_once(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    (void)length;
    if (frame_type(with, frame) != USMP_DATA || with->counter == 0) return 1;
    with->counter--;
    return 2;
}

static void a_replayed_frame_is_delivered_once(void)
{
    pair_options_t all = options();
    all.path = doubling_once;
    pair_open(&pair, &all);
    pair.counter = 1;
    end_send_pattern(&pair, &pair.client, 1, 30);
    pair_settle(&pair);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BAD_SEQUENCE);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    pair_free(&pair);
}

/* ── The endpoint ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void strangers_do_not_end_the_session(void)
{
    uint8_t payload[38];
    pair_options_t all = options();
    for (unsigned knows = 0; knows < 2; knows++) {
        pair_open(&pair, &all);
        const usmp_t *session = pair.server.usmp;
        for (unsigned i = 1; i < 10; i++) {
            pattern(payload, sizeof payload, i);
            inject(&pair.server, USMP_HELLO, payload, 38);
            CHECK_NUMBER(usmp_state(session), USMP_STATE_OPEN);
            if (knows) inject(&pair.server, USMP_HELLO_ACK, payload, 32);
            CHECK_NUMBER(usmp_state(session), USMP_STATE_OPEN);
            end_send_pattern(&pair, &pair.client, i, 20);
            pair_settle(&pair);
            CHECK(end_has_message(&pair.server, i - 1, i, 20));
        }
        CHECK_ERROR(end_closed(&pair.client), USMP_OK);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_CLOSED), knows ? 9 : 0);
        pair_free(&pair);
    }
}

static void a_reset_device_takes_its_place(void)
{
    for (unsigned closes = 0; closes < 2; closes++) {
        pair_options_t all = options();
        pair_open(&pair, &all);
        const usmp_t *old = pair.server.usmp;
        if (closes) {
            /* What the old session still has to say is for nobody. */
            pair.server.line.blocked = true;
            end_send_pattern(&pair, &pair.server, 3, 100);
        }
        pair_reset_client(&pair);
        end_drain(&pair, &pair.client);
        pair.server.line.blocked = false;
        pair_settle(&pair);
        pair_advance(&pair, 12000);
        CHECK(is_open(&pair.client));
        CHECK(pair.server.usmp != old);
        CHECK_NUMBER(usmp_state(old), USMP_STATE_CLOSED);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_REPLACED);
        CHECK_NUMBER(line_count_type(&pair.server.line, USMP_BYE), 0);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_MESSAGE), 0);
        check_talks();
        pair_free(&pair);
    }
}

static void many_resets_in_a_row(void)
{
    open_pair();
    for (unsigned i = 0; i < 20; i++) {
        pair_reset_client(&pair);
        end_forget_events(&pair.server);
        pair_advance(&pair, 1000);
        CHECK(is_open(&pair.client));
        check_talks();
        if (test_has_failed()) break;
    }
    pair_free(&pair);
}

/** BYE is still to be sealed, or partly on the line, when the handshake beside it authenticates. */
static void a_closing_session_that_is_replaced_falls_silent(void)
{
    for (unsigned partly = 0; partly < 2; partly++) {
        uint8_t bytes[200];
        size_t length, part = 9;
        test_context("partly sent: %u", partly);
        open_pair();
        usmp_t *session = pair.server.usmp;
        pair_reset_client(&pair);
        end_drain(&pair, &pair.client);
        pair_deliver(&pair, &pair.server, 2000);
        pair_deliver(&pair, &pair.client, 2000);
        CHECK_NUMBER(line_count_type(&pair.client.line, USMP_HELLO_ACK), 2);
        CHECK_NUMBER(usmp_state(session), USMP_STATE_OPEN);
        CHECK(pair.server.usmp != session);
        usmp_close(session, pair_now(&pair));
        if (partly) {
            const uint8_t *bye = usmp_serial_endpoint_poll_transmit(&pair.serial, pair_now(&pair), &length);
            if (!CHECK(bye != NULL && length > part)) break;
            end_input(&pair, &pair.client, bye, part);
            usmp_serial_endpoint_transmitted(&pair.serial, part, pair_now(&pair));
        }
        CHECK(usmp_lingers(session));
        length = line_take(&pair.client.line, bytes, sizeof bytes);
        end_input(&pair, &pair.server, bytes, length);
        pair_settle(&pair);
        CHECK(is_open(&pair.client) && is_open(&pair.server));
        CHECK(!usmp_lingers(session));
        CHECK_NUMBER(line_count_type(&pair.server.line, USMP_BYE), 0);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_CLOSED);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_CLOSED), 1);
        CHECK(!seam_finds_secret(session, sizeof *session));
        check_talks();
        pair_free(&pair);
    }
}

/** The session that BYE is said in while a handshake is beside it. */
static void the_session_may_end_beside_a_handshake(void)
{
    uint8_t payload[38];
    open_pair();
    usmp_t *session = pair.server.usmp;
    pattern(payload, sizeof payload, 4);
    inject(&pair.server, USMP_HELLO, payload, 38);
    usmp_close(session, pair_now(&pair));
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BYE);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_CLOSED);
    pair_reset_client(&pair);
    pair_settle(&pair);
    CHECK(is_open(&pair.client));
    check_talks();
    pair_free(&pair);
}

static char answers[8][100];
static unsigned answer_count;

static unsigned keeping_challenges(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    unsigned type = frame_type(with, frame);
    if (from == &with->client && type == USMP_HELLO) memcpy(hellos[0], frame, length < 60 ? length : 60);
    if (type == USMP_CHALLENGE && answer_count < 8) memcpy(answers[answer_count++], frame, length < 100 ? length : 100);
    return type == USMP_HELLO_ACK && with->type == 1 ? 0 : 1;
}

static void the_same_hello_gets_the_same_challenge(void)
{
    pair_options_t all = options();
    all.path = keeping_challenges;
    answer_count = 0;
    pair_begin(&pair, &all);
    pair.type = 1;
    pair_settle(&pair);
    pair.type = 0;
    size_t length = strlen((const char *)hellos[0] + 1) + 2;
    for (unsigned i = 0; i < 3; i++) {
        end_input(&pair, &pair.server, hellos[0], length);
        pair_settle(&pair);
    }
    CHECK_NUMBER(answer_count, 4);
    for (unsigned i = 1; i < answer_count; i++) CHECK(memcmp(answers[i], answers[0], 70) == 0);
    CHECK_ERROR(end_closed(&pair.server), USMP_OK);
    pair_free(&pair);
}

/** However often it comes: what waits to be sent does not grow. */
static void hellos_fill_nothing(void)
{
    pair_options_t all = options();
    all.path = keeping_challenges;
    pair_begin(&pair, &all);
    pair.type = 1;
    pair_settle(&pair);
    size_t length = strlen((const char *)hellos[0] + 1) + 2;
    pair.server.line.blocked = true;
    for (unsigned i = 0; i < 1000; i++) {
        end_input(&pair, &pair.server, hellos[0], length);
        pair.time += 100;
    }
    CHECK_ERROR(end_closed(&pair.server), USMP_OK);
    CHECK(usmp_pending_transmit(pair.server.usmp) <= 12 + 64 + 4);
    pair_free(&pair);
}

static void hellos_are_answered_at_a_bounded_rate(void)
{
    uint8_t payload[38] = {0};
    pair_options_t all = options();
    pair_begin(&pair, &all);
    usmp_wipe(pair.client.usmp);
    for (unsigned i = 0; i < 200; i++) {
        payload[10] = (uint8_t)i;
        inject(&pair.server, USMP_HELLO, payload, 38);
    }
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_CHALLENGE), 64);
    pair_advance(&pair, 1000);
    for (unsigned i = 0; i < 200; i++) {
        payload[10] = (uint8_t)i;
        inject(&pair.server, USMP_HELLO, payload, 38);
    }
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_CHALLENGE), 64 + 16);
    pair_free(&pair);
}

static void a_handshake_has_its_time_from_its_hello(void)
{
    pair_options_t all = options();
    all.leaves_keys_open = true;
    all.path = path_losing;
    pair_begin(&pair, &all);
    pair_settle(&pair);
    pair.type = USMP_HELLO;
    pair.counter = 100;
    pair_advance(&pair, 29999);
    CHECK_ERROR(end_closed(&pair.server), USMP_OK);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_HANDSHAKE_TIMEOUT);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    pair_free(&pair);
}

/** Two connections write to one line: a frame of one never stands inside a frame of the other. */
static void frames_of_two_peers_do_not_mix(void)
{
    uint8_t hello[38];
    for (unsigned capacity = 1; capacity < 40; capacity++) {
        open_pair();
        test_context("%u bytes at a time", capacity);
        usmp_t *session = pair.server.usmp;
        uint8_t message[100];
        size_t length;
        pattern(message, sizeof message, capacity);
        CHECK_OK(usmp_send(session, message, sizeof message, pair_now(&pair)));
        const uint8_t *bytes = usmp_serial_endpoint_poll_transmit(&pair.serial, pair_now(&pair), &length);
        if (!CHECK(bytes != NULL && length > capacity)) break;
        /* Part of the message is on the line when HELLO comes, which is answered behind the message. */
        end_input(&pair, &pair.client, bytes, capacity);
        usmp_serial_endpoint_transmitted(&pair.serial, capacity, pair_now(&pair));
        pattern(hello, sizeof hello, 1);
        pair.server.line.capacity = capacity;
        inject(&pair.server, USMP_HELLO, hello, sizeof hello);
        CHECK(end_has_message(&pair.client, 0, capacity, sizeof message));
        CHECK_ERROR(end_closed(&pair.client), USMP_OK);
        pair_free(&pair);
    }
}

void serial_connection_suite(void)
{
    test("a client begins anew when a frame of the handshake was lost, each in its time", begins_anew_after_a_loss);
    test("each HELLO has new keys, and nobody's answer is a time-out after 30 s", each_hello_has_new_keys);
    test("a handshake survives any damaged frame", survives_damage);
    test("a wrong key is refused after 30 s, and counts as three failures", a_wrong_key_is_refused_after_all_tries);
    test("one proof that went unanswered makes it a refusal", one_unanswered_proof_is_enough);
    test("a proof that was never sent does not", a_proof_that_was_not_sent_proves_nothing);
    test("the patience of a client begins when its HELLO is on the line", the_patience_begins_when_hello_is_on_the_line);
    test("what could not be sent is dropped when the client begins anew", what_was_not_sent_is_dropped);
    test("a server without the key is found out at once", a_rogue_server_is_found_at_once);
    test("a line that breaks says nothing about the server", a_broken_line_says_nothing_about_the_server);
    test("the secret is computed before HELLO_ACK leaves", the_secret_is_computed_before_hello_ack);
    test("a client drops what it does not wait for", what_is_not_awaited_is_dropped);
    test("a session takes no notice of handshake frames at either end", sessions_take_no_notice_of_handshake_frames);
    test("a server drops session frames while no session is open", session_frames_before_a_session_are_dropped);
    test("keys that come late let nobody in but the device they are of", late_keys_are_for_who_asked);
    test("HELLO of version 1 is counted and has no effect", version_1_is_counted);
    test("a block that is shorter than a header or longer than any frame is not looked at, and the next one is taken",
         blocks_of_another_length_are_not_looked_at);
    test("settings that an endpoint of a line cannot use are refused", settings_of_a_line_are_checked);
    test("a block without end stays in its place, at either end", a_block_without_end_stays_in_its_place);
    test("a session ends behind a damaged frame, and BYE tells the other side", a_gap_ends_the_session_with_bye);
    test("a session ends in silence, and BYE tells the side that cannot make itself heard",
         silence_ends_the_session_with_bye);
    test("a replayed frame is delivered once, ends the session, and BYE tells the other side",
         a_replayed_frame_is_delivered_once);
    test("a session goes on beside handshakes of somebody without the key, however often he tries",
         strangers_do_not_end_the_session);
    test("a device that was reset takes the place of its session, and nothing of that reaches the line",
         a_reset_device_takes_its_place);
    test("a session that is closing when it is replaced says nothing more", a_closing_session_that_is_replaced_falls_silent);
    test("a device may be reset again and again", many_resets_in_a_row);
    test("a session may end while a handshake is beside it", the_session_may_end_beside_a_handshake);
    test("the same HELLO once more gets the same CHALLENGE", the_same_hello_gets_the_same_challenge);
    test("HELLOs that come again and again fill nothing", hellos_fill_nothing);
    test("HELLOs are answered at a bounded rate", hellos_are_answered_at_a_bounded_rate);
    test("a handshake has its time from its own HELLO", a_handshake_has_its_time_from_its_hello);
    test("frames of the session and of the handshake beside it do not mix on the line", frames_of_two_peers_do_not_mix);
}

#else

void serial_connection_suite(void)
{
}

#endif
