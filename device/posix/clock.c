#include "clock.h"

#include <time.h>

/** Where the clock begins: so that it wraps after a few seconds, and not after 49 days where nobody has ever tested it. */
#define BEGINNING (UINT32_MAX - 2000)

uint32_t clock_now(void)
{
    static struct timespec began;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* fails only where there is no such clock */
    if (began.tv_sec == 0 && began.tv_nsec == 0) began = now;
    int64_t elapsed = (int64_t)(now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
    return (uint32_t)(BEGINNING + (uint64_t)elapsed);
}
