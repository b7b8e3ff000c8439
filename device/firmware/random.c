/**
 * Random bytes for programs in an emulator, which has no source of them: the test hands in a seed, and it is expanded here.
 *
 * NEVER TAKE THIS TO A REAL CHIP. Whoever knows the seed knows every key. There `usmp_crypto_random` has to read the hardware
 * generator of the chip, and to return false when that fails.
 */
#include "random.h"

#include <string.h>

#include "usmp/bytes.h"
#include "usmp/crypto.h"

static struct {
    bool begun;
    uint8_t seed[32];
    uint32_t start;
    uint32_t block;
} state;

void random_begin(const uint8_t seed[32], uint32_t start)
{
    memcpy(state.seed, seed, sizeof state.seed);
    state.start = start;
    state.block = 0;
    state.begun = true;
}

/** Block after block: HMAC(seed, start || number of the block). Without a seed it fails. */
bool usmp_crypto_random(uint8_t *out, size_t length)
{
    uint8_t place[8], block[USMP_MAC_LENGTH];
    if (!state.begun) return false;
    while (length > 0) {
        size_t count = length < sizeof block ? length : sizeof block;
        usmp_store32(place, state.start);
        usmp_store32(place + 4, state.block++);
        if (!usmp_crypto_hmac_sha256(block, state.seed, sizeof state.seed, place, sizeof place)) return false;
        memcpy(out, block, count);
        out += count;
        length -= count;
    }
    usmp_crypto_wipe(block, sizeof block);
    return true;
}
