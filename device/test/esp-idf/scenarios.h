/**
 * What is tried with the component against a server, each in a process of its own: the environment variable USMP_SCENARIO says
 * which, USMP_URL where the server is. A scenario that returns has succeeded.
 */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <stdio.h>
#include <stdlib.h>

#include "usmp_esp.h"

/** Ends the process where it does not hold. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/** The same for a result. */
#define EXPECT(expected, call)                                                                                         \
    do {                                                                                                               \
        esp_err_t expect_result = (call);                                                                              \
        if (expect_result != (expected)) {                                                                             \
            fprintf(stderr, "%s:%d: %s is %s\n", __FILE__, __LINE__, #call, esp_err_to_name(expect_result));           \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define KEY "a key for tests, 16+"

/** What a connection has told, for all tasks to read. */
typedef struct seen {
    int connected;
    int disconnected;
    int failed;
    int messages;
    int dropped;
    int pongs;
    int rekeyed;
    int stopped;
    uint32_t error;
    uint32_t unsent;
    uint32_t unconfirmed;
    uint32_t retry_in;
} seen_t;

/** A callback that counts in `context`, a seen_t, and prints connections and messages on stdout. */
void count_event(const usmp_esp_event_t *event);

/** Of a field of seen_t. */
#define SEEN(field) __atomic_load_n(&(field), __ATOMIC_SEQ_CST)

/** Waits until it holds, or ends the process after 10 s. */
#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        uint32_t await_until = milliseconds() + 10000;                                                                 \
        while (!(condition)) {                                                                                         \
            CHECK((int32_t)(await_until - milliseconds()) > 0 && #condition);                                          \
            rest_a_little();                                                                                           \
        }                                                                                                              \
    } while (0)

uint32_t milliseconds(void);
void rest_a_little(void);

/** To the server of the test, with its key, a device id that all runs share, short waits, and `count_event`. */
usmp_esp_config_t test_config(seen_t *seen);

/* sessions.c */
void scenario_echo(void);
void scenario_loop(void);
void scenario_threads(void);
void scenario_restart(void);
void scenario_wrong_key(void);
void scenario_two(void);
void scenario_events(void);
void scenario_silent(void);
void scenario_names(void);

/* calls.c */
void scenario_full(void);
void scenario_callback(void);
void scenario_arguments(void);
void scenario_keys(void);
void scenario_delete(void);
void scenario_parts(void);

#endif
