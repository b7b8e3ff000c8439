#include "retry.h"

#include <stdbool.h>

#include "esp_random.h"

/** Doubling beyond this leads over every cap. */
#define MAX_DOUBLINGS 31u

void retry_session_ended(retry_t *retry, uint32_t duration)
{
    if (duration >= retry->stable_after) retry->failures = 0;
}

/** Somebody has to put a key right first. A server that dies in mid-handshake looks the same, so trying goes on. */
static bool needs_help(usmp_error_t error)
{
    return error == USMP_ERROR_REFUSED || error == USMP_ERROR_ROGUE_SERVER;
}

uint32_t retry_next(retry_t *retry, usmp_error_t error)
{
    uint32_t doublings = retry->failures < MAX_DOUBLINGS ? retry->failures : MAX_DOUBLINGS;
    uint64_t bound = (uint64_t)retry->base << doublings;
    if (bound > retry->cap || needs_help(error)) bound = retry->cap;
    retry->failures++;
    /* 32 random bits as a fraction of 1: any bound is met evenly enough. */
    return (uint32_t)((bound * esp_random()) >> 32);
}
