/**
 * What the board has, and the numbers of `usmp/config.h` as constants of C++, with no macro left behind: a sketch may use any
 * name. (Only the pragmas of GCC can do that; all cores have it.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Both are written by pack.js, from all the names in usmp/config.h and usmp/arduino_config.h. */
#include "usmp/arduino/macros_push.h"

#include "usmp/config.h"

#if defined(ARDUINO_ARCH_ESP8266)
#include <ESP8266WiFi.h>
#include <WiFiUdp.h>
#elif USMP_WIFI_BOARD
#include <WiFi.h>
#include <WiFiUdp.h>
#endif

namespace USMP {
namespace Config {

/** Whether this board has Wi-Fi that the library can handle. */
constexpr bool hasWifi = USMP_WIFI_BOARD;

constexpr bool hasStreams = USMP_STREAM;
constexpr bool hasSerial = USMP_SERIAL;
constexpr bool hasDatagrams = USMP_DATAGRAM;

constexpr size_t maxMessage = USMP_MAX_MESSAGE;
constexpr size_t queueSize = USMP_QUEUE_SIZE;
constexpr size_t inboxSize = USMP_INBOX_SIZE;
constexpr size_t printSize = USMP_PRINT_SIZE < USMP_MAX_MESSAGE ? USMP_PRINT_SIZE : USMP_MAX_MESSAGE;

/** What is read of the transport at once: of datagrams a whole one, of a UART what has come meanwhile. */
constexpr size_t inputSize = USMP_DATAGRAM ? 512 : 64;

constexpr uint32_t connectTimeout = USMP_CONNECT_TIMEOUT;
constexpr uint32_t beginTimeout = USMP_BEGIN_TIMEOUT;
constexpr uint32_t reconnectBase = USMP_RECONNECT_BASE;
constexpr uint32_t reconnectCap = USMP_RECONNECT_CAP;
constexpr uint32_t reconnectStable = USMP_RECONNECT_STABLE;
constexpr uint32_t unreadTime = USMP_UNREAD_TIME;
constexpr uint32_t wifiPatience = USMP_WIFI_PATIENCE;

/**
 * Room for the core's `usmp_t` and its settings, so that a sketch need not see the headers of core and cryptography. USMPClient.cpp
 * checks that it is enough; a test, that it is not much too much.
 */
#if defined(USMP_CRYPTO_PSA)
constexpr size_t fixedSize = 352;
#elif defined(USMP_CRYPTO_MBEDTLS)
constexpr size_t fixedSize = 1312;
#elif defined(__AVR__)
constexpr size_t fixedSize = 930;
#else
constexpr size_t fixedSize = 1016;
#endif
constexpr size_t frames = (USMP_MAX_MESSAGE + 451) / 452;
constexpr size_t settingsSize = sizeof(void *) == 2 ? 30 : 64;
constexpr size_t sealed = (USMP_SEND_QUEUE) * frames;
constexpr size_t window = sealed > (USMP_MAX_UNDER_WAY) ? sealed : (USMP_MAX_UNDER_WAY);
constexpr size_t output = (USMP_SEND_QUEUE) * (maxMessage + 46 * frames);
constexpr size_t datagrams = USMP_DATAGRAM ? 280 + 472 * (USMP_MAX_HELD) + 32 * window : 0;
constexpr size_t coreSize = fixedSize + settingsSize + (USMP_SERVER ? 64 : 0) + maxMessage + output + datagrams;

} // namespace Config

/** What the core of the board needs for a connection of its own. */
#if USMP_WIFI_BOARD
struct Network {
    WiFiClient tcp;
    WiFiUDP udp;
};
#else
struct Network {};
#endif

} // namespace USMP

#include "usmp/arduino/macros_pop.h"
