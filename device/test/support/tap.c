#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/** Failures that a test tells of; a loop of many would drown the first one. */
#define MAX_TOLD 10u

/** Bytes around the first difference that are shown. */
#define SHOWN 24u

static unsigned tests;
static unsigned failed_tests;
static unsigned failures;
static char promise_now[512];
static char context[256];

void test_begin(const char *promise, ...)
{
    va_list arguments;
    va_start(arguments, promise);
    (void)vsnprintf(promise_now, sizeof promise_now, promise, arguments);
    va_end(arguments);
    failures = 0;
    context[0] = '\0';
}

void test_end(void)
{
    tests++;
    if (failures > MAX_TOLD) printf("# and %u more failures\n", failures - MAX_TOLD);
    if (failures > 0) failed_tests++;
    printf("%s %u - %s\n", failures == 0 ? "ok" : "not ok", tests, promise_now);
    (void)fflush(stdout);
}

void test(const char *promise, void (*run)(void))
{
    const char *only = getenv("USMP_ONLY");
    if (only != NULL && strcmp(only, promise) != 0) return;
    test_begin("%s", promise);
    run();
    test_end();
}

void test_context(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
}

bool test_has_failed(void)
{
    return failures > 0;
}

int test_finish(void)
{
    printf("1..%u\n", tests);
    return failed_tests > 0 || tests == 0 ? 1 : 0;
}

/** Begins the report of a failure. @return whether the rest may be told */
static bool tell(const char *file, int line)
{
    const char *name = strrchr(file, '/');
    if (failures++ >= MAX_TOLD) return false;
    printf("# %s:%d: ", name != NULL ? name + 1 : file, line);
    if (context[0] != '\0') printf("(%s) ", context);
    return true;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    if (!tell(file, line)) return;
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

bool check_true(const char *file, int line, const char *what, bool holds)
{
    if (!holds) test_fail(file, line, "%s does not hold", what);
    return holds;
}

bool check_number(const char *file, int line, const char *what, long long actual, long long expected)
{
    if (actual != expected) test_fail(file, line, "%s is %lld, expected %lld", what, actual, expected);
    return actual == expected;
}

bool check_error(const char *file, int line, const char *what, usmp_error_t actual, usmp_error_t expected)
{
    if (actual == expected) return true;
    test_fail(file, line, "%s is %s, expected %s", what, usmp_error_code(actual), usmp_error_code(expected));
    return false;
}

bool check_text(const char *file, int line, const char *what, const char *actual, const char *expected)
{
    if (strcmp(actual, expected) == 0) return true;
    test_fail(file, line, "%s is \"%s\", expected \"%s\"", what, actual, expected);
    return false;
}

static void print_around(const char *name, const uint8_t *bytes, size_t length, size_t at)
{
    size_t from = at > SHOWN / 2 ? at - SHOWN / 2 : 0;
    printf("#   %s, %zu bytes, from %zu: ", name, length, from);
    for (size_t i = from; i < length && i < from + SHOWN; i++) printf("%02x", bytes[i]);
    printf("\n");
}

bool check_bytes(const char *file, int line, const char *what, const uint8_t *actual, size_t actual_length,
                 const uint8_t *expected, size_t expected_length)
{
    size_t at = 0;
    while (at < actual_length && at < expected_length && actual[at] == expected[at]) at++;
    if (at == actual_length && at == expected_length) return true;
    if (!tell(file, line)) return false;
    printf("%s differs at byte %zu\n", what, at);
    print_around("actual  ", actual, actual_length, at);
    print_around("expected", expected, expected_length, at);
    return false;
}

bool check_hex(const char *file, int line, const char *what, const uint8_t *actual, size_t actual_length,
               const char *expected)
{
    static uint8_t bytes[8192];
    return check_bytes(file, line, what, actual, actual_length, bytes, unhex(bytes, sizeof bytes, expected));
}
