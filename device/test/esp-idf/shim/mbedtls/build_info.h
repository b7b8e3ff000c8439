/** Mbed TLS 3 has this header; the one of Debian 12 is 2.28. */
#include <mbedtls/version.h>
