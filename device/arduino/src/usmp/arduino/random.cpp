/**
 * `usmp_crypto_random` for boards whose cryptography brings none (BearSSL): a pool that takes in what the board's noise source
 * gives, and gives out HMACs of itself. An ESP32 does not need it: PSA has its own.
 *
 * The pool is 32 bytes. Before each use it is hashed together with fresh samples; what is given out does not tell what it was
 * before or will be. It is as good as the source, of which README.md says for each board what is known.
 */
#include <Arduino.h>

#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_BEARSSL)

#include "USMP.h"

#include "usmp/arduino/noise.h"

using namespace USMP;

static uint8_t pool[USMP_MAC_LENGTH];
static bool isFilled = false;

/** @return false when the source gives nothing that can be used */
static bool stir()
{
    uint8_t samples[noiseLength];
    /* The first time, as much as it takes; later as much as costs nothing. */
    if (!takeNoise(samples, isFilled ? againNoise : noiseLength, !isFilled)) return false;
    bool stirred = usmp_crypto_hmac_sha256(pool, pool, sizeof pool, samples, sizeof samples);
    usmp_crypto_wipe(samples, sizeof samples);
    if (stirred && !isFilled) stirred = keepNoise(pool);
    isFilled = isFilled || stirred;
    return stirred;
}

/** One block that does not tell the pool; the pool goes on. */
static bool draw(uint8_t block[USMP_MAC_LENGTH])
{
    static const uint8_t output[] = {'o', 'u', 't'};
    static const uint8_t next[] = {'n', 'e', 'x', 't'};
    return usmp_crypto_hmac_sha256(block, pool, sizeof pool, output, sizeof output) &&
           usmp_crypto_hmac_sha256(pool, pool, sizeof pool, next, sizeof next);
}

bool usmp_crypto_random(uint8_t *out, size_t length)
{
    if (usmp_random != nullptr) return usmp_random(out, length);
    if (!stir()) return false;
    while (length > 0) {
        uint8_t block[USMP_MAC_LENGTH];
        size_t count = length < sizeof block ? length : sizeof block;
        if (!draw(block)) return false;
        memcpy(out, block, count);
        usmp_crypto_wipe(block, sizeof block);
        out += count;
        length -= count;
    }
    return true;
}

#endif
