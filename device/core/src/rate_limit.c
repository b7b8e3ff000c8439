#include "usmp/rate_limit.h"

#if USMP_SERVER

#define TOKEN ((uint32_t)1000)

USMP_INTERNAL void usmp_bucket_begin(usmp_bucket_t *bucket, uint16_t burst, uint16_t rate, uint32_t now)
{
    bucket->burst = burst;
    bucket->rate = rate;
    bucket->tokens = burst * TOKEN;
    bucket->filled_at = now;
}

USMP_INTERNAL bool usmp_bucket_take(usmp_bucket_t *bucket, uint32_t now)
{
    uint32_t full = bucket->burst * TOKEN;
    uint32_t elapsed = now - bucket->filled_at;
    bucket->filled_at = now;
    /* A token a second is a thousandth a millisecond. */
    if (elapsed >= full / bucket->rate || bucket->tokens + elapsed * bucket->rate >= full) bucket->tokens = full;
    else bucket->tokens += elapsed * bucket->rate;
    if (bucket->tokens < TOKEN) return false;
    bucket->tokens -= TOKEN;
    return true;
}

#endif
