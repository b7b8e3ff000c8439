/**
 * A key that is not in the sketch: in NVS on an ESP32, else in EEPROM. One firmware for many devices, each with a key of its own.
 *
 *     #include <USMP.h>
 *     #include <USMPKeyStore.h>
 *
 *     USMPClient usmp;
 *     USMP::KeyStore keys;
 *
 *     void setup() {
 *         if (!keys.load()) keys.save("a-key-for-this-device");   // better: one that comes from outside, see the example
 *         usmp.setKey(keys.key(), keys.length());
 *         usmp.begin(…);
 *     }
 *
 * Whoever has the chip in hand can read either, unless flash encryption is on (ESP32). An AVR's EEPROM can be locked by its fuses.
 */
#pragma once

#include <Arduino.h>

#if defined(ARDUINO_ARCH_ESP32)
#include <Preferences.h>
#elif defined(ARDUINO_ARCH_AVR)
#include <avr/eeprom.h>
#else
#include <EEPROM.h>
#endif

namespace USMP {

/** Loads, keeps and stores one key of 16 to 64 bytes. */
class KeyStore {
  public:
    static constexpr size_t minLength = 16;
    static constexpr size_t maxLength = 64;

#if defined(ARDUINO_ARCH_ESP32)
    /** @param name of the NVS namespace, up to 15 characters. The text is not copied */
    explicit KeyStore(const char *name = "usmp") : name_(name)
    {
    }
#else
    /**
     * @param address where the 67 bytes begin in EEPROM. On ESP8266 and RP2040 the sketch calls `EEPROM.begin(size)` first where it
     *        uses EEPROM itself; else that is done here
     */
    explicit KeyStore(int address = 0) : address_(address)
    {
    }
#endif

    ~KeyStore()
    {
        forget();
    }

    KeyStore(const KeyStore &) = delete;
    KeyStore &operator=(const KeyStore &) = delete;

    /** @return whether there is a key, undamaged */
    bool load()
    {
        forget();
        uint8_t record[sizeof(Record)];
        bool found = readRecord(record) && isWhole(record);
        if (found) {
            length_ = record[1];
            memcpy(key_, record + 2, length_);
        }
        wipe(record, sizeof record);
        return found;
    }

    /**
     * Stores a key, and keeps it as `load` does.
     *
     * @return false when it is shorter than 16 bytes or longer than 64, or could not be stored
     */
    bool save(const uint8_t *key, size_t length)
    {
        if (length < minLength || length > maxLength) return false;
        uint8_t record[sizeof(Record)] = {'K', (uint8_t)length};
        memcpy(record + 2, key, length);
        record[sizeof record - 1] = checkOf(record);
        bool saved = writeRecord(record) && load();
        wipe(record, sizeof record);
        return saved;
    }

    bool save(const char *key)
    {
        return save(reinterpret_cast<const uint8_t *>(key), strlen(key));
    }

    /** Overwrites what is stored, and what is kept. */
    bool erase()
    {
        uint8_t record[sizeof(Record)] = {};
        forget();
        return writeRecord(record);
    }

    /** Valid as long as this object is: so it is a global one, as the client is. */
    const uint8_t *key() const
    {
        return key_;
    }

    /** 0 while there is none: `begin` of the client says so then. */
    size_t length() const
    {
        return length_;
    }

  private:
    /** A mark, the length, the key, a check. */
    struct Record {
        uint8_t bytes[2 + maxLength + 1];
    };

    static void wipe(uint8_t *bytes, size_t length)
    {
        volatile uint8_t *next = bytes;
        while (length-- > 0) *next++ = 0;
    }

    void forget()
    {
        length_ = 0;
        wipe(key_, sizeof key_);
    }

    /** CRC-8, polynomial 0x31. */
    static uint8_t checkOf(const uint8_t *record)
    {
        uint8_t crc = 0xFF;
        for (size_t i = 0; i < sizeof(Record) - 1; i++) {
            crc ^= record[i];
            for (uint8_t n = 0; n < 8; n++) crc = (uint8_t)(crc & 0x80 ? crc << 1 ^ 0x31 : crc << 1);
        }
        return crc;
    }

    static bool isWhole(const uint8_t *record)
    {
        bool fits = record[1] >= minLength && record[1] <= maxLength;
        return record[0] == 'K' && fits && record[sizeof(Record) - 1] == checkOf(record);
    }

#if defined(ARDUINO_ARCH_ESP32)
    bool readRecord(uint8_t *record)
    {
        Preferences store;
        if (!store.begin(name_, true)) return false;
        bool read = store.getBytesLength("psk") == sizeof(Record) &&
                    store.getBytes("psk", record, sizeof(Record)) == sizeof(Record);
        store.end();
        return read;
    }

    bool writeRecord(const uint8_t *record)
    {
        Preferences store;
        if (!store.begin(name_, false)) return false;
        bool written = store.putBytes("psk", record, sizeof(Record)) == sizeof(Record);
        store.end();
        return written;
    }

    const char *name_;
#elif defined(ARDUINO_ARCH_AVR)
    bool readRecord(uint8_t *record)
    {
        eeprom_read_block(record, reinterpret_cast<const void *>(address_), sizeof(Record));
        return true;
    }

    bool writeRecord(const uint8_t *record)
    {
        eeprom_update_block(record, reinterpret_cast<void *>(address_), sizeof(Record));
        return true;
    }

    int address_;
#else
    bool open()
    {
#if defined(ARDUINO_ARCH_ESP8266) || defined(ARDUINO_ARCH_RP2040)
        if (EEPROM.length() == 0) EEPROM.begin((size_t)address_ + sizeof(Record));
#endif
        return EEPROM.length() >= (size_t)address_ + sizeof(Record);
    }

    bool readRecord(uint8_t *record)
    {
        if (!open()) return false;
        for (size_t i = 0; i < sizeof(Record); i++) record[i] = EEPROM.read(address_ + (int)i);
        return true;
    }

    bool writeRecord(const uint8_t *record)
    {
        if (!open()) return false;
        for (size_t i = 0; i < sizeof(Record); i++) EEPROM.write(address_ + (int)i, record[i]);
#if defined(ARDUINO_ARCH_ESP8266) || defined(ARDUINO_ARCH_RP2040)
        return EEPROM.commit();
#else
        return true;
#endif
    }

    int address_;
#endif

    size_t length_ = 0;
    uint8_t key_[maxLength] = {};
};

} // namespace USMP
