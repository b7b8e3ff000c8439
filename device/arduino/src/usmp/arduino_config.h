/**
 * What the library is compiled with, by architecture: the Arduino IDE passes no switches. `usmp/config.h` includes this file.
 *
 * To change a number, define it for the whole program before this file is read. Where that can be done:
 *
 *   PlatformIO            build_flags = -DUSMP_MAX_MESSAGE=1808
 *   ESP32, ESP8266        a file `build_opt.h` beside the sketch, with -DUSMP_MAX_MESSAGE=1808
 *   arduino-cli           --build-property "compiler.cpp.extra_flags=-DUSMP_MAX_MESSAGE=1808", and the same with compiler.c
 *   Arduino IDE           the numbers in this file; an update of the library brings the old ones back
 *
 * or in a file of your own that -DUSMP_CONFIG_FILE='"my_usmp_config.h"' names; its last line is #include "usmp/arduino_config.h".
 */
#ifndef USMP_ARDUINO_CONFIG_H
#define USMP_ARDUINO_CONFIG_H

/* ── Architectures ───────────────────────────────────────────────────────────────────────────────────────────────── */

#if defined(ARDUINO_ARCH_MBED)
#error "USMP: the Mbed cores are not supported; for an RP2040 choose the core of Earle Philhower (rp2040)"

#elif defined(ARDUINO_ARCH_ESP32)
/* PSA Crypto of the Mbed TLS that is part of the core. A core of your own without PSA: -DUSMP_CRYPTO_MBEDTLS. */
#if !defined(USMP_CRYPTO_MBEDTLS)
#define USMP_CRYPTO_PSA
#endif

#elif defined(ARDUINO_ARCH_ESP8266) || defined(ARDUINO_ARCH_RP2040)
#define USMP_CRYPTO_BEARSSL
#define USMP_BEARSSL_HEADER <bearssl/bearssl.h>

#elif defined(ARDUINO_ARCH_AVR)
#include <avr/io.h>
#if RAMEND < 0x10FF
#error "USMP: this AVR has less than 4 KB of RAM. A session needs 3.5 KB and a stack of 2 KB: take a Mega 2560 or an ATmega1284P"
#endif
#define USMP_CRYPTO_BEARSSL
#define USMP_BUNDLED_BEARSSL 1
/* No datagrams: there is no UDP here. Streams, for USMP::Over(client) with an Ethernet shield, cost 0.65 kB of flash and no RAM. */
#ifndef USMP_DATAGRAM
#define USMP_DATAGRAM 0
#endif

#elif defined(ARDUINO_ARCH_SAMD) || defined(ARDUINO_ARCH_STM32)
/* Untested: compiled by nobody yet. No Wi-Fi of the core, so no datagrams either. */
#define USMP_CRYPTO_BEARSSL
#define USMP_BUNDLED_BEARSSL 1
#ifndef USMP_DATAGRAM
#define USMP_DATAGRAM 0
#endif

#else
#error "USMP: this architecture is not supported. There are esp32, esp8266, rp2040, avr, and untested samd and stm32"
#endif

/* Wi-Fi that the library can handle. Not every ESP32 has it, and of the RP2040 boards some. */
#if defined(ARDUINO_ARCH_ESP8266) || defined(PICO_CYW43_SUPPORTED) || defined(ARDUINO_RASPBERRY_PI_PICO_W) ||           \
    defined(ARDUINO_RASPBERRY_PI_PICO_2W)
#define USMP_WIFI_BOARD 1
#elif defined(ARDUINO_ARCH_ESP32) && !defined(CONFIG_IDF_TARGET_ESP32H2) && !defined(CONFIG_IDF_TARGET_ESP32P4)
#define USMP_WIFI_BOARD 1
#else
#define USMP_WIFI_BOARD 0
#endif

#ifndef USMP_BUNDLED_BEARSSL
#define USMP_BUNDLED_BEARSSL 0
#endif
#if USMP_BUNDLED_BEARSSL
#define USMP_BEARSSL_HEADER "usmp/bearssl/bearssl.h"
#endif

/* ── Memory of a client, in bytes. All of it is inside of the object ─────────────────────────────────────────────── */

/** Messages that wait to be sent, 2 more for each: while there is no session, and while the line is busy. */
#ifndef USMP_QUEUE_SIZE
#if defined(ARDUINO_ARCH_AVR)
#define USMP_QUEUE_SIZE 512
#else
#define USMP_QUEUE_SIZE 2048
#endif
#endif

/** Received messages that wait for `read()`, 2 more for each. At least USMP_MAX_MESSAGE + 2. */
#ifndef USMP_INBOX_SIZE
#if defined(ARDUINO_ARCH_AVR)
#define USMP_INBOX_SIZE 512
#else
#define USMP_INBOX_SIZE 2048
#endif
#endif

/** The longest message that `print` and `println` put together; at most USMP_MAX_MESSAGE. */
#ifndef USMP_PRINT_SIZE
#if defined(ARDUINO_ARCH_AVR)
#define USMP_PRINT_SIZE 128
#else
#define USMP_PRINT_SIZE 452
#endif
#endif

/* ── Times, in milliseconds ──────────────────────────────────────────────────────────────────────────────────────── */

/** How long one attempt to open a TCP connection may block `maintain()`. Looking up a name may take as long again. */
#ifndef USMP_CONNECT_TIMEOUT
#define USMP_CONNECT_TIMEOUT 2000
#endif

/** How long `begin(transport)` waits for the session, unless told otherwise. */
#ifndef USMP_BEGIN_TIMEOUT
#if defined(ARDUINO_ARCH_AVR)
#define USMP_BEGIN_TIMEOUT 60000
#else
#define USMP_BEGIN_TIMEOUT 15000
#endif
#endif

/** The wait before an attempt to connect again is random, from 0 to this, which doubles each time ... */
#ifndef USMP_RECONNECT_BASE
#define USMP_RECONNECT_BASE 500
#endif

/** ... up to this. */
#ifndef USMP_RECONNECT_CAP
#define USMP_RECONNECT_CAP 60000
#endif

/** A session that lasted this long lets the waits begin at USMP_RECONNECT_BASE again. */
#ifndef USMP_RECONNECT_STABLE
#define USMP_RECONNECT_STABLE 60000
#endif

/** When the inbox has been full for this long, and nobody reads, the oldest message in it gives way. */
#ifndef USMP_UNREAD_TIME
#define USMP_UNREAD_TIME 5000
#endif

/** Wi-Fi that has not come back by itself for this long is begun anew. */
#ifndef USMP_WIFI_PATIENCE
#define USMP_WIFI_PATIENCE 20000
#endif

/* ── AVR: random numbers ─────────────────────────────────────────────────────────────────────────────────────────── */

#if defined(ARDUINO_ARCH_AVR)
/** 1: collects the jitter of the watchdog, and uses its interrupt. 0: the sketch defines usmp_random. See README.md. */
#ifndef USMP_AVR_JITTER
#define USMP_AVR_JITTER 1
#endif

/** Where 40 bytes of EEPROM are used, for the seed and the device id. */
#ifndef USMP_EEPROM_ADDRESS
#define USMP_EEPROM_ADDRESS (E2END - 39)
#endif
#endif

#endif
