#include "clock.h"

#include "sdkconfig.h"

#if CONFIG_IDF_TARGET_LINUX
#include <time.h>

/* Not all versions of ESP-IDF have esp_timer on this target. */
uint32_t clock_now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)((uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u);
}
#else
#include "esp_timer.h"

uint32_t clock_now(void)
{
    return (uint32_t)(esp_timer_get_time() / 1000);
}
#endif

TickType_t clock_ticks(uint32_t milliseconds)
{
    if (milliseconds == UINT32_MAX) return portMAX_DELAY;
    uint64_t ticks = ((uint64_t)milliseconds * configTICK_RATE_HZ + 999u) / 1000u;
    return ticks < (uint64_t)portMAX_DELAY ? (TickType_t)ticks : portMAX_DELAY - 1;
}
