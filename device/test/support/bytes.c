#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t unhex(uint8_t *out, size_t size, const char *digits)
{
    size_t length = 0;
    for (; digits[0] != '\0' && digits[1] != '\0'; digits += 2) {
        if (length == size) {
            (void)fprintf(stderr, "a vector has more than %zu bytes\n", size);
            abort();
        }
        out[length++] = (uint8_t)(digit(digits[0]) << 4 | digit(digits[1]));
    }
    return length;
}

void pattern(uint8_t *out, size_t length, unsigned number)
{
    for (size_t i = 0; i < length; i++) out[i] = (uint8_t)(number * 31 + i + (i >> 8) * 7);
}

/** A Weyl sequence, mixed by the finalizer of MurmurHash3. */
uint32_t chance_next(chance_t *chance)
{
    uint32_t mixed = chance->state += 0x9E3779B9u;
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6Bu;
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35u;
    return mixed ^ mixed >> 16;
}

uint32_t chance_between(chance_t *chance, uint32_t low, uint32_t high)
{
    return low + chance_next(chance) % (high - low + 1);
}

bool chance_percent(chance_t *chance, unsigned percent)
{
    return chance_between(chance, 0, 99) < percent;
}

void chance_fill(chance_t *chance, uint8_t *out, size_t length)
{
    while (length-- > 0) *out++ = (uint8_t)chance_next(chance);
}
