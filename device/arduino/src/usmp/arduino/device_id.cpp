/** Who a board is, unless the sketch says. */
#include <Arduino.h>

#include "usmp/arduino/kept.h"
#include "usmp/arduino/platform.h"
#include "usmp/crypto.h"

#if defined(ARDUINO_ARCH_ESP8266)
#include <ESP8266WiFi.h>
#elif defined(ARDUINO_ARCH_RP2040)
#include <pico/unique_id.h>
#endif

namespace USMP {

#if defined(ARDUINO_ARCH_ESP32)

/** The MAC address of Wi-Fi, burnt in. */
bool findDeviceId(uint8_t id[6], bool)
{
    uint64_t mac = ESP.getEfuseMac();
    memcpy(id, &mac, 6);
    return true;
}

#elif defined(ARDUINO_ARCH_ESP8266)

bool findDeviceId(uint8_t id[6], bool)
{
    WiFi.macAddress(id);
    return true;
}

#else

#if !defined(ARDUINO_ARCH_AVR)
/** Of a number that names the chip: its hash, marked as no MAC address of a manufacturer. */
static bool hashOf(uint8_t id[6], const uint8_t *number, size_t length)
{
    static const uint8_t label[] = {'U', 'S', 'M', 'P', ' ', 'd', 'e', 'v', 'i', 'c', 'e', ' ', 'i', 'd'};
    uint8_t hash[USMP_MAC_LENGTH];
    if (!usmp_crypto_hmac_sha256(hash, label, sizeof label, number, length)) return false;
    id[0] = 0x02;
    memcpy(id + 1, hash, 5);
    return true;
}
#endif

#if defined(ARDUINO_ARCH_RP2040)

bool findDeviceId(uint8_t id[6], bool)
{
    pico_unique_board_id_t board;
    pico_get_unique_board_id(&board);
    return hashOf(id, board.id, sizeof board.id);
}

#elif defined(ARDUINO_ARCH_STM32)

bool findDeviceId(uint8_t id[6], bool)
{
    uint32_t words[3] = {HAL_GetUIDw0(), HAL_GetUIDw1(), HAL_GetUIDw2()};
    return hashOf(id, reinterpret_cast<const uint8_t *>(words), sizeof words);
}

#elif defined(ARDUINO_ARCH_SAMD)

bool findDeviceId(uint8_t id[6], bool)
{
#if defined(__SAMD51__)
    static const uintptr_t places[4] = {0x008061FC, 0x00806010, 0x00806014, 0x00806018};
#else
    static const uintptr_t places[4] = {0x0080A00C, 0x0080A040, 0x0080A044, 0x0080A048};
#endif
    uint32_t words[4];
    for (uint8_t i = 0; i < 4; i++) words[i] = *reinterpret_cast<const volatile uint32_t *>(places[i]);
    return hashOf(id, reinterpret_cast<const uint8_t *>(words), sizeof words);
}

#else

/** An AVR has no number of its own: one is drawn, and kept in EEPROM. */
bool findDeviceId(uint8_t id[6], bool canDraw)
{
    Kept kept;
    bool isKept = kept.load();
    if (isKept && kept.id[0] == 0x02) {
        memcpy(id, kept.id, 6);
    } else {
        if (!canDraw || !usmp_crypto_random(id, 6)) return false;
        id[0] = 0x02;
        /* Drawing may have written a seed. */
        if (!kept.load()) kept.clear();
        memcpy(kept.id, id, 6);
        kept.save();
    }
    usmp_crypto_wipe(&kept, sizeof kept);
    return true;
}

#endif
#endif

} // namespace USMP
