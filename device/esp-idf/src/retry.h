/**
 * How long to wait before the next attempt: exponential back-off with full jitter, so that devices which lost their server do not
 * come back in step. The same numbers as in the TypeScript client (docs/reconnect.md).
 */
#ifndef USMP_ESP_RETRY_H
#define USMP_ESP_RETRY_H

#include <stdint.h>

#include "usmp/errors.h"

typedef struct retry {
    /** Milliseconds. */
    uint32_t base;
    uint32_t cap;
    uint32_t stable_after;
    uint32_t failures;
} retry_t;

/** A session that lasted for `duration` milliseconds is over. */
void retry_session_ended(retry_t *retry, uint32_t duration);

/** Milliseconds to wait after a session that ended, or an attempt that failed, because of `error`. */
uint32_t retry_next(retry_t *retry, usmp_error_t error);

#endif
