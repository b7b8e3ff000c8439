/**
 * What menuconfig has chosen, as the core of USMP wants it (usmp/config.h). Included through USMP_CONFIG_FILE by every file that
 * includes a header of the core.
 */
#ifndef USMP_IDF_CONFIG_H
#define USMP_IDF_CONFIG_H

#include "esp_idf_version.h"
#include "sdkconfig.h"

#if CONFIG_USMP_TCP
#define USMP_STREAM 1
#else
#define USMP_STREAM 0
#endif

#if CONFIG_USMP_UDP
#define USMP_DATAGRAM 1
#define USMP_MAX_UNDER_WAY CONFIG_USMP_MAX_UNDER_WAY
#define USMP_MAX_HELD CONFIG_USMP_MAX_HELD
#else
#define USMP_DATAGRAM 0
#endif

#if CONFIG_USMP_UART
#define USMP_SERIAL 1
#else
#define USMP_SERIAL 0
#endif

#if !USMP_STREAM && !USMP_DATAGRAM && !USMP_SERIAL
#error "menuconfig, USMP, Transports: switch on at least one of TCP, UDP and UART"
#endif

#define USMP_MAX_MESSAGE CONFIG_USMP_MAX_MESSAGE
#define USMP_SEND_QUEUE CONFIG_USMP_SEND_QUEUE

/*
 * Mbed TLS 4 of ESP-IDF 6 has PSA Crypto alone. In ESP-IDF 5 it is on unless somebody has switched it off in a configuration file
 * of their own, which only the preprocessor can see.
 */
#if ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(6, 0, 0)
#define USMP_CRYPTO_PSA
#else
#include "mbedtls/build_info.h"
#if defined(MBEDTLS_PSA_CRYPTO_C) && !CONFIG_USMP_CRYPTO_CHOICE_MBEDTLS
#define USMP_CRYPTO_PSA
#else
#define USMP_CRYPTO_MBEDTLS
#endif
#endif

#endif
