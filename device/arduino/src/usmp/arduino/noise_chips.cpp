/** Noise of chips with a generator of their own. */
#include <Arduino.h>

#include "usmp/arduino/noise.h"
#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_BEARSSL) && !defined(ARDUINO_ARCH_AVR)

#if defined(ARDUINO_ARCH_RP2040)
#if __has_include(<hardware/structs/rosc.h>)
#include <hardware/structs/rosc.h>
#endif
#endif

namespace USMP {

#if defined(ARDUINO_ARCH_ESP8266)

#ifndef RANDOM_REG32 /* not in every release of the core */
#define RANDOM_REG32 ESP8266_DREG(0x20E44)
#endif

/** Fed by the radio: `begin` switches that on before the first key pair is made. */
static bool takeWord(uint32_t &word)
{
    /* It renews itself at the speed of the radio's clock, which is far below ours. */
    delayMicroseconds(5);
    word = RANDOM_REG32 ^ ESP.getCycleCount();
    return true;
}

#elif defined(ARDUINO_ARCH_RP2040)

/**
 * The SDK's generator, and beside it, on an RP2040, bits of the ring oscillator: one each 2 µs, as neighbours are alike. An RP2350 has
 * a real generator, which the SDK uses.
 */
static bool takeWord(uint32_t &word)
{
    word = rp2040.hwrand32();
#if defined(ROSC_RANDOMBIT_OFFSET)
    for (uint8_t i = 0; i < 32; i++) {
        word = (word << 1 | word >> 31) ^ (rosc_hw->randombit & 1u);
        delayMicroseconds(2);
    }
#endif
    return true;
}

#elif defined(ARDUINO_ARCH_SAMD) && defined(TRNG)

/** SAMD51 has a generator; SAMD21 has none. */
static bool takeWord(uint32_t &word)
{
    MCLK->APBCMASK.bit.TRNG_ = 1;
    TRNG->CTRLA.bit.ENABLE = 1;
    uint32_t since = micros();
    while (TRNG->INTFLAG.bit.DATARDY == 0) {
        if (micros() - since > 1000) return false;
    }
    word = TRNG->DATA.reg;
    return true;
}

#else

/** No generator is known: the sketch has to define `usmp_random`. */
static bool takeWord(uint32_t &)
{
    return false;
}

#endif

bool takeNoise(uint8_t samples[noiseLength], size_t length, bool)
{
    uint32_t before = 0;
    bool isStuck = true;
    memset(samples, 0, noiseLength);
    for (size_t i = 0; i + sizeof before <= length; i += sizeof before) {
        uint32_t word = 0;
        if (!takeWord(word)) return false;
        isStuck = isStuck && (i == 0 || word == before);
        before = word;
        memcpy(samples + i, &word, sizeof word);
    }
    return !isStuck;
}

bool keepNoise(uint8_t[32])
{
    return true;
}

} // namespace USMP

#endif
