/** The clock that the core wants: milliseconds that only go forward and wrap at 2^32. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

uint32_t clock_now(void);

#endif
