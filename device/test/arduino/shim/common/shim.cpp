/** Time, console, text, and the program around a sketch. */
#include "Shim.h"

#include "Arduino.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool shimIsVirtual = false;
uint64_t shimNow = 0;

static uint64_t realMicros()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    static const timespec start = now;
    return (uint64_t)(now.tv_sec - start.tv_sec) * 1000000u + (uint64_t)((now.tv_nsec - start.tv_nsec) / 1000);
}

unsigned long micros()
{
    return (uint32_t)(shimIsVirtual ? shimNow : realMicros());
}

/** As on a chip: 32 bits that wrap. */
unsigned long millis()
{
    return (uint32_t)((shimIsVirtual ? shimNow : realMicros()) / 1000u);
}

void delay(unsigned long ms)
{
    if (shimIsVirtual) shimNow += (uint64_t)ms * 1000u;
    else usleep((useconds_t)ms * 1000u);
}

void delayMicroseconds(unsigned int us)
{
    if (shimIsVirtual) shimNow += us;
}

void yield()
{
}

/* ── Pins, chips ─────────────────────────────────────────────────────────────────────────────────────────────────── */

void pinMode(uint8_t, uint8_t)
{
}

void digitalWrite(uint8_t pin, uint8_t value)
{
    printf("@pin %d %d\n", pin, value);
    fflush(stdout);
}

int digitalRead(uint8_t)
{
    return LOW;
}

int analogRead(uint8_t)
{
    return 512;
}

uint32_t shimRandom()
{
    uint32_t word = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    if (file == nullptr || fread(&word, sizeof word, 1, file) != 1) abort();
    fclose(file);
    return word;
}

#if defined(ARDUINO_ARCH_ESP32)
EspClass ESP;

/** 24:6f:28:aa:bb:cc, the first byte lowest. */
uint64_t EspClass::getEfuseMac()
{
    return 0xccbbaa286f24u;
}

void EspClass::deepSleep(uint64_t us)
{
    esp_deep_sleep(us);
}

extern "C" void esp_deep_sleep(uint64_t us)
{
    printf("@sleep %llu\n", (unsigned long long)us);
    exit(0);
}
#elif defined(ARDUINO_ARCH_ESP8266)
EspClass ESP;

uint32_t EspClass::getCycleCount()
{
    return (uint32_t)realMicros();
}

void EspClass::deepSleep(uint64_t us)
{
    printf("@sleep %llu\n", (unsigned long long)us);
    exit(0);
}
#elif defined(ARDUINO_ARCH_RP2040)
#include <hardware/structs/rosc.h>
#include <pico/unique_id.h>

RP2040 rp2040;

uint32_t RP2040::hwrand32()
{
    return shimRandom();
}

shim_rosc_t *shimRosc()
{
    static shim_rosc_t rosc;
    rosc.randombit = shimRandom() & 1u;
    return &rosc;
}

extern "C" void pico_get_unique_board_id(pico_unique_board_id_t *id)
{
    memcpy(id->id, "\xe6\x60\x58\x38\x83\x1a\x2b\x3c", 8);
}
#endif

/* ── Console and line ────────────────────────────────────────────────────────────────────────────────────────────── */

HardwareSerial ShimConsole(true);
HardwareSerial Serial1(false);

bool shimLoops = false;

bool HardwareSerial::connect()
{
    if (isConsole_) {
        file_ = STDIN_FILENO;
        return !shimLoops;
    }
    if (file_ < 0) file_ = shimConnectLine();
    return file_ >= 0;
}

int HardwareSerial::available()
{
    return connect() && shimIsReadable(file_) ? 1 : 0;
}

int HardwareSerial::read()
{
    uint8_t byte;
    return available() > 0 && ::read(file_, &byte, 1) == 1 ? byte : -1;
}

size_t HardwareSerial::write(uint8_t byte)
{
    return write(&byte, 1);
}

size_t HardwareSerial::write(const uint8_t *bytes, size_t size)
{
    if (isConsole_) {
        fwrite(bytes, 1, size, stdout);
        fflush(stdout);
        return size;
    }
    ssize_t count = connect() ? ::write(file_, bytes, size) : -1;
    return count > 0 ? (size_t)count : 0;
}

/** The buffer of a UART. */
int HardwareSerial::availableForWrite()
{
    return 64;
}

/* ── String ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

String::String(const char *text)
{
    *this += text;
}

String::String(const String &other)
{
    *this += other;
}

String::String(int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    *this += text;
}

String::String(double number, unsigned char digits)
{
    char text[32];
    snprintf(text, sizeof text, "%.*f", digits, number);
    *this += text;
}

String::~String()
{
    free(text_);
}

String &String::operator=(const String &other)
{
    if (this == &other) return *this;
    length_ = 0;
    if (text_ != nullptr) text_[0] = 0;
    return *this += other;
}

unsigned char String::reserve(unsigned int size)
{
    if (text_ != nullptr && size <= room_) return 1;
    char *text = (char *)realloc(text_, size + 1);
    if (text == nullptr) return 0;
    if (text_ == nullptr) text[0] = 0;
    text_ = text;
    room_ = size;
    return 1;
}

String &String::operator+=(char character)
{
    if (reserve(length_ + 1)) {
        text_[length_++] = character;
        text_[length_] = 0;
    }
    return *this;
}

String &String::operator+=(const char *text)
{
    if (text != nullptr) {
        reserve(length_ + (unsigned int)strlen(text));
        while (*text != 0) *this += *text++;
    }
    return *this;
}

String &String::operator+=(const String &text)
{
    reserve(length_ + text.length_);
    for (unsigned int i = 0; i < text.length_; i++) *this += text.text_[i];
    return *this;
}

bool String::operator==(const char *other) const
{
    return strcmp(c_str(), other) == 0;
}

bool String::operator==(const String &other) const
{
    return length_ == other.length_ && memcmp(c_str(), other.c_str(), length_) == 0;
}

bool String::startsWith(const String &prefix) const
{
    return length_ >= prefix.length_ && memcmp(c_str(), prefix.c_str(), prefix.length_) == 0;
}

String String::substring(unsigned int from) const
{
    return String(from < length_ ? text_ + from : "");
}

long String::toInt() const
{
    return atol(c_str());
}

void String::trim()
{
    while (length_ > 0 && (unsigned char)text_[length_ - 1] <= ' ') text_[--length_] = 0;
}

String operator+(const String &a, const String &b)
{
    String sum(a);
    sum += b;
    return sum;
}

/* ── Print ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t Print::write(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    while (count < size && write(bytes[count]) == 1) count++;
    return count;
}

size_t Print::write(const char *text)
{
    return write((const uint8_t *)text, strlen(text));
}

size_t Print::print(const __FlashStringHelper *text)
{
    return write((const char *)text);
}

size_t Print::print(const String &text)
{
    return write(text.c_str(), text.length());
}

size_t Print::print(const char text[])
{
    return write(text);
}

size_t Print::print(char character)
{
    return write((uint8_t)character);
}

size_t Print::print(unsigned char number, int base)
{
    return print((unsigned long)number, base);
}

size_t Print::print(int number, int base)
{
    return print((long)number, base);
}

size_t Print::print(unsigned int number, int base)
{
    return print((unsigned long)number, base);
}

size_t Print::print(long number, int base)
{
    if (base != DEC) return print((unsigned long)number, base);
    char text[24];
    snprintf(text, sizeof text, "%ld", number);
    return write(text);
}

size_t Print::print(unsigned long number, int base)
{
    char text[24];
    snprintf(text, sizeof text, base == HEX ? "%lX" : "%lu", number);
    return write(text);
}

size_t Print::print(double number, int digits)
{
    char text[32];
    snprintf(text, sizeof text, "%.*f", digits, number);
    return write(text);
}
