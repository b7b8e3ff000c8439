/**
 * Tests that report by TAP. A test is named after the promise that it holds. A check that fails says where, and what it saw;
 * the test goes on.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/errors.h"

#if defined(__GNUC__)
#define TAP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TAP_PRINTF(text, first)
#endif

/** Runs a test without arguments. Where USMP_ONLY names a promise, others are left out. */
void test(const char *promise, void (*run)(void));

/** The same for tests that are made in a loop. */
void test_begin(const char *promise, ...) TAP_PRINTF(1, 2);
void test_end(void);

/** What every failure of the test says from here on: a seed, the case of a loop. */
void test_context(const char *format, ...) TAP_PRINTF(1, 2);

/** Whether a check of this test has failed. */
bool test_has_failed(void);

/** Prints the plan. @return the exit status of the program */
int test_finish(void);

/** Fails the test. */
void test_fail(const char *file, int line, const char *format, ...) TAP_PRINTF(3, 4);

bool check_true(const char *file, int line, const char *what, bool holds);
bool check_number(const char *file, int line, const char *what, long long actual, long long expected);
bool check_error(const char *file, int line, const char *what, usmp_error_t actual, usmp_error_t expected);
bool check_text(const char *file, int line, const char *what, const char *actual, const char *expected);
bool check_bytes(const char *file, int line, const char *what, const uint8_t *actual, size_t actual_length,
                 const uint8_t *expected, size_t expected_length);
/** @param expected hexadecimal */
bool check_hex(const char *file, int line, const char *what, const uint8_t *actual, size_t actual_length,
               const char *expected);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, condition)
#define CHECK_NUMBER(actual, expected) check_number(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))
#define CHECK_ERROR(actual, expected) check_error(__FILE__, __LINE__, #actual, actual, expected)
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, actual, expected)
#define CHECK_BYTES(actual, actual_length, expected, expected_length)                                                       \
    check_bytes(__FILE__, __LINE__, #actual, actual, actual_length, expected, expected_length)
#define CHECK_HEX(actual, actual_length, expected) check_hex(__FILE__, __LINE__, #actual, actual, actual_length, expected)
#define CHECK_OK(call) CHECK_ERROR(call, USMP_OK)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#endif
