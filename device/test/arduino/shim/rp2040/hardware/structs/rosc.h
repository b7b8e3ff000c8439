#ifndef SHIM_ROSC_H
#define SHIM_ROSC_H

#include <stdint.h>

#define ROSC_RANDOMBIT_OFFSET 0x1c
typedef struct {
    volatile uint32_t randombit;
} shim_rosc_t;
extern shim_rosc_t *shimRosc();
#define rosc_hw shimRosc()

#endif
