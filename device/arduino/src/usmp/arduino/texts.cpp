#include <Arduino.h>

#include "usmp/arduino/platform.h"

#if defined(ARDUINO_ARCH_AVR)
#include "usmp/arduino/error_texts.h"
#endif

namespace USMP {

void Text::addOne(char character)
{
    if (at_ == end_) return;
    *at_++ = character;
    *at_ = 0;
}

Text &Text::add(const char *text)
{
    char character;
    while ((character = (char)pgm_read_byte(text++)) != 0) addOne(character);
    return *this;
}

Text &Text::add(uint16_t number)
{
    if (number >= 10) add((uint16_t)(number / 10));
    addOne((char)('0' + number % 10));
    return *this;
}

Text &Text::addHex(const uint8_t *bytes, size_t length, char separator)
{
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && separator != 0) addOne(separator);
        for (uint8_t shift = 4;; shift = 0) {
            uint8_t digit = bytes[i] >> shift & 15;
            addOne((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
            if (shift == 0) break;
        }
    }
    return *this;
}

const char *describe(usmp_error_t error, char *buffer, size_t size)
{
#if defined(ARDUINO_ARCH_AVR)
    /* The core's texts would all lie in RAM. */
    const char *text = unknownError;
    for (size_t i = 0; i < sizeof errorTexts / sizeof errorTexts[0]; i++) {
        if (pgm_read_byte(&errorTexts[i].error) == (uint8_t)error) text = (const char *)pgm_read_ptr(&errorTexts[i].text);
    }
    Text(buffer, size).add(text);
    return buffer;
#else
    (void)buffer;
    (void)size;
    return usmp_strerror(error);
#endif
}

} // namespace USMP
