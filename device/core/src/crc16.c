#include "usmp/frame.h"

/** The CRC of a nibble: 32 bytes instead of 512, and half the speed of a whole table. */
static const uint16_t NIBBLES[16] = {
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
};

USMP_INTERNAL uint16_t usmp_crc16(const uint8_t *bytes, size_t length, uint16_t crc)
{
    while (length-- > 0) {
        crc ^= *bytes++;
        crc = (uint16_t)(crc >> 4 ^ NIBBLES[crc & 0x0F]);
        crc = (uint16_t)(crc >> 4 ^ NIBBLES[crc & 0x0F]);
    }
    return crc;
}
