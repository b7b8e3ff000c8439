/** What differs between boards, beside the network: texts, random numbers, the device id. Inside of the library. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "usmp/errors.h"

namespace USMP {

/** Text that is put together in a buffer; what does not fit is cut. */
class Text {
  public:
    Text(char *buffer, size_t size) : at_(buffer), end_(buffer + size - 1)
    {
        *at_ = 0;
    }

    /** @param text in flash where a chip tells that from memory: PSTR("…") */
    Text &add(const char *text);
    Text &add(uint16_t number);
    Text &addHex(const uint8_t *bytes, size_t length, char separator = 0);

  private:
    void addOne(char character);

    char *at_;
    char *end_;
};

/** What an error means, in words. @param buffer may be used for them */
const char *describe(usmp_error_t error, char *buffer, size_t size);

/**
 * The id that the board has by itself.
 *
 * @param canDraw whether it may be drawn and kept, where the board has none: that may take seconds
 */
bool findDeviceId(uint8_t id[6], bool canDraw);

} // namespace USMP
