/** What an AVR keeps in EEPROM: 40 bytes at USMP_EEPROM_ADDRESS. Inside of the library. */
#pragma once

#if defined(ARDUINO_ARCH_AVR)

#include <avr/eeprom.h>
#include <stdint.h>
#include <string.h>

#include "usmp/config.h"

namespace USMP {

/** The seed of the random numbers, and the device id when one was drawn: the first byte of an id is 2, else there is none. */
struct Kept {
    uint8_t magic[2];
    uint8_t seed[32];
    uint8_t id[6];

    bool load()
    {
        eeprom_read_block(this, address(), sizeof *this);
        return magic[0] == 'U' && magic[1] == '2';
    }

    bool hasSeed() const
    {
        uint8_t any = 0;
        for (uint8_t part : seed) any |= part;
        return any != 0;
    }

    void clear()
    {
        memset(this, 0, sizeof *this);
        magic[0] = 'U';
        magic[1] = '2';
    }

    /** Writes only what is different: each byte takes 3.4 ms, and wears out after 100,000 times. */
    void save() const
    {
        eeprom_update_block(this, address(), sizeof *this);
    }

  private:
    static void *address()
    {
        return reinterpret_cast<void *>(USMP_EEPROM_ADDRESS);
    }
};

static_assert(sizeof(Kept) == 40, "USMP_EEPROM_ADDRESS counts on 40 bytes");

} // namespace USMP

#endif
