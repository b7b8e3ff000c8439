/**
 * Runs suites, by their names. As a rule each is in a process of its own, so that one that crashes does not take the others along;
 * valgrind, which takes half a second to begin, is given several.
 */
#include <stdio.h>
#include <string.h>

#include "usmp/errors.h"

#include "suites.h"
#include "tap.h"

static const struct {
    const char *name;
    void (*run)(void);
} SUITES[] = {
#ifndef TEST_ONE_FILE
    {"arq", arq_suite},
    {"cobs", cobs_suite},
    {"crc16", crc16_suite},
    {"datagram_networks", datagram_networks_suite},
    {"datagram_connection", datagram_connection_suite},
    {"endpoint", endpoint_suite},
    {"frame", frame_suite},
    {"handshake", handshake_suite},
    {"key_schedule", key_schedule_suite},
    {"message", message_suite},
    {"rate_limit", rate_limit_suite},
    {"record", record_suite},
    {"replay", replay_suite},
    {"utack", utack_suite},
#endif
    {"closing", closing_suite},
    {"connection", connection_suite},
#if !defined(TEST_ONE_FILE) || defined(TEST_ALL)
    {"crypto_failures", crypto_failures_suite},
    {"vectors", vectors_suite},
#endif
    {"deadlines", deadlines_suite},
    {"errors", errors_suite},
    {"messages", messages_suite},
    {"rekey", rekey_suite},
    {"sequence_end", sequence_end_suite},
    {"serial_connection", serial_connection_suite},
    {"stream_connection", stream_connection_suite},
};

static bool run_suite(const char *name)
{
    for (size_t i = 0; i < COUNT(SUITES); i++) {
        if (strcmp(name, SUITES[i].name) != 0) continue;
        SUITES[i].run();
        return true;
    }
    return false;
}

/** All codes, each with whose fault it is. */
static int print_error_codes(void)
{
    static const char *const FAULTS[] = {"caller", "peer", "network"};
    for (int error = 1; error < 256; error++) {
        const char *code = usmp_error_code((usmp_error_t)error);
        if (strcmp(code, "unknown") != 0) printf("%s %s\n", code, FAULTS[usmp_error_fault((usmp_error_t)error)]);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--error-codes") == 0) return print_error_codes();
    if (count < 2) {
        for (size_t i = 0; i < COUNT(SUITES); i++) puts(SUITES[i].name);
        return 0;
    }
    for (int i = 1; i < count; i++) {
        if (!run_suite(arguments[i])) return 2;
    }
    return test_finish();
}
