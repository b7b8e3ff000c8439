/** What holds of a connection over a stream alone. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"

#if USMP_STREAM && USMP_SERVER

static pair_t pair;

static const pair_options_t PLAIN = {.transport = USMP_TRANSPORT_STREAM};

static void the_end_tells_where_it_came(void)
{
    pair_options_t open_keys = PLAIN;
    open_keys.leaves_keys_open = true;

    pair_begin(&pair, &PLAIN);
    usmp_handle_end(pair.client.usmp);
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_TURNED_AWAY);
    CHECK_NUMBER(pair.client.line.written, 0);
    pair_free(&pair);

    pair_begin(&pair, &open_keys);
    pair_settle(&pair);
    usmp_handle_end(pair.client.usmp);
    usmp_handle_end(pair.server.usmp);
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_CONNECTION_LOST);
    pair_free(&pair);

    pair_begin(&pair, &PLAIN);
    usmp_handle_end(pair.server.usmp);
    end_drain(&pair, &pair.server);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_CONNECTION_LOST);
    pair_free(&pair);

    pair_open(&pair, &PLAIN);
    usmp_handle_end(pair.client.usmp);
    usmp_handle_end(pair.client.usmp);
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CONNECTION_LOST);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_CLOSED), 1);
    CHECK(!usmp_lingers(pair.client.usmp));
    pair_free(&pair);
}

/** CHALLENGE may be there, and HELLO_ACK not yet given to the line. */
static void the_end_with_hello_ack_on_its_way(void)
{
    pair_begin(&pair, &PLAIN);
    end_drain(&pair, &pair.client);
    pair_deliver(&pair, &pair.server, 50);
    pair.client.line.blocked = true;
    pair_deliver(&pair, &pair.client, 76);
    usmp_handle_end(pair.client.usmp);
    end_drain_events(&pair, &pair.client);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    pair_free(&pair);
}

static void a_refused_client_learns_it_by_the_end(void)
{
    pair_options_t options = PLAIN;
    options.client_key = "some other key of a device";
    pair_begin(&pair, &options);
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_WRONG_KEY);
    CHECK_NUMBER(pair.server.line.written, 12 + 64);
    usmp_handle_end(pair.client.usmp);
    pair_settle(&pair);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_REFUSED);
    pair_free(&pair);
}

/** As far as the client waiting for SESSION_OK; `reply` is what comes then. */
static void answer_with(const uint8_t *session_ok, bool timely)
{
    uint8_t frame[100];
    pair_options_t options = PLAIN;
    options.leaves_keys_open = true;
    pair_begin(&pair, &options);
    if (timely) {
        pair_settle(&pair);
    } else {
        /* The client is not asked for its deadlines. */
        uint8_t bytes[200];
        size_t length = end_take_output(&pair, &pair.client, bytes, sizeof bytes);
        end_input(&pair, &pair.server, bytes, length);
        length = end_take_output(&pair, &pair.server, bytes, sizeof bytes);
        end_input(&pair, &pair.client, bytes, length);
        CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), 0);
    }
    end_input(&pair, &pair.client, frame, make_frame(frame, USMP_SESSION_OK, 0, session_ok, 48));
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_ROGUE_SERVER);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_OPEN), 0);
    CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
    pair_free(&pair);
}

static void rogue_servers_are_found(void)
{
    uint8_t guess[48] = {0}, reflected[48] = {0}, bytes[200];
    for (unsigned timely = 0; timely < 2; timely++) answer_with(guess, timely != 0);

    /* The proof of the client, sent back: the same run of chance gives the same HELLO_ACK again. */
    pair_options_t options = PLAIN;
    options.leaves_keys_open = true;
    pair_begin(&pair, &options);
    end_drain(&pair, &pair.client);
    pair_deliver(&pair, &pair.server, 50);
    pair_deliver(&pair, &pair.client, 76);
    CHECK_NUMBER(line_take(&pair.client.line, bytes, sizeof bytes), 44);
    memcpy(reflected + 16, bytes + 12, 32);
    pair_free(&pair);
    answer_with(reflected, true);
}

/** Any changed bit of a handshake that matters ends it before a session is open. */
static void damaged_handshakes_open_nothing(void)
{
    static const size_t FRAMES[2][2] = {{50, 44}, {76, 60}};
    for (unsigned from = 0; from < 2; from++) {
        for (size_t offset = 0; offset < FRAMES[from][0] + FRAMES[from][1]; offset++) {
            pair_begin(&pair, &PLAIN);
            test_context("%s, byte %zu", from == 0 ? "client" : "server", offset);
            line_t *line = from == 0 ? &pair.client.line : &pair.server.line;
            line->corrupt_at = offset;
            line->corrupt_mask = (uint8_t)(1u << offset % 8);
            pair_settle(&pair);
            size_t within = offset < FRAMES[from][0] ? offset : offset - FRAMES[from][0];
            /* Number and checksum of handshake frames are not looked at. */
            bool unchecked = (within >= 4 && within < 8) || within == 10 || within == 11;
            bool open = usmp_state(pair.client.usmp) == USMP_STATE_OPEN && usmp_state(pair.server.usmp) == USMP_STATE_OPEN;
            CHECK_NUMBER(open, unchecked);
            pair_free(&pair);
        }
    }
}

/** Any changed bit of a session ends it, and nothing false is delivered. */
static void damaged_sessions_end(void)
{
    size_t sizes[] = {30, USMP_MAX_MESSAGE > 500 ? 500 : 400};
    size_t second = sizes[1] > 452 ? sizes[1] + 80 : sizes[1] + 40;
    for (size_t offset = 0; offset < 70 + second; offset++) {
        pair_open(&pair, &PLAIN);
        test_context("byte %zu", offset);
        pair.client.line.corrupt_at = pair.client.line.written + offset;
        pair.client.line.corrupt_mask = (uint8_t)(1u << offset % 8);
        for (unsigned i = 0; i < 2; i++) end_send_pattern(&pair, &pair.client, i, sizes[i]);
        pair_settle(&pair);
        size_t delivered = end_count(&pair.server, USMP_EVENT_MESSAGE);
        CHECK(delivered < 2);
        if (delivered == 1) CHECK(end_has_message(&pair.server, 0, 0, 30));
        size_t within = offset < 70 ? offset : (offset - 70) % 492;
        /* A length that grew leaves a frame that is waited for. */
        bool waits = usmp_state(pair.server.usmp) == USMP_STATE_OPEN;
        CHECK(waits ? within == 8 || within == 9 : end_closed(&pair.server) != USMP_OK);
        pair_free(&pair);
    }
}

static void a_frame_that_comes_again_is_delivered_once(void)
{
    uint8_t bytes[200];
    pair_open(&pair, &PLAIN);
    end_send_pattern(&pair, &pair.client, 1, 20);
    end_drain(&pair, &pair.client);
    size_t length = line_take(&pair.client.line, bytes, sizeof bytes);
    memcpy(bytes + length, bytes, length);
    end_input(&pair, &pair.server, bytes, 2 * length);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BAD_SEQUENCE);
    pair_settle(&pair);
    CHECK_NUMBER(line_count_type(&pair.server.line, USMP_BYE), 0);
    pair_free(&pair);
}

static void gaps_and_other_orders_end_the_session(void)
{
    uint8_t bytes[200];
    for (unsigned round = 0; round < 2; round++) {
        pair_open(&pair, &PLAIN);
        for (unsigned i = 0; i < 2; i++) end_send_pattern(&pair, &pair.client, i, 20);
        end_drain(&pair, &pair.client);
        CHECK_NUMBER(line_take(&pair.client.line, bytes, sizeof bytes), 120);
        if (round == 0) end_input(&pair, &pair.server, bytes + 60, 60);
        else {
            end_input(&pair, &pair.server, bytes + 60, 60);
            end_input(&pair, &pair.server, bytes, 60);
        }
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE), 0);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BAD_SEQUENCE);
        pair_free(&pair);
    }
}

static void own_frames_and_other_sessions_are_refused(void)
{
    uint8_t bytes[200];
    pair_open(&pair, &PLAIN);
    end_send_pattern(&pair, &pair.client, 1, 20);
    size_t length = end_take_output(&pair, &pair.client, bytes, sizeof bytes);
    end_input(&pair, &pair.client, bytes, length);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_BAD_TAG);
    pair_free(&pair);

    pair_options_t options = PLAIN;
    options.seed = 5;
    pair_open(&pair, &options);
    end_input(&pair, &pair.server, bytes, length);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BAD_NONCE);
    pair_free(&pair);
}

static void handshake_frames_end_a_session(void)
{
    static const unsigned TYPES[] = {USMP_HELLO, USMP_CHALLENGE, USMP_HELLO_ACK, USMP_SESSION_OK, USMP_HELLO_RETRY};
    static const size_t LENGTHS[] = {0, 32, 38, 48, 64, 480};
    static const uint8_t payload[480];
    uint8_t frame[492];
    for (size_t i = 0; i < COUNT(TYPES) * COUNT(LENGTHS) * 2; i++) {
        end_t *end = i % 2 == 0 ? &pair.client : &pair.server;
        unsigned type = TYPES[i / 2 % COUNT(TYPES)];
        size_t length = LENGTHS[i / 2 / COUNT(TYPES)];
        pair_open(&pair, &PLAIN);
        test_context("%s, type %u, %zu bytes", end->name, type, length);
        size_t before = end->line.written;
        end_input(&pair, end, frame, make_frame(frame, type, 0, payload, length));
        pair_settle(&pair);
        CHECK_ERROR(end_closed(end), USMP_ERROR_UNEXPECTED_FRAME);
        CHECK_NUMBER(end->line.written, before);
        CHECK(!seam_finds_secret(end->usmp, sizeof *end->usmp));
        pair_free(&pair);
    }
}

static void a_part_that_cannot_be_sealed_ends_the_message(void)
{
    uint8_t message[USMP_MAX_MESSAGE];
    unsigned frames = (USMP_MAX_MESSAGE + 451) / 452;
    pattern(message, sizeof message, 1);
    for (unsigned n = 1; n <= frames; n++) {
        pair_open(&pair, &PLAIN);
        test_context("part %u", n);
        seam_fail(n, false);
        CHECK_ERROR(end_send(&pair, &pair.client, message, sizeof message), USMP_ERROR_CRYPTO_FAILED);
        CHECK(seam_has_failed());
        CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
        end_drain_events(&pair, &pair.client);
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CRYPTO_FAILED);
        pair_free(&pair);
    }
}

/** A driver whose line takes a few bytes at a time. */
static void output_goes_in_any_portions(void)
{
    static const size_t CAPACITIES[] = {1, 7, 100, 531};
    for (size_t i = 0; i < COUNT(CAPACITIES); i++) {
        pair_begin(&pair, &PLAIN);
        pair.client.line.capacity = pair.server.line.capacity = CAPACITIES[i];
        pair_settle(&pair);
        for (unsigned j = 0; j < 20; j++) {
            end_send_pattern(&pair, &pair.client, j, j * 20);
            if (j % 3 == 0) CHECK_OK(usmp_ping(pair.server.usmp));
            if (j % 7 == 0) CHECK_OK(usmp_rekey(pair.server.usmp, false));
        }
        pair_settle(&pair);
        for (unsigned j = 0; j < 20; j++) CHECK(end_has_message(&pair.server, j, j, j * 20));
        pair_free(&pair);
    }
}

/** Bytes that were given out and not taken stay where they are, and as they are. */
static void output_stays_until_it_is_transmitted(void)
{
    size_t length, again;
    uint8_t copy[2000];
    pair_open(&pair, &PLAIN);
    end_send_pattern(&pair, &pair.client, 1, 100);
    const uint8_t *bytes = usmp_poll_transmit(pair.client.usmp, 0, &length);
    CHECK(bytes != NULL && length == 140);
    memcpy(copy, bytes, length);
    usmp_transmitted(pair.client.usmp, 0, 0);
    CHECK(usmp_poll_transmit(pair.client.usmp, 0, &again) == bytes && again == length);
    usmp_transmitted(pair.client.usmp, 40, 0);
    if (usmp_can_send(pair.client.usmp, 100)) end_send_pattern(&pair, &pair.client, 2, 100);
    CHECK_OK(usmp_ping(pair.client.usmp));
    bytes = usmp_poll_transmit(pair.client.usmp, 0, &again);
    CHECK(bytes != NULL && again >= 100);
    if (bytes != NULL) CHECK_BYTES(bytes, 100, copy + 40, 100);
    usmp_transmitted(pair.client.usmp, again + 100, 0);
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    pair_free(&pair);
}

static void the_largest_output_has_room(void)
{
    uint8_t bytes[8000];
    pair_open(&pair, &PLAIN);
    size_t frames = (USMP_MAX_MESSAGE + 451) / 452;
    end_send_pattern(&pair, &pair.client, 1, USMP_MAX_MESSAGE);
    CHECK(!usmp_can_send(pair.client.usmp, USMP_MAX_MESSAGE));
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), USMP_MAX_MESSAGE + 40 * frames);
    CHECK_OK(usmp_ping(pair.client.usmp));
    CHECK_OK(usmp_rekey(pair.client.usmp, false));
    CHECK_NUMBER(end_take_output(&pair, &pair.client, bytes, sizeof bytes), USMP_MAX_MESSAGE + 40 * frames + 72 + 40);
    pair_free(&pair);
}

static void pong_never_stands_inside_a_message(void)
{
    uint8_t bytes[8000];
    pair_open(&pair, &PLAIN);
    CHECK_OK(usmp_ping(pair.client.usmp));
    end_drain(&pair, &pair.client);
    pair.server.line.blocked = true;
    pair_settle(&pair);
    end_send_pattern(&pair, &pair.server, 1, USMP_MAX_MESSAGE);
    size_t length = end_take_output(&pair, &pair.server, bytes, sizeof bytes);
    size_t at = 0;
    for (size_t left = USMP_MAX_MESSAGE; at < length; at += 12 + (size_t)bytes[at + 8] + 256 * (size_t)bytes[at + 9]) {
        unsigned expected = left > 452 ? USMP_DATA_FRAG : left > 0 ? USMP_DATA : USMP_PONG;
        CHECK_NUMBER(bytes[at + 3], expected);
        left = left > 452 ? left - 452 : 0;
    }
    CHECK_NUMBER(at, length);
    pair_free(&pair);
}

static void a_low_order_point_of_the_device_is_refused(void)
{
    uint8_t frame[100], hello[38] = {2, 0, 0, 0, 0, 1}, bytes[200], data[200], mac[32];
    usmp_settings_t settings = {0};
    /* A device that knows the key and sends a point of low order: 0. */
    pair_begin(&pair, &PLAIN);
    end_input(&pair, &pair.server, frame, make_frame(frame, USMP_HELLO, 0, hello, sizeof hello));
    CHECK_NUMBER(end_take_output(&pair, &pair.server, bytes, sizeof bytes), 76);
    static const uint8_t label[] = {0xCD, 0xAB, 2, 3};
    memcpy(data, label, 4);
    memcpy(data + 4, bytes + 12, 32);
    memcpy(data + 36, hello, 6);
    memcpy(data + 42, hello + 6, 32);
    memcpy(data + 74, bytes + 44, 32);
    CHECK(usmp_crypto_hmac_sha256(mac, (const uint8_t *)TEST_PSK, strlen(TEST_PSK), data, 106));
    end_input(&pair, &pair.server, frame, make_frame(frame, USMP_HELLO_ACK, 2, mac, sizeof mac));
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_LOW_ORDER_POINT);
    CHECK_NUMBER(end_take_output(&pair, &pair.server, bytes, sizeof bytes), 0);
    (void)settings;
    pair_free(&pair);
}

/** A server that knows the key; the client computes the secret when it is asked to, or when SESSION_OK has come. */
static void a_low_order_point_of_the_server_is_refused(void)
{
    uint8_t frame[100], challenge[64], hello[100], data[200], session_ok[48];
    for (unsigned timely = 0; timely < 2; timely++) {
        pair_begin(&pair, &PLAIN);
        CHECK_NUMBER(end_take_output(&pair, &pair.client, hello, sizeof hello), 50);
        pattern(challenge, 32, 1);
        memset(challenge + 32, 0, 32);
        end_input(&pair, &pair.client, frame, make_frame(frame, USMP_CHALLENGE, 0, challenge, sizeof challenge));
        if (timely) {
            usmp_handle_timeout(pair.client.usmp, pair_now(&pair));
            end_drain_events(&pair, &pair.client);
            CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_LOW_ORDER_POINT);
        }
        static const uint8_t label[] = {0xCD, 0xAB, 2, 4};
        pattern(session_ok, 16, 2);
        memcpy(data, label, 4);
        memcpy(data + 4, challenge, 32);
        memcpy(data + 36, session_ok, 16);
        memcpy(data + 52, hello + 18, 32);
        memcpy(data + 84, challenge + 32, 32);
        CHECK(usmp_crypto_hmac_sha256(session_ok + 16, (const uint8_t *)TEST_PSK, strlen(TEST_PSK), data, 116));
        end_input(&pair, &pair.client, frame, make_frame(frame, USMP_SESSION_OK, 0, session_ok, sizeof session_ok));
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_LOW_ORDER_POINT);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_OPEN), 0);
        CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
        pair_free(&pair);
    }
}

/** HELLO_ACK leaves before the secret is computed, so that the server works at the same time (§3.2). */
static void hello_ack_leaves_first(void)
{
    uint8_t bytes[200];
    pair_begin(&pair, &PLAIN);
    end_input(&pair, &pair.server, bytes, end_take_output(&pair, &pair.client, bytes, sizeof bytes));
    size_t length = end_take_output(&pair, &pair.server, bytes, sizeof bytes);
    unsigned agreements = seam_count(SEAM_AGREE);
    end_input(&pair, &pair.client, bytes, length);
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, 0), 0);
    CHECK_NUMBER(end_take_output(&pair, &pair.client, bytes, sizeof bytes), 44);
    CHECK_NUMBER(seam_count(SEAM_AGREE), agreements);
    usmp_handle_timeout(pair.client.usmp, 0);
    CHECK_NUMBER(seam_count(SEAM_AGREE), agreements + 1);
    CHECK(usmp_poll_timeout(pair.client.usmp, 0) > 0);
    pair_free(&pair);
}

void stream_connection_suite(void)
{
    test("the end of the line tells at which point it came", the_end_tells_where_it_came);
    test("the end of the line with HELLO_ACK on its way is a refusal", the_end_with_hello_ack_on_its_way);
    test("with a wrong key the server falls silent after CHALLENGE, and the client learns it by the end",
         a_refused_client_learns_it_by_the_end);
    test("a server that does not know the key, or sends the proof of the client back, is found out",
         rogue_servers_are_found);
    test("a device that knows the key and sends a point of low order is refused",
         a_low_order_point_of_the_device_is_refused);
    test("a server that knows the key and sends a point of low order is refused, whenever the client computes",
         a_low_order_point_of_the_server_is_refused);
    test("HELLO_ACK leaves before the client computes the secret", hello_ack_leaves_first);
    test("any changed bit of the handshake that matters ends it before a session is open", damaged_handshakes_open_nothing);
    test("any changed bit of a session ends it, and nothing false is delivered", damaged_sessions_end);
    test("a replayed frame is delivered once, and ends the session", a_frame_that_comes_again_is_delivered_once);
    test("gaps and other orders end the session", gaps_and_other_orders_end_the_session);
    test("one's own frame, and one of another session, are refused", own_frames_and_other_sessions_are_refused);
    test("a handshake frame in a session ends it without a word", handshake_frames_end_a_session);
    test("where a part cannot be sealed, nothing of the message is sent, and the call says why",
         a_part_that_cannot_be_sealed_ends_the_message);
    test("output goes to the line in any portions", output_goes_in_any_portions);
    test("output stays where it is until it was transmitted", output_stays_until_it_is_transmitted);
    test("the longest message fills the output, and control frames follow it", the_largest_output_has_room);
    test("PONG never stands between the parts of a message", pong_never_stands_inside_a_message);
}

#else

void stream_connection_suite(void)
{
}

#endif
