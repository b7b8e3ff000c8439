#include "usmp/cobs.h"

/** The code of a full group, and so the bytes of one with its code. */
#define FULL 0xFFu

USMP_INTERNAL size_t usmp_cobs_encode(uint8_t *line, size_t length)
{
    const uint8_t *from = line + USMP_COBS_LEAD;
    const uint8_t *end = from + length;
    uint8_t *code = line + 1;
    uint8_t *to = line + 2;
    line[0] = USMP_COBS_DELIMITER;
    while (from < end) {
        uint8_t byte = *from++;
        if (byte != 0) *to++ = byte;
        /* A full group needs one behind it only where bytes are left. */
        bool full = (size_t)(to - code) == FULL && from < end;
        if (byte != 0 && !full) continue;
        *code = (uint8_t)(to - code);
        code = to++;
    }
    *code = (uint8_t)(to - code);
    *to++ = USMP_COBS_DELIMITER;
    return (size_t)(to - line);
}

USMP_INTERNAL size_t usmp_cobs_decode(uint8_t *block, size_t length)
{
    const uint8_t *from = block;
    const uint8_t *end = block + length;
    uint8_t *to = block;
    while (from < end) {
        unsigned code = *from++;
        if ((size_t)(end - from) < code - 1) return 0;
        for (unsigned left = code - 1; left > 0; left--) *to++ = *from++;
        if (code < FULL && from < end) *to++ = 0x00;
    }
    return (size_t)(to - block);
}
