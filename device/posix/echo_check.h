/** Messages whose echo tells whether everything arrives once, unchanged and in order. */
#ifndef ECHO_CHECK_H
#define ECHO_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "problem.h"

typedef struct echo_check {
    uint32_t count;
    /** Of the longest message. */
    size_t size;
    uint32_t sent;
    uint32_t echoed;
    /** Of the echoes. */
    uint64_t bytes;
} echo_check_t;

/**
 * Makes message `number`, counted from 0: of every size that matters, up to the largest. No other number gives the same, as far
 * as the size allows.
 *
 * @param message room for USMP_MAX_MESSAGE bytes
 * @return its length
 */
size_t echo_check_message(const echo_check_t *check, uint32_t number, uint8_t *message);

/** Takes what has come back. @return false: it is not the next echo, and `problem` says what it is */
bool echo_check_take(echo_check_t *check, const uint8_t *data, size_t length, problem_t *problem);

#endif
