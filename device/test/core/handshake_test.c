/** The handshake by itself: what each state takes. Whole conversations are in the other suites. */
#include "suites.h"

#include <string.h>

#include "bytes.h"
#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"
#include "usmp/handshake.h"

#if USMP_SERVER

static const uint8_t DECOY[32] = "a key that nobody has..........";
static const uint8_t DEVICE_ID[6] = TEST_DEVICE_ID;

static usmp_handshake_t client, server;
static usmp_settings_t client_settings, server_settings;
static const usmp_key_t KEY = {(const uint8_t *)TEST_PSK, sizeof TEST_PSK - 1};

/** The frame that was sent last. */
static uint8_t frame[USMP_MAX_HANDSHAKE_FRAME];

/** How far a handshake has come. */
typedef enum stage { AT_HELLO, AT_CHALLENGE, AT_HELLO_ACK, AT_KEYS, AT_SESSION_OK, STAGES } stage_t;

static const struct {
    const char *name;
    uint8_t state;
    uint8_t type;
    size_t length;
} TAKES[] = {
    {"HELLO", USMP_WAIT_HELLO, USMP_HELLO, 38},
    {"CHALLENGE", USMP_WAIT_CHALLENGE, USMP_CHALLENGE, 64},
    {"HELLO_ACK", USMP_WAIT_HELLO_ACK, USMP_HELLO_ACK, 32},
    {"keys", USMP_WAIT_KEYS, 0, 0},
    {"SESSION_OK", USMP_WAIT_SESSION_OK, USMP_SESSION_OK, 48},
};

/** Hands the last frame over; what is answered is the last frame then. */
static usmp_error_t give(usmp_handshake_t *to, const usmp_settings_t *settings)
{
    uint8_t copy[USMP_MAX_HANDSHAKE_FRAME];
    memcpy(copy, frame, sizeof copy);
    size_t size = 12 + (size_t)copy[8];
    usmp_error_t error = usmp_handshake_handle_frame(to, settings, copy, size, frame);
    CHECK(to->reply_length <= sizeof frame);
    return error;
}

/** Brings both sides to a stage. @return the side that waits there */
static usmp_handshake_t *reach(stage_t stage)
{
    seam_reset((uint32_t)stage + 1);
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    server.state = USMP_WAIT_HELLO;
    client_settings.psk = KEY.bytes;
    client_settings.psk_length = KEY.length;
    memcpy(client_settings.device_id, DEVICE_ID, sizeof DEVICE_ID);
    server_settings.decoy_key = DECOY;
    CHECK(usmp_handshake_make_key_pair(&client, false));
    CHECK_NUMBER(usmp_handshake_hello(&client, DEVICE_ID, NULL, frame), 50);
    if (stage == AT_HELLO) return &server;
    if (stage == AT_CHALLENGE) return &client;
    CHECK_OK(give(&server, &server_settings));
    if (stage == AT_HELLO_ACK) return &server;
    CHECK_OK(give(&client, &client_settings));
    if (stage == AT_SESSION_OK) return &client;
    CHECK_OK(give(&server, &server_settings));
    return &server;
}

static const usmp_settings_t *settings_of(const usmp_handshake_t *side)
{
    return side == &client ? &client_settings : &server_settings;
}

static void nothing_else_is_taken(void)
{
    static const size_t LENGTHS[] = {0, 31, 32, 33, 37, 38, 39, 47, 48, 49, 54, 63, 64, 65, 480};
    static const uint8_t payload[480];
    uint8_t bytes[492], reply[USMP_MAX_HANDSHAKE_FRAME];
    for (stage_t stage = AT_HELLO; stage < STAGES; stage++) {
        for (unsigned type = USMP_HELLO; type <= USMP_REKEY; type++) {
            for (size_t i = 0; i < COUNT(LENGTHS); i++) {
                bool is_type = type == TAKES[stage].type;
                if (is_type && LENGTHS[i] == TAKES[stage].length) continue;
                usmp_handshake_t *side = reach(stage);
                size_t size = make_frame(bytes, type, 0, payload, LENGTHS[i]);
                test_context("waiting for %s: type %u, %zu bytes", TAKES[stage].name, type, LENGTHS[i]);
                CHECK(!usmp_handshake_expects(side, bytes, size));
                usmp_error_t error = usmp_handshake_handle_frame(side, settings_of(side), bytes, size, reply);
                CHECK_ERROR(error, is_type ? USMP_ERROR_BAD_LENGTH : USMP_ERROR_UNEXPECTED_FRAME);
                CHECK_NUMBER(side->state, TAKES[stage].state);
                CHECK_NUMBER(side->reply_length, 0);
                if (LENGTHS[i] != 38 && !is_type) break;
            }
        }
    }
}

static void both_sides_get_the_same(void)
{
    for (unsigned order = 0; order < 2; order++) {
        (void)reach(order == 0 ? AT_HELLO_ACK : AT_KEYS);
        if (order == 0) {
            uint8_t challenge[USMP_MAX_HANDSHAKE_FRAME];
            memcpy(challenge, frame, sizeof challenge);
            CHECK_OK(usmp_handshake_provide_keys(&server, &server_settings, &KEY, 1, frame));
            CHECK_NUMBER(server.reply_length, 0);
            memcpy(frame, challenge, sizeof challenge);
            CHECK_OK(give(&client, &client_settings));
            CHECK_OK(give(&server, &server_settings));
        } else {
            CHECK_OK(usmp_handshake_provide_keys(&server, &server_settings, &KEY, 1, frame));
        }
        CHECK_NUMBER(server.reply_length, 60);
        CHECK_NUMBER(server.state, USMP_HANDSHAKE_DONE);
        CHECK_OK(give(&client, &client_settings));
        CHECK_NUMBER(client.state, USMP_HANDSHAKE_DONE);
        CHECK_BYTES(client.session_id, 16, server.session_id, 16);
        CHECK_BYTES(client.keys, 32, server.keys + 32, 32);
        CHECK_BYTES(client.keys + 32, 32, server.keys, 32);
        static const uint8_t zeros[32];
        CHECK_BYTES(client.private_key, 32, zeros, 32);
        CHECK_BYTES(server.private_key, 32, zeros, 32);
    }
}

static void handshake_frames_have_their_numbers(void)
{
    (void)reach(AT_CHALLENGE);
    CHECK_HEX(frame + 4, 4, "00000000");
    (void)reach(AT_HELLO_ACK);
    CHECK_HEX(frame + 4, 4, "00000000");
    (void)reach(AT_SESSION_OK);
    CHECK_HEX(frame + 4, 4, "02000000");
    (void)reach(AT_KEYS);
    CHECK_OK(usmp_handshake_provide_keys(&server, &server_settings, &KEY, 1, frame));
    CHECK_HEX(frame + 4, 4, "00000000");
    CHECK(usmp_frame_checksum_fits(frame));
#if USMP_DATAGRAM
    uint8_t cookie[16];
    pattern(cookie, sizeof cookie, 3);
    CHECK_NUMBER(usmp_handshake_hello(&client, DEVICE_ID, cookie, frame), 66);
    CHECK_HEX(frame + 4, 4, "01000000");
    CHECK_BYTES(frame + 50, 16, cookie, 16);
    CHECK(usmp_frame_checksum_fits(frame));
#endif
}

static void the_first_key_that_fits_is_named(void)
{
    static const usmp_key_t OTHER = {(const uint8_t *)"some other key of the device", 28};
    const usmp_key_t orders[][2] = {{KEY, OTHER}, {OTHER, KEY}, {KEY, KEY}};
    for (size_t i = 0; i < COUNT(orders); i++) {
        (void)reach(AT_KEYS);
        CHECK_OK(usmp_handshake_provide_keys(&server, &server_settings, orders[i], 2, frame));
        CHECK_NUMBER(server.key_index, i == 1);
        CHECK_OK(give(&client, &client_settings));
    }
}

static void a_failure_at_any_call_is_told(void)
{
    for (stage_t stage = AT_HELLO; stage < STAGES; stage++) {
        if (stage == AT_KEYS) continue;
        for (unsigned n = 1;; n++) {
            usmp_handshake_t *side = reach(stage);
            if (stage == AT_CHALLENGE) CHECK_OK(give(&server, &server_settings));
            if (stage == AT_HELLO_ACK) CHECK_OK(give(&client, &client_settings));
            if (stage == AT_SESSION_OK) {
                CHECK_OK(give(&server, &server_settings));
                CHECK_OK(usmp_handshake_provide_keys(&server, &server_settings, &KEY, 1, frame));
            }
            test_context("waiting for %s, call %u", TAKES[stage].name, n);
            seam_fail(n, false);
            usmp_error_t error = give(side, settings_of(side));
            if (!seam_has_failed()) {
                CHECK_OK(error);
                CHECK(n > 1 || stage == AT_HELLO_ACK);
                break;
            }
            CHECK_ERROR(error, USMP_ERROR_CRYPTO_FAILED);
            CHECK_NUMBER(side->reply_length, 0);
        }
    }
}

#endif

void handshake_suite(void)
{
#if USMP_SERVER
    test("in each state one type of frame of one length is taken, and the state stays where another comes",
         nothing_else_is_taken);
    test("an honest handshake leaves both sides with the same secrets, whenever the keys come", both_sides_get_the_same);
    test("handshake frames have the numbers of the specification", handshake_frames_have_their_numbers);
    test("the first of the keys that fits is named", the_first_key_that_fits_is_named);
    test("a failure of cryptography at any call is told", a_failure_at_any_call_is_told);
#endif
}
