/** A server's socket: cookies, whose datagram it is, and who may take whose place. */
#include "suites.h"

#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"
#include "vectors.h"

#include "usmp/frame.h"

#if USMP_DATAGRAM && USMP_SERVER

#define PEERS 3u

static usmp_endpoint_t endpoint;
static usmp_peer_t peers[PEERS];
static usmp_settings_t settings;
static uint32_t now;

static const uint8_t HERE[] = {192, 0, 2, 1, 0x12, 0x34};
static const uint8_t THERE[] = {192, 0, 2, 9, 0x12, 0x34};

static void begin_at(uint32_t clock)
{
    static const uint8_t decoy[32] = {1};
    seam_reset(3);
    now = clock;
    settings.transport = USMP_TRANSPORT_DATAGRAM;
    settings.decoy_key = decoy;
    CHECK_OK(usmp_endpoint_begin(&endpoint, &settings, peers, PEERS, now));
}

static void begin(void)
{
    begin_at(0);
}

static usmp_peer_t *give(const uint8_t *bytes, size_t length, const uint8_t source[6])
{
    uint8_t copy[600];
    memcpy(copy, bytes, length);
    return usmp_endpoint_handle_datagram(&endpoint, copy, length, source, 6, now);
}

/** HELLO of a client by its number; with a cookie where there is one. */
static size_t hello(uint8_t *frame, unsigned client, const uint8_t *cookie)
{
    uint8_t payload[54];
    pattern(payload, 38, client);
    if (cookie != NULL) memcpy(payload + 38, cookie, 16);
    return make_frame(frame, USMP_HELLO, cookie != NULL, payload, cookie != NULL ? 54 : 38);
}

/** Asks for a cookie. @return whether there was one */
static bool ask(uint8_t cookie[16], unsigned client, const uint8_t source[6])
{
    uint8_t frame[80];
    size_t length = hello(frame, client, NULL);
    CHECK(give(frame, length, source) == NULL);
    if (endpoint.answer_lengths[0] == 0) {
        CHECK_NUMBER(endpoint.answer_lengths[1], 0);
        return false;
    }
    static const uint8_t utack[7] = {0xAC, 0xAC, USMP_HELLO};
    CHECK_BYTES(endpoint.answers[0], endpoint.answer_lengths[0], utack, sizeof utack);
    CHECK_NUMBER(endpoint.answer_lengths[1], 28);
    CHECK_NUMBER(endpoint.answers[1][3], USMP_HELLO_RETRY);
    CHECK(usmp_frame_checksum_fits(endpoint.answers[1]));
    memcpy(cookie, endpoint.answers[1] + 12, 16);
    return true;
}

/** A client that asks, and begins. @return its peer */
static usmp_peer_t *begin_peer(unsigned client, const uint8_t source[6])
{
    uint8_t cookie[16], frame[80];
    if (!CHECK(ask(cookie, client, source))) return NULL;
    size_t length = hello(frame, client, cookie);
    usmp_peer_t *peer = give(frame, length, source);
    CHECK(endpoint.answer_lengths[0] == 0);
    return peer;
}

/** As if its handshake were done. */
static void authenticate(usmp_peer_t *peer)
{
    usmp_event_t event;
    uint8_t keys[64], id[16] = {1};
    while (usmp_poll_event(&peer->usmp, &event)) {
    }
    pattern(keys, sizeof keys, 1);
    usmp_wipe_layer(&peer->usmp);
    peer->usmp.has_record = true;
    CHECK(usmp_record_begin(&peer->usmp.layer.record, id, keys));
    peer->usmp.state = USMP_STATE_OPEN;
    peer->usmp.authenticated = true;
    peer->usmp.datagram.flying = peer->usmp.datagram.flight_due = false;
    CHECK(usmp_device_id(&peer->usmp) != NULL);
}

static void finish(void)
{
    for (size_t i = 0; i < PEERS; i++) usmp_wipe(&peers[i].usmp);
    CHECK_NUMBER(seam_live_keys(), 0);
}

static void settings_are_checked(void)
{
    begin();
    usmp_settings_t other = settings;
    other.decoy_key = NULL;
    CHECK_ERROR(usmp_endpoint_begin(&endpoint, &other, peers, PEERS, 0), USMP_ERROR_INVALID_ARGUMENT);
    CHECK_ERROR(usmp_endpoint_begin(&endpoint, &settings, peers, 0, 0), USMP_ERROR_INVALID_ARGUMENT);
    other = settings;
    other.transport = USMP_TRANSPORT_STREAM;
    CHECK_ERROR(usmp_endpoint_begin(&endpoint, &other, peers, PEERS, 0), USMP_ERROR_INVALID_ARGUMENT);
    seam_fail(1, false);
    CHECK_ERROR(usmp_endpoint_begin(&endpoint, &settings, peers, PEERS, 0), USMP_ERROR_CRYPTO_FAILED);
}

static void hello_gets_a_cookie_and_keeps_nothing(void)
{
    uint8_t cookie[16];
    begin();
    CHECK(ask(cookie, 1, HERE));
    for (size_t i = 0; i < PEERS; i++) CHECK_NUMBER(usmp_state(&peers[i].usmp), USMP_STATE_IDLE);
    /* Less than was asked with. */
    CHECK(endpoint.answer_lengths[0] + endpoint.answer_lengths[1] < 50);
    CHECK(begin_peer(1, HERE) != NULL);
    finish();
}

static void hellos_of_another_length_begin_nothing(void)
{
    uint8_t payload[480], frame[492];
    begin();
    pattern(payload, 38, 1);
    memset(payload + 38, 0, sizeof payload - 38);
    CHECK(ask(payload + 38, 1, HERE));
    for (size_t length = 0; length <= sizeof payload; length++) {
        if (length == 38 || length == 54) continue;
        test_context("%zu bytes", length);
        CHECK(give(frame, make_frame(frame, USMP_HELLO, 1, payload, length), HERE) == NULL);
        CHECK_NUMBER(endpoint.answer_lengths[0] + endpoint.answer_lengths[1], 0);
    }
    for (size_t i = 0; i < PEERS; i++) CHECK_NUMBER(usmp_state(&peers[i].usmp), USMP_STATE_IDLE);
    CHECK(give(frame, make_frame(frame, USMP_HELLO, 1, payload, 54), HERE) != NULL);
    finish();
}

static void cookies_are_of_one_source_and_time(void)
{
    static const uint32_t CLOCKS[] = {0, 1000000, UINT32_MAX - 5000};
    uint8_t cookie[16], frame[80];
    for (size_t i = 0; i < COUNT(CLOCKS); i++) {
        begin_at(CLOCKS[i]);
        test_context("clock %lu", (unsigned long)CLOCKS[i]);
        CHECK(ask(cookie, 1, HERE));
        size_t length = hello(frame, 1, cookie);
        CHECK(give(frame, length, THERE) == NULL);
        now += 29999;
        CHECK(give(frame, length, HERE) != NULL);
        usmp_wipe(&peers[0].usmp);
        now += 30001;
        CHECK(give(frame, length, HERE) == NULL);
        CHECK_NUMBER(endpoint.answer_lengths[0], 0);
        for (unsigned bit = 0; bit < 128; bit++) {
            begin_at(CLOCKS[i]);
            CHECK(ask(cookie, 1, HERE));
            cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
            length = hello(frame, 1, cookie);
            CHECK(give(frame, length, HERE) == NULL);
            CHECK_NUMBER(endpoint.answer_lengths[0], 0);
        }
        finish();
    }
}

static void cookies_and_beginnings_have_a_rate(void)
{
    uint8_t cookie[16], frame[80];
    begin();
    unsigned count = 0;
    for (unsigned i = 0; i < 200; i++) count += ask(cookie, i, HERE);
    CHECK_NUMBER(count, USMP_COOKIE_BURST);
    now += 1000;
    count = 0;
    for (unsigned i = 0; i < 200; i++) count += ask(cookie, i, HERE);
    CHECK_NUMBER(count, USMP_COOKIE_RATE);
    count = 0;
    for (unsigned i = 0; i < 200; i++) {
        size_t length = hello(frame, i, cookie);
        count += give(frame, length, HERE) != NULL;
    }
    CHECK_NUMBER(count, USMP_COOKIE_BURST);
    finish();
}

static void what_is_no_hello_is_dropped(void)
{
    uint8_t frame[600], payload[480] = {0};
    static const size_t LENGTHS[] = {0, 37, 39, 53, 55, 480};
    begin();
    for (size_t i = 0; i < INVALID_DATAGRAMS_COUNT; i++) {
        size_t length = unhex(frame, sizeof frame, INVALID_DATAGRAMS[i].bytes);
        test_context("%s", INVALID_DATAGRAMS[i].name);
        CHECK(give(frame, length, HERE) == NULL);
        CHECK(endpoint.answer_lengths[0] == 0 && endpoint.answer_lengths[1] == 0);
    }
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        CHECK(give(frame, make_frame(frame, USMP_HELLO, 0, payload, LENGTHS[i]), HERE) == NULL);
        CHECK_NUMBER(endpoint.answer_lengths[0], 0);
    }
    for (unsigned type = USMP_CHALLENGE; type <= USMP_REKEY; type++) {
        CHECK(give(frame, make_frame(frame, type, 0, payload, 40), HERE) == NULL);
        CHECK_NUMBER(endpoint.answer_lengths[0], 0);
    }
    finish();
}

static void version_1_is_counted(void)
{
    uint8_t frame[80];
    begin();
    static const uint8_t VERSIONS[] = {0, 1, 3, 255, 1};
    for (size_t i = 0; i < COUNT(VERSIONS); i++) {
        size_t length = hello(frame, 1, NULL);
        frame[2] = VERSIONS[i];
        CHECK(give(frame, length, HERE) == NULL);
        CHECK_NUMBER(endpoint.answer_lengths[0], 0);
    }
    CHECK_NUMBER(endpoint.strays, 2);
    finish();
}

static void the_vectors_cookie_exchange(void)
{
    uint8_t expected[80], frame[80], id[6];
    usmp_settings_t client = {0};
    static usmp_t usmp;
    const session_vector_t *session = &SESSIONS[0];
    for (size_t i = 0; i < SESSIONS_COUNT; i++) {
        if (strcmp(SESSIONS[i].name, COOKIE.session) == 0) session = &SESSIONS[i];
    }
    seam_reset(1);
    seam_script(session->client_private);
    client.transport = USMP_TRANSPORT_DATAGRAM;
    client.psk = (const uint8_t *)TEST_PSK;
    client.psk_length = strlen(TEST_PSK);
    (void)unhex(id, sizeof id, session->device_id);
    memcpy(client.device_id, id, sizeof id);
    CHECK_OK(usmp_connect(&usmp, &client, 0));
    size_t length;
    const uint8_t *bytes = usmp_poll_transmit(&usmp, 0, &length);
    if (CHECK(bytes != NULL)) CHECK_HEX(bytes, length, COOKIE.hello);
    usmp_transmitted(&usmp, length, 0);
    size_t size = unhex(frame, sizeof frame, COOKIE.hello_retry);
    CHECK_NUMBER(usmp_handle_input(&usmp, frame, size, 10), size);
    static const uint8_t utack[7] = {0xAC, 0xAC, USMP_HELLO_RETRY};
    bytes = usmp_poll_transmit(&usmp, 10, &length);
    if (CHECK(bytes != NULL)) CHECK_BYTES(bytes, length, utack, sizeof utack);
    usmp_transmitted(&usmp, length, 10);
    bytes = usmp_poll_transmit(&usmp, 10, &length);
    size = unhex(expected, sizeof expected, COOKIE.hello_with_cookie);
    if (CHECK(bytes != NULL)) CHECK_BYTES(bytes, length, expected, size);
    usmp_wipe(&usmp);
}

static void a_repeated_hello_goes_to_its_peer(void)
{
    uint8_t frame[80], cookie[16];
    begin();
    usmp_peer_t *peer = begin_peer(1, HERE);
    pattern(cookie, sizeof cookie, 9);
    now += 90000;
    size_t length = hello(frame, 1, cookie);
    CHECK(give(frame, length, HERE) == peer);
    CHECK(give(frame, length, THERE) == NULL);
    finish();
}

static void datagrams_go_to_the_peer_of_their_source(void)
{
    uint8_t frame[100], payload[40] = {0}, utack[15] = {0xAC, 0xAC, USMP_HELLO};
    begin();
    usmp_peer_t *here = begin_peer(1, HERE), *there = begin_peer(2, THERE);
    CHECK(here != NULL && there != NULL && here != there);
    CHECK(give(frame, make_frame(frame, USMP_DATA, 0, payload, 40), HERE) == here);
    CHECK(give(frame, make_frame(frame, USMP_HELLO_ACK, 2, payload, 31), THERE) == there);
    CHECK(give(utack, 7, HERE) == here);
    utack[2] = USMP_DATA;
    CHECK(give(utack, 15, THERE) == there);
    static const uint8_t NOWHERE[] = {1, 2, 3, 4, 5, 6};
    CHECK(give(utack, 15, NOWHERE) == NULL);
    CHECK(usmp_endpoint_handle_datagram(&endpoint, utack, 15, HERE, 5, now) == NULL);
    CHECK(usmp_endpoint_handle_datagram(&endpoint, utack, 15, HERE, USMP_MAX_SOURCE + 1, now) == NULL);
    finish();
}

static void a_session_goes_on_beside_a_handshake(void)
{
    uint8_t frame[100], payload[40] = {0}, utack[15] = {0xAC, 0xAC, USMP_DATA};
    usmp_event_t event;
    begin();
    usmp_peer_t *session = begin_peer(1, HERE);
    if (!CHECK(session != NULL)) return;
    authenticate(session);
    usmp_peer_t *attempt = begin_peer(2, HERE);
    if (!CHECK(attempt != NULL && attempt != session)) return;
    CHECK(give(frame, make_frame(frame, USMP_DATA, 0, payload, 40), HERE) == session);
    CHECK(give(utack, 15, HERE) == session);
    utack[2] = USMP_CHALLENGE;
    CHECK(give(utack, 7, HERE) == attempt);
    CHECK(give(frame, make_frame(frame, USMP_CHALLENGE, 0, payload, 32), HERE) == attempt);
    CHECK_NUMBER(usmp_state(&session->usmp), USMP_STATE_OPEN);

    /* A third one takes the place of the attempt, never of the session. */
    usmp_peer_t *third = begin_peer(3, HERE);
    CHECK(third == attempt);
    CHECK_NUMBER(usmp_state(&session->usmp), USMP_STATE_OPEN);

    /* Once it has authenticated, the session is replaced. */
    authenticate(third);
    CHECK(give(frame, make_frame(frame, USMP_DATA, 0, payload, 40), HERE) == third);
    CHECK_NUMBER(usmp_state(&session->usmp), USMP_STATE_CLOSED);
    bool told = false;
    while (usmp_poll_event(&session->usmp, &event)) {
        if (event.type == USMP_EVENT_CLOSED) CHECK_ERROR(event.error, USMP_ERROR_REPLACED);
        told |= event.type == USMP_EVENT_CLOSED;
    }
    CHECK(told);
    finish();
}

static void a_failed_attempt_leaves_the_session_alone(void)
{
    uint8_t frame[100], payload[40] = {0};
    usmp_event_t event;
    begin();
    usmp_peer_t *session = begin_peer(1, HERE);
    if (!CHECK(session != NULL)) return;
    authenticate(session);
    for (unsigned i = 2; i < 6; i++) {
        usmp_peer_t *attempt = begin_peer(i, HERE);
        if (!CHECK(attempt != NULL && attempt != session)) return;
        uint8_t device_id[6] = {0};
        while (usmp_poll_event(&attempt->usmp, &event)) {
            if (event.type == USMP_EVENT_KEYS_WANTED) memcpy(device_id, event.data, sizeof device_id);
        }
        size_t length;
        while (usmp_poll_transmit(&attempt->usmp, now, &length) != NULL) usmp_transmitted(&attempt->usmp, length, now);
        usmp_provide_keys(&attempt->usmp, device_id, NULL, 0, now);
        CHECK(give(frame, make_frame(frame, USMP_HELLO_ACK, 2, payload, 32), HERE) == attempt);
        CHECK_NUMBER(usmp_state(&attempt->usmp), USMP_STATE_CLOSED);
        CHECK(give(frame, make_frame(frame, USMP_DATA, 0, payload, 40), HERE) == session);
        CHECK_NUMBER(usmp_state(&session->usmp), USMP_STATE_OPEN);
    }
    finish();
}

/** All places are taken: by sessions none is given away, of handshakes the oldest goes. */
static void places_are_limited(void)
{
    uint8_t source[6] = {0}, cookie[16], frame[80];
    begin();
    usmp_peer_t *first = NULL;
    for (unsigned i = 0; i < PEERS; i++) {
        source[0] = (uint8_t)(i + 1);
        usmp_peer_t *peer = begin_peer(i, source);
        if (i == 0) first = peer;
    }
    source[0] = 100;
    CHECK(begin_peer(50, source) == first);
    for (size_t i = 0; i < PEERS; i++) authenticate(&peers[i]);
    source[0] = 101;
    CHECK(ask(cookie, 60, source));
    size_t length = hello(frame, 60, cookie);
    CHECK(give(frame, length, source) == NULL);
    for (size_t i = 0; i < PEERS; i++) CHECK_NUMBER(usmp_state(&peers[i].usmp), USMP_STATE_OPEN);
    finish();
}

/* ── With real clients ───────────────────────────────────────────────────────────────────────────────────────────── */

static pair_t pair;

static void a_reset_device_takes_its_place(void)
{
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_DATAGRAM;
    options.endpoint = true;
    options.least_delay = options.most_delay = 10;
    pair_open(&pair, &options);
    for (unsigned i = 0; i < 10; i++) {
        const usmp_t *old = pair.server.usmp;
        pair_reset_client(&pair);
        end_forget_events(&pair.server);
        PAIR_UNTIL(&pair, usmp_state(pair.client.usmp) == USMP_STATE_OPEN, 3000);
        pair_advance(&pair, 500);
        end_send_pattern(&pair, &pair.client, i, 30);
        end_send_pattern(&pair, &pair.server, i, 30);
        pair_advance(&pair, 500);
        CHECK(end_has_message(&pair.server, 0, i, 30));
        CHECK(end_has_message(&pair.client, 0, i, 30));
        CHECK(pair.server.usmp != old);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_REPLACED);
        if (test_has_failed()) break;
        pair_advance(&pair, 3000);
    }
    pair_free(&pair);
}

void endpoint_suite(void)
{
    test("settings that cannot be used are refused", settings_are_checked);
    test("HELLO gets UTACK and a cookie, and nothing is kept", hello_gets_a_cookie_and_keeps_nothing);
    test("HELLO of another length begins nothing, whatever cookie is in it", hellos_of_another_length_begin_nothing);
    test("a cookie is good for its source, for 30 to 60 s, and with no bit changed, also where the clock wraps",
         cookies_are_of_one_source_and_time);
    test("cookies and beginnings have a rate", cookies_and_beginnings_have_a_rate);
    test("what is no HELLO of a stranger is dropped without any answer", what_is_no_hello_is_dropped);
    test("HELLO of version 1 is counted, and not answered", version_1_is_counted);
    test("a client answers HELLO_RETRY as the vectors say", the_vectors_cookie_exchange);
    test("a repeated HELLO goes to the peer that it began, whatever its cookie", a_repeated_hello_goes_to_its_peer);
    test("datagrams go to the peer of their source", datagrams_go_to_the_peer_of_their_source);
    test("a session goes on beside a handshake from its source, until that has authenticated",
         a_session_goes_on_beside_a_handshake);
    test("handshakes that fail leave the session of their source alone", a_failed_attempt_leaves_the_session_alone);
    test("places are limited: a session keeps its own, of handshakes the oldest goes", places_are_limited);
    test("a device that was reset takes the place of its session", a_reset_device_takes_its_place);
}

#else

void endpoint_suite(void)
{
}

#endif
