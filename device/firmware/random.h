/** Random bytes for programs in an emulator. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/** From here on `usmp_crypto_random` works. @param start another number at each start with the same seed */
void random_begin(const uint8_t seed[32], uint32_t start);

#endif
