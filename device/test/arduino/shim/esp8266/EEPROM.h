/** As in the cores for ESP8266 and RP2040: a copy in memory, written by `commit`. */
#ifndef SHIM_EEPROM_H
#define SHIM_EEPROM_H

#include "Arduino.h"

class EEPROMClass {
  public:
    void begin(size_t size);
    uint8_t read(int address);
    void write(int address, uint8_t value);
    bool commit();
    bool end();
    size_t length()
    {
        return size_;
    }

  private:
    size_t size_ = 0;
    uint8_t bytes_[4096] = {};
};
extern EEPROMClass EEPROM;

#endif
