/** What the seam keeps of a key over the classic functions of Mbed TLS. */
#ifndef USMP_CRYPTO_MBEDTLS_H
#define USMP_CRYPTO_MBEDTLS_H

#include <stdbool.h>

#include <mbedtls/gcm.h>

typedef struct usmp_aead {
    mbedtls_gcm_context gcm;
    bool prepared;
} usmp_aead_t;

#endif
