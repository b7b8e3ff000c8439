/** Acknowledgements of datagrams: those of the vectors. */
#include "suites.h"

#include <string.h>

#include "scripted.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"
#include "usmp/record.h"
#include "usmp/utack.h"

#include "bytes.h"

#if USMP_DATAGRAM

static void begin_record(usmp_record_t *record, const session_vector_t *session, role_t role)
{
    uint8_t keys[64], id[16];
    memset(record, 0, sizeof *record);
    (void)unhex(keys, 32, session->k_c2s);
    (void)unhex(keys + 32, 32, session->k_s2c);
    if (role == SERVER) usmp_swap_keys(keys);
    (void)unhex(id, sizeof id, session->session_id);
    CHECK(usmp_record_begin(record, id, keys));
}

static void handshake_frames(void)
{
    uint8_t utack[7];
    for (size_t i = 0; i < UTACK_HANDSHAKES_COUNT; i++) {
        usmp_utack_write(utack, (uint8_t)UTACK_HANDSHAKES[i].type, UTACK_HANDSHAKES[i].seq);
        CHECK_HEX(utack, sizeof utack, UTACK_HANDSHAKES[i].bytes);
        CHECK(usmp_utack_is(utack, sizeof utack));
        CHECK(usmp_utack_fits(utack, sizeof utack));
        CHECK(!usmp_utack_fits(utack, 15));
    }
}

static void session_frames(void)
{
    uint8_t utack[15];
    usmp_record_t from, to;
    for (size_t i = 0; i < UTACK_SESSIONS_COUNT; i++) {
        const utack_vector_t *vector = &UTACK_SESSIONS[i];
        const session_vector_t *session = session_named(vector->session);
        begin_record(&from, session, vector->from);
        begin_record(&to, session, other_role(vector->from));
        usmp_utack_write(utack, (uint8_t)vector->type, vector->seq);
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
        CHECK_HEX(utack, sizeof utack, vector->bytes);
        CHECK(usmp_utack_fits(utack, sizeof utack));
        CHECK(usmp_record_verify_utack(&from, utack + 7, utack));
        CHECK(!usmp_record_verify_utack(&to, utack + 7, utack));
        for (size_t j = 2; j < sizeof utack; j++) {
            utack[j] ^= 0x10;
            CHECK(!usmp_record_verify_utack(&from, utack + 7, utack));
            utack[j] ^= 0x10;
        }
        usmp_record_wipe(&from);
        usmp_record_wipe(&to);
    }
}

/** The first REKEY of a script: acknowledged under the key before it, and taken under the one after it too. */
static void rekeys(void)
{
    uint8_t utack[15], frame[200], salt[32];
    usmp_record_t from, to;
    for (size_t i = 0; i < UTACK_REKEYS_COUNT; i++) {
        const utack_rekey_vector_t *vector = &UTACK_REKEYS[i];
        const rekey_vector_t *script = rekey_named(vector->script);
        const session_vector_t *session = session_named(script->session);
        begin_record(&from, session, vector->from);
        begin_record(&to, session, other_role(vector->from));
        (void)unhex(salt, sizeof salt, script->rekeys[0].salt);
        from.tx_seq = vector->seq;
        CHECK_OK(usmp_record_seal(&from, USMP_REKEY, salt, sizeof salt, frame));
        CHECK(usmp_record_rekey(&from, USMP_REKEY_INITIATOR, salt, true));

        usmp_utack_write(utack, USMP_REKEY, vector->seq);
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
        CHECK_HEX(utack, sizeof utack, vector->old);
        CHECK(usmp_record_verify_utack(&from, utack + 7, utack));
        CHECK(usmp_record_rekey(&to, USMP_REKEY_RESPONDER, salt, true));
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, true));
        CHECK_HEX(utack, sizeof utack, vector->old);
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
        CHECK_HEX(utack, sizeof utack, vector->new_);
        CHECK(usmp_record_verify_utack(&from, utack + 7, utack));

        /* Once it is known to have arrived, the key before it is gone. */
        usmp_record_rekey_acknowledged(&from);
        (void)unhex(utack, sizeof utack, vector->old);
        CHECK(!usmp_record_verify_utack(&from, utack + 7, utack));
        usmp_record_wipe(&from);
        usmp_record_wipe(&to);
    }
}

static void the_old_key_serves_rekey_alone(void)
{
    static const uint8_t OTHERS[] = {USMP_DATA, USMP_DATA_FRAG, USMP_PING, USMP_PONG, USMP_BYE};
    uint8_t utack[15], frame[200], salt[32] = {1};
    usmp_record_t from, to;
    begin_record(&from, &SESSIONS[0], CLIENT);
    begin_record(&to, &SESSIONS[0], SERVER);
    CHECK_OK(usmp_record_seal(&from, USMP_REKEY, salt, sizeof salt, frame));
    CHECK(usmp_record_rekey(&from, USMP_REKEY_INITIATOR, salt, true));
    usmp_utack_write(utack, USMP_REKEY, 0);
    CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
    CHECK(usmp_record_verify_utack(&from, utack + 7, utack));
    for (size_t i = 0; i < COUNT(OTHERS); i++) {
        usmp_utack_write(utack, OTHERS[i], 0);
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
        CHECK(!usmp_record_verify_utack(&from, utack + 7, utack));
    }
    CHECK(usmp_record_rekey(&to, USMP_REKEY_RESPONDER, salt, true));
    for (size_t i = 0; i < COUNT(OTHERS); i++) {
        usmp_utack_write(utack, OTHERS[i], 0);
        CHECK(usmp_record_utack_mac(&to, utack + 7, utack, false));
        CHECK(usmp_record_verify_utack(&from, utack + 7, utack));
    }
    usmp_record_wipe(&from);
    usmp_record_wipe(&to);
}

static void what_acknowledges_nothing(void)
{
    uint8_t utack[64];
    usmp_record_t from;
    for (size_t i = 0; i < UTACK_INVALID_COUNT; i++) {
        const utack_vector_t *vector = &UTACK_INVALID[i];
        size_t length = unhex(utack, sizeof utack, vector->bytes);
        begin_record(&from, session_named(vector->session), vector->from);
        test_context("%s", vector->name);
        bool is_about_it =
            length >= 7 && utack[2] == USMP_DATA && utack[3] == 7 && utack[4] == 0 && utack[5] == 0 && utack[6] == 0;
        CHECK(!(usmp_utack_is(utack, length) && usmp_utack_fits(utack, length) && is_about_it &&
                usmp_record_verify_utack(&from, utack + 7, utack)));
        usmp_record_wipe(&from);
    }
}

void utack_suite(void)
{
    seam_reset(1);
    test("UTACKs of handshake frames are those of the vectors", handshake_frames);
    test("UTACKs of session frames are those of the vectors, and no changed bit is taken", session_frames);
    test("UTACKs of REKEY are taken under the old key and the new one, until it is known to have arrived", rekeys);
    test("the key before REKEY serves for the UTACK of REKEY and of nothing else", the_old_key_serves_rekey_alone);
    test("what the vectors call invalid acknowledges nothing", what_acknowledges_nothing);
}

#else

void utack_suite(void)
{
}

#endif
