/**
 * An Arduino core for tests: as much as the library and its examples use, over the sockets of this machine. The macros are those
 * that one core or another has, so that a name which clashes shows.
 */
#ifndef SHIM_ARDUINO_H
#define SHIM_ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "WString.h"

#include "Print.h"
#include "Stream.h"

#define HIGH 1
#define LOW 0
#define INPUT 0
#define OUTPUT 1
#define LED_BUILTIN 13
#define A0 14
#define DEFAULT 1
#define EXTERNAL 0
#define INTERNAL 3
#define INTERNAL1V1 2
#define CHANGE 1
#define SERIAL 0
#define DISPLAY 1
#define LSBFIRST 0
#define PI 3.14159
#define EULER 2.71828
#define F_CPU 16000000UL
#define B0 0
#define B1 1
#define interrupts() ((void)0)
#define noInterrupts() ((void)0)
#define sei() ((void)0)
#define cli() ((void)0)
#define _BV(bit) (1 << (bit))
#define PORT 0x41004400UL
#define RNG 0x50060800UL
#define PROGMEM
#define PGM_P const char *
#define PSTR(text) (text)
#define pgm_read_byte(address) (*(const uint8_t *)(address))
#define memcpy_P(to, from, length) memcpy((to), (from), (length))
#define strlen_P(text) strlen((text))
#define lowByte(w) ((uint8_t)((w) & 0xff))
#define highByte(w) ((uint8_t)((w) >> 8))
#define bit(b) (1UL << (b))
#define bitRead(value, bit) (((value) >> (bit)) & 0x01)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x)-0.5))
#define constrain(amt, low, high) ((amt) < (low) ? (low) : ((amt) > (high) ? (high) : (amt)))
#define sq(x) ((x) * (x))
#define radians(deg) ((deg)*PI / 180)
#define degrees(rad) ((rad)*180 / PI)
#define bitSet(value, bit) ((value) |= (1UL << (bit)))
#define word(...) ((uint16_t)(__VA_ARGS__))

typedef bool boolean;
typedef uint8_t byte;

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);
void delayMicroseconds(unsigned int us);
void yield();
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);

void setup();
void loop();

class HardwareSerial : public Stream {
  public:
    /** The console is this program's output, and its input until setup() is over; else see `shimConnectLine`. */
    explicit HardwareSerial(bool isConsole) : isConsole_(isConsole)
    {
    }
    void begin(unsigned long)
    {
    }
    int available() override;
    int read() override;
    int peek() override
    {
        return -1;
    }
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *bytes, size_t size) override;
    using Print::write;
    int availableForWrite() override;
    operator bool()
    {
        return true;
    }

  private:
    bool connect();

    bool isConsole_;
    int file_ = -1;
};

/* As on an ESP32-S3, whose Serial is a macro. */
extern HardwareSerial ShimConsole;
#define Serial ShimConsole
extern HardwareSerial Serial1;

#if defined(ARDUINO_ARCH_ESP32)
class EspClass {
  public:
    uint64_t getEfuseMac();
    void deepSleep(uint64_t us);
    void restart();
};
extern EspClass ESP;
extern "C" void esp_deep_sleep(uint64_t us);
#elif defined(ARDUINO_ARCH_ESP8266)
#define RANDOM_REG32 shimRandom()
class EspClass {
  public:
    uint32_t getCycleCount();
    void deepSleep(uint64_t us);
};
extern EspClass ESP;
#elif defined(ARDUINO_ARCH_RP2040)
class RP2040 {
  public:
    uint32_t hwrand32();
};
extern RP2040 rp2040;
#endif

uint32_t shimRandom();

#endif
