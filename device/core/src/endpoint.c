#include "usmp/endpoint.h"

#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"
#include "usmp/utack.h"

#if USMP_SERVER && USMP_DATAGRAM

usmp_error_t usmp_endpoint_begin(usmp_endpoint_t *endpoint, const usmp_settings_t *settings, usmp_peer_t *peers, size_t count,
                                 uint32_t now)
{
    if (settings->transport != USMP_TRANSPORT_DATAGRAM || settings->decoy_key == NULL || count == 0) {
        return USMP_ERROR_INVALID_ARGUMENT;
    }
    memset(endpoint, 0, sizeof *endpoint);
    endpoint->settings = settings;
    endpoint->peers = peers;
    endpoint->count = count;
    for (size_t i = 0; i < count; i++) usmp_wipe(&peers[i].usmp);
    endpoint->period_began_at = now;
    usmp_bucket_begin(&endpoint->cookies, USMP_COOKIE_BURST, USMP_COOKIE_RATE, now);
    usmp_bucket_begin(&endpoint->beginnings, USMP_COOKIE_BURST, USMP_COOKIE_RATE, now);
    return usmp_crypto_random(endpoint->secret, sizeof endpoint->secret) ? USMP_OK : USMP_ERROR_CRYPTO_FAILED;
}

/* ── Cookies, which are computed again and not remembered (§9.2) ─────────────────────────────────────────────────── */

static bool bake(const usmp_endpoint_t *endpoint, uint8_t cookie[16], const uint8_t *source, size_t source_length, uint32_t period)
{
    uint8_t mac[USMP_MAC_LENGTH];
    uint8_t data[USMP_MAX_SOURCE + 4];
    memcpy(data, source, source_length);
    usmp_store32(data + source_length, period);
    if (!usmp_crypto_hmac_sha256(mac, endpoint->secret, sizeof endpoint->secret, data, source_length + 4)) return false;
    memcpy(cookie, mac, USMP_COOKIE_LENGTH);
    return true;
}

/** Counted on, and not divided out of the time, which wraps. */
static void enter_period(usmp_endpoint_t *endpoint, uint32_t now)
{
    uint32_t periods = (now - endpoint->period_began_at) / USMP_COOKIE_PERIOD;
    endpoint->period += periods;
    endpoint->period_began_at += periods * USMP_COOKIE_PERIOD;
}

static bool is_cookie(const usmp_endpoint_t *endpoint, const uint8_t *cookie, const uint8_t *source, size_t source_length)
{
    uint8_t expected[USMP_COOKIE_LENGTH];
    for (uint32_t age = 0; age < 2; age++) {
        if (!bake(endpoint, expected, source, source_length, endpoint->period - age)) return false;
        if (usmp_crypto_equal(expected, cookie, sizeof expected)) return true;
    }
    return false;
}

static void hand_cookie(usmp_endpoint_t *endpoint, const uint8_t *hello, const uint8_t *source, size_t source_length, uint32_t now)
{
    uint8_t *retry = endpoint->answers[1];
    if (!usmp_bucket_take(&endpoint->cookies, now)) return;
    if (!bake(endpoint, USMP_PAYLOAD(retry), source, source_length, endpoint->period)) return;
    usmp_frame_write_header(retry, USMP_HELLO_RETRY, 0, USMP_COOKIE_LENGTH);
    usmp_frame_write_checksum(retry);
    usmp_utack_write(endpoint->answers[0], USMP_HELLO, usmp_load32(hello + 4));
    endpoint->answer_lengths[0] = USMP_UTACK_HEADER_LENGTH;
    endpoint->answer_lengths[1] = USMP_HEADER_LENGTH + USMP_COOKIE_LENGTH;
}

/* ── Peers ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_from(const usmp_peer_t *peer, const uint8_t *source, size_t source_length)
{
    return usmp_state(&peer->usmp) != USMP_STATE_IDLE && peer->source_length == source_length &&
           memcmp(peer->source, source, source_length) == 0;
}

/** The newest peer of a source whose handshake is done, also when its session is over, or the newest that tries to follow it. */
static usmp_peer_t *find_peer(const usmp_endpoint_t *endpoint, const uint8_t *source, size_t source_length, bool authenticated)
{
    usmp_peer_t *newest = NULL;
    for (size_t i = 0; i < endpoint->count; i++) {
        usmp_peer_t *peer = &endpoint->peers[i];
        if (!is_from(peer, source, source_length)) continue;
        if ((usmp_device_id(&peer->usmp) != NULL) != authenticated) continue;
        if (newest == NULL || peer->order - newest->order < UINT32_MAX / 2) newest = peer;
    }
    return newest;
}

/** A place for a new peer: free, or that of one that is over, or the oldest handshake; never that of a session. */
static usmp_peer_t *place_for_new(usmp_endpoint_t *endpoint, const uint8_t *source, size_t source_length)
{
    usmp_peer_t *displaced = find_peer(endpoint, source, source_length, false);
    usmp_peer_t *oldest = NULL;
    if (displaced != NULL) return displaced;
    for (unsigned over = 0; over < 2; over++) {
        for (size_t i = 0; i < endpoint->count; i++) {
            usmp_peer_t *peer = &endpoint->peers[i];
            usmp_state_t state = usmp_state(&peer->usmp);
            if (state == USMP_STATE_IDLE) return peer;
            bool gone = state == USMP_STATE_CLOSED && !usmp_lingers(&peer->usmp);
            if (over == 0 ? !gone : state != USMP_STATE_HANDSHAKE) continue;
            if (oldest == NULL || oldest->order - peer->order < UINT32_MAX / 2) oldest = peer;
        }
        if (oldest != NULL) return oldest;
    }
    return NULL;
}

static usmp_peer_t *begin(usmp_endpoint_t *endpoint, const uint8_t *hello, const uint8_t *source, size_t source_length, uint32_t now)
{
    usmp_peer_t *peer = place_for_new(endpoint, source, source_length);
    if (peer == NULL || usmp_accept(&peer->usmp, endpoint->settings, now) != USMP_OK) return NULL;
    memcpy(peer->source, source, source_length);
    peer->source_length = (uint8_t)source_length;
    peer->tag = usmp_load32(USMP_PAYLOAD(hello) + 6);
    peer->order = ++endpoint->order;
    return peer;
}

/** The newer of two peers of one source has authenticated: there is nothing left to hear for the other one. */
static void displace(usmp_endpoint_t *endpoint, const usmp_peer_t *newer)
{
    for (size_t i = 0; i < endpoint->count; i++) {
        usmp_peer_t *peer = &endpoint->peers[i];
        if (peer == newer || !is_from(peer, newer->source, newer->source_length)) continue;
        if (usmp_state(&peer->usmp) == USMP_STATE_OPEN) usmp_fail(&peer->usmp, USMP_ERROR_REPLACED);
    }
}

static usmp_peer_t *judge_hello(usmp_endpoint_t *endpoint, const uint8_t *hello, size_t length, const uint8_t *source,
                             size_t source_length, uint32_t now)
{
    size_t size;
    usmp_error_t error = usmp_frame_measure(hello, length, &size);
    enter_period(endpoint, now);
    if (error == USMP_ERROR_VERSION_1) endpoint->strays++;
    if (error != USMP_OK || size != length) return NULL;
    if (length == USMP_HEADER_LENGTH + USMP_HELLO_LENGTH) {
        hand_cookie(endpoint, hello, source, source_length, now);
        return NULL;
    }
    if (length != USMP_HEADER_LENGTH + USMP_HELLO_LENGTH + USMP_COOKIE_LENGTH) return NULL;
    uint32_t tag = usmp_load32(USMP_PAYLOAD(hello) + 6);
    for (size_t i = 0; i < endpoint->count; i++) {
        usmp_peer_t *peer = &endpoint->peers[i];
        if (is_from(peer, source, source_length) && peer->tag == tag) return peer;
    }
    if (!is_cookie(endpoint, USMP_PAYLOAD(hello) + USMP_HELLO_LENGTH, source, source_length)) return NULL;
    if (!usmp_bucket_take(&endpoint->beginnings, now)) return NULL;
    return begin(endpoint, hello, source, source_length, now);
}

/** The type of the frame, or of the frame that a UTACK is about. */
static uint8_t type_of(const uint8_t *datagram, size_t length)
{
    return usmp_utack_is(datagram, length) ? datagram[2] : datagram[3];
}

usmp_peer_t *usmp_endpoint_handle_datagram(usmp_endpoint_t *endpoint, uint8_t *datagram, size_t length, const uint8_t *source,
                                           size_t source_length, uint32_t now)
{
    usmp_peer_t *peer;
    endpoint->answer_lengths[0] = endpoint->answer_lengths[1] = 0;
    if (length < USMP_UTACK_HEADER_LENGTH || source_length > USMP_MAX_SOURCE) return NULL;
    uint8_t type = type_of(datagram, length);
    if (type == USMP_HELLO && !usmp_utack_is(datagram, length)) {
        peer = judge_hello(endpoint, datagram, length, source, source_length, now);
    } else {
        /* While a new handshake is under way beside a session, the session gets its frames. */
        usmp_peer_t *handshake = find_peer(endpoint, source, source_length, false);
        usmp_peer_t *session = find_peer(endpoint, source, source_length, true);
        bool wants_handshake = handshake != NULL && (session == NULL || usmp_is_handshake_type(type));
        peer = wants_handshake ? handshake : session;
        if (session != NULL) displace(endpoint, session);
    }
    if (peer != NULL) (void)!usmp_handle_input(&peer->usmp, datagram, length, now);
    return peer;
}

#endif
