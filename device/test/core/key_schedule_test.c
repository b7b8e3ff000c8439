#include "suites.h"

#include <string.h>

#include "scripted.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"
#include "usmp/key_schedule.h"

#include "bytes.h"

static void transcript_of(uint8_t transcript[96], const session_vector_t *session)
{
    (void)unhex(transcript, 32, session->nonce);
    (void)unhex(transcript + 32, 32, session->client_public);
    (void)unhex(transcript + 64, 32, session->server_public);
}

static void session_keys(void)
{
    uint8_t transcript[96], secret[32], keys[64];
    for (size_t i = 0; i < SESSIONS_COUNT; i++) {
        transcript_of(transcript, &SESSIONS[i]);
        (void)unhex(secret, sizeof secret, SESSIONS[i].shared_secret);
        CHECK(usmp_derive_session_keys(keys, secret, transcript));
        CHECK_HEX(keys, 32, SESSIONS[i].k_c2s);
        CHECK_HEX(keys + 32, 32, SESSIONS[i].k_s2c);
        usmp_swap_keys(keys);
        CHECK_HEX(keys, 32, SESSIONS[i].k_s2c);
        CHECK_HEX(keys + 32, 32, SESSIONS[i].k_c2s);
    }
}

static void macs(void)
{
    uint8_t transcript[96], psk[80], identity[16], mac[32];
    for (size_t i = 0; i < SESSIONS_COUNT; i++) {
        transcript_of(transcript, &SESSIONS[i]);
        size_t length = unhex(psk, sizeof psk, SESSIONS[i].psk);
        (void)unhex(identity, 6, SESSIONS[i].device_id);
        CHECK(usmp_handshake_mac(mac, USMP_HELLO_ACK, psk, length, identity, transcript));
        CHECK_HEX(mac, sizeof mac, SESSIONS[i].mac_c);
        (void)unhex(identity, 16, SESSIONS[i].session_id);
        CHECK(usmp_handshake_mac(mac, USMP_SESSION_OK, psk, length, identity, transcript));
        CHECK_HEX(mac, sizeof mac, SESSIONS[i].mac_s);
    }
}

static void rekey_keys(void)
{
    for (size_t i = 0; i < REKEYS_COUNT; i++) {
        uint8_t id[16], salt[32], keys[64], in_place[64];
        (void)unhex(id, sizeof id, session_named(REKEYS[i].session)->session_id);
        for (size_t j = 0; j < REKEYS[i].rekey_count; j++) {
            const salt_vector_t *vector = &REKEYS[i].rekeys[j];
            bool client = vector->from == CLIENT;
            (void)unhex(salt, sizeof salt, vector->salt);
            (void)unhex(in_place, 32, client ? vector->old_k_c2s : vector->old_k_s2c);
            (void)unhex(in_place + 32, 32, client ? vector->old_k_s2c : vector->old_k_c2s);
            CHECK(usmp_derive_rekey_keys(keys, in_place, salt, id));
            CHECK_HEX(keys, 32, client ? vector->k_c2s : vector->k_s2c);
            CHECK_HEX(keys + 32, 32, client ? vector->k_s2c : vector->k_c2s);
            CHECK(usmp_derive_rekey_keys(in_place, in_place, salt, id));
            CHECK_BYTES(in_place, sizeof in_place, keys, sizeof keys);
        }
    }
}

static void failures_are_told(void)
{
    uint8_t transcript[96] = {1}, secret[32] = {2}, keys[64] = {3}, mac[32];
    for (unsigned n = 1; n <= 3; n++) {
        seam_reset(1);
        seam_fail(n, false);
        CHECK(!usmp_derive_session_keys(keys, secret, transcript));
        seam_fail(n, false);
        CHECK(!usmp_derive_rekey_keys(keys, keys, secret, transcript));
    }
    seam_fail(1, false);
    CHECK(!usmp_handshake_mac(mac, USMP_HELLO_ACK, secret, 32, secret, transcript));
    seam_reset(1);
}

void key_schedule_suite(void)
{
    test("the keys of a session are those of the vectors", session_keys);
    test("the MACs of a handshake are those of the vectors", macs);
    test("each salt gives the keys that the vectors say, also in place", rekey_keys);
    test("a failure of HMAC is told, at each of its calls", failures_are_told);
}
