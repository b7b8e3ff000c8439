/** Where a board's random bits come from. Inside of the library. */
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace USMP {

/** Bytes that are taken before anything is given out, and each time after that. */
#if defined(ARDUINO_ARCH_AVR)
constexpr size_t noiseLength = 64;
constexpr size_t againNoise = 2;
#else
constexpr size_t noiseLength = 64;
constexpr size_t againNoise = 16;
#endif

/**
 * Takes samples, `length` bytes; the rest of `samples` is filled with zeros.
 *
 * @param isFirst since the start of the program
 * @return false when there is no source, or it is stuck
 */
bool takeNoise(uint8_t samples[noiseLength], size_t length, bool isFirst);

/** The pool is full for the first time: a board that keeps a seed keeps another one from now on. May change `pool`. */
bool keepNoise(uint8_t pool[32]);

} // namespace USMP
