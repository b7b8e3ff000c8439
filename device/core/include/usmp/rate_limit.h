/** How often something may happen that costs its sender little. Inside of the core. */
#ifndef USMP_RATE_LIMIT_H
#define USMP_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "usmp/config.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_SERVER
/** A token bucket. */
typedef struct usmp_bucket {
    /** In thousandths. */
    uint32_t tokens;
    uint32_t filled_at;
    uint16_t burst;
    /** Tokens a second. */
    uint16_t rate;
} usmp_bucket_t;

/** A full bucket. @param burst 1 to 1,000 */
USMP_INTERNAL void usmp_bucket_begin(usmp_bucket_t *bucket, uint16_t burst, uint16_t rate, uint32_t now);

/** Takes a token. @return false when there is none */
USMP_INTERNAL bool usmp_bucket_take(usmp_bucket_t *bucket, uint32_t now);
#endif

#ifdef __cplusplus
}
#endif

#endif
