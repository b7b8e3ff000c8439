/** Time that only goes forward. */
#ifndef USMP_ESP_CLOCK_H
#define USMP_ESP_CLOCK_H

#include <stdint.h>

#include "freertos/FreeRTOS.h"

/** Milliseconds; wraps at 2^32. */
uint32_t clock_now(void);

/** Milliseconds from `now` until `then`, 0 where that is over. */
static inline uint32_t clock_until(uint32_t then, uint32_t now)
{
    int32_t left = (int32_t)(then - now);
    return left > 0 ? (uint32_t)left : 0;
}

/** At least so many milliseconds; portMAX_DELAY for UINT32_MAX. */
TickType_t clock_ticks(uint32_t milliseconds);

#endif
