/**
 * Overwriting and comparing. No library that the seam runs over offers both, so these few lines serve all of them. Reads and
 * writes through volatile have to happen one by one: no compiler drops the last write to memory that nobody reads again, and
 * none ends a comparison early.
 */
#include "usmp/crypto.h"

void usmp_crypto_wipe(void *memory, size_t length)
{
    volatile uint8_t *byte = memory;
    while (length-- > 0) *byte++ = 0;
}

bool usmp_crypto_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    unsigned difference = 0;
    while (length-- > 0) {
        unsigned left = *x++;
        difference |= left ^ *y++;
    }
    return difference == 0;
}
