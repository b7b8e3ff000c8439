/** Loads and stores, byte by byte: no alignment and no byte order of the machine is assumed. Inside of the core. */
#ifndef USMP_BYTES_H
#define USMP_BYTES_H

#include <stdint.h>

static inline uint16_t usmp_load16(const uint8_t *bytes)
{
    /* `int` has 16 bits on some of them. */
    return (uint16_t)(bytes[0] | (unsigned)bytes[1] << 8);
}

static inline uint32_t usmp_load32(const uint8_t *bytes)
{
    return usmp_load16(bytes) | (uint32_t)usmp_load16(bytes + 2) << 16;
}

static inline void usmp_store16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static inline void usmp_store32(uint8_t *out, uint32_t value)
{
    usmp_store16(out, value);
    usmp_store16(out + 2, value >> 16);
}

#endif
