/**
 * Noise of an AVR, which has no generator. What it has is two clocks that know nothing of each other: the quartz, and the RC
 * oscillator of the watchdog. How many rounds a loop makes between two ticks of the watchdog varies by a few counts, and the last bits of
 * that number are taken: half a bit of entropy in each sample is assumed, less than what others have measured (1 to 2).
 *
 * Each tick takes 16 ms. The first time ever, 512 samples are taken, 8.2 s: 256 bits by that assumption. They leave a seed in
 * EEPROM, which the next start mixes with 64 samples of its own, 1 s, and replaces before anything is given out.
 *
 * What this is worth is in README.md, Random numbers.
 */
#include <Arduino.h>

#if defined(ARDUINO_ARCH_AVR)

#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/wdt.h>
#include <util/atomic.h>

#include "usmp/arduino/kept.h"
#include "usmp/arduino/noise.h"
#include "usmp/crypto.h"

namespace USMP {

#if USMP_AVR_JITTER

/** So many samples in a row that are the same happen once in 2^20 at half a bit each (NIST SP 800-90B §4.4.1): it is stuck. */
static constexpr uint8_t STUCK = 41;

/** Longer than a tick may take: the interrupt is not ours, or the watchdog does not run. Rounds of the loop. */
static constexpr uint32_t PATIENCE = 500000;

static constexpr uint16_t FIRST_SAMPLES = 512;
static constexpr uint16_t SEEDED_SAMPLES = 64;

static volatile bool ticked;

static void setWatchdog(uint8_t control)
{
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        wdt_reset();
        /* The first two within four cycles of each other; the interrupt may be switched on at any time. */
        WDTCSR = (uint8_t)(1 << WDCE | 1 << WDE);
        WDTCSR = (uint8_t)(control & ~(1 << WDIE));
        WDTCSR = control;
    }
}

/** @return false when no tick came */
static bool sample(uint8_t &value)
{
    uint32_t rounds = 0;
    ticked = false;
    while (!ticked) {
        if (++rounds > PATIENCE) return false;
    }
    value = (uint8_t)rounds;
    return true;
}

/** Folds samples into `out`, several to a byte: what follows is a hash, so nothing has to be even. */
static bool takeSamples(uint8_t *out, size_t length, uint16_t count)
{
    uint8_t before = 0;
    uint8_t same = 0;
    uint8_t value;
    memset(out, 0, length);
    if (!sample(value)) return false;
    for (uint16_t i = 0; i < count; i++) {
        if (!sample(value)) return false;
        same = i > 0 && value == before ? (uint8_t)(same + 1) : 0;
        if (same >= STUCK) return false;
        before = value;
        uint8_t &place = out[i % length];
        place = (uint8_t)((place << 3 | place >> 5) ^ value);
    }
    return true;
}

static bool isSeeded = false;

bool takeNoise(uint8_t samples[noiseLength], size_t length, bool isFirst)
{
    uint16_t count = (uint16_t)length;
    uint8_t taken = noiseLength;
    memset(samples, 0, noiseLength);
    if (isFirst) {
        Kept kept;
        isSeeded = kept.load() && kept.hasSeed();
        if (isSeeded) {
            /* The seed takes one half, the samples of this start the other. */
            memcpy(samples + noiseLength / 2, kept.seed, sizeof kept.seed);
            taken = noiseLength / 2;
        }
        usmp_crypto_wipe(&kept, sizeof kept);
        count = isSeeded ? SEEDED_SAMPLES : FIRST_SAMPLES;
    }
    uint8_t control = WDTCSR;
    setWatchdog(1 << WDIE); /* an interrupt each 16 ms, and no reset */
    bool done = takeSamples(samples, taken, count);
    setWatchdog((uint8_t)(control & ~(1 << WDIF)));
    return done;
}

/** Whoever reads the new seed does not learn the pool from it, nor the other way round. */
bool keepNoise(uint8_t pool[32])
{
    static const uint8_t label[] = {'s', 'e', 'e', 'd'};
    Kept kept;
    if (!kept.load()) kept.clear();
    bool kept_ = usmp_crypto_hmac_sha256(kept.seed, pool, 32, label, sizeof label);
    kept.save();
    usmp_crypto_wipe(&kept, sizeof kept);
    return kept_;
}

#else

bool takeNoise(uint8_t[noiseLength], size_t, bool)
{
    return false;
}

bool keepNoise(uint8_t[32])
{
    return true;
}

#endif

} // namespace USMP

#if USMP_AVR_JITTER
ISR(WDT_vect)
{
    USMP::ticked = true;
    /* The chip clears it where the watchdog may reset as well, simulators always. */
    WDTCSR |= 1 << WDIE;
}
#endif

#endif
