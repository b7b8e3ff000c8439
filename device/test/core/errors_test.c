#include "suites.h"

#include <string.h>

#include "tap.h"

#include "usmp/errors.h"

static const char *const CODES[] = {
    "ok", "bad_magic", "version_1", "unsupported_version", "bad_type", "bad_length", "bad_crc", "unexpected_frame",
    "low_order_point", "wrong_key", "refused", "turned_away", "rogue_server", "bad_sequence", "bad_nonce", "bad_tag",
    "message_too_long", "rekey_unsafe", "sequence_spent", "handshake_timeout", "idle_timeout", "bye", "closed",
    "not_acknowledged", "connection_lost", "unreachable", "replaced", "invalid_argument", "key_too_short",
    "message_too_large", "not_connected", "busy", "crypto_failed",
};

static bool is_known(const char *code)
{
    for (size_t i = 0; i < COUNT(CODES); i++) {
        if (strcmp(CODES[i], code) == 0) return true;
    }
    return false;
}

static void every_error_explains_itself(void)
{
    size_t found = 0;
    for (int error = 0; error < 256; error++) {
        const char *code = usmp_error_code((usmp_error_t)error);
        const char *text = usmp_strerror((usmp_error_t)error);
        if (strcmp(code, "unknown") == 0) continue;
        found++;
        CHECK(is_known(code));
        CHECK(strlen(text) >= 8 && strlen(text) <= 70);
        CHECK_NUMBER(usmp_error_class((usmp_error_t)error), error & 0xF0);
        for (int other = 0; other < error; other++) CHECK(strcmp(code, usmp_error_code((usmp_error_t)other)) != 0);
    }
    CHECK_NUMBER(found, COUNT(CODES));
}

static void what_is_no_error_is_unknown(void)
{
    CHECK_TEXT(usmp_error_code((usmp_error_t)0x77), "unknown");
    CHECK(strlen(usmp_strerror((usmp_error_t)0x77)) > 0);
}

static void classes(void)
{
    CHECK_NUMBER(usmp_error_class(USMP_OK), USMP_CLASS_NONE);
    CHECK_NUMBER(usmp_error_class(USMP_ERROR_BAD_CRC), USMP_CLASS_FRAME);
    CHECK_NUMBER(usmp_error_class(USMP_ERROR_ROGUE_SERVER), USMP_CLASS_HANDSHAKE);
    CHECK_NUMBER(usmp_error_class(USMP_ERROR_SEQUENCE_SPENT), USMP_CLASS_SESSION);
    CHECK_NUMBER(usmp_error_class(USMP_ERROR_REPLACED), USMP_CLASS_ENDED);
    CHECK_NUMBER(usmp_error_class(USMP_ERROR_CRYPTO_FAILED), USMP_CLASS_CALL);
    CHECK_NUMBER(usmp_error_fault(USMP_ERROR_WRONG_KEY), USMP_FAULT_PEER);
    CHECK_NUMBER(usmp_error_fault(USMP_ERROR_UNREACHABLE), USMP_FAULT_NETWORK);
    CHECK_NUMBER(usmp_error_fault(USMP_ERROR_BUSY), USMP_FAULT_CALLER);
}

void errors_suite(void)
{
    test("every error has a code of its own, a class, and a sentence that says what to do", every_error_explains_itself);
    test("what is no error is called unknown", what_is_no_error_is_unknown);
    test("an error tells its class and whose fault it is", classes);
}
