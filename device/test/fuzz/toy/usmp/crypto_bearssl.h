/**
 * Stands in front of the header of this name where the toy seam (toy.c) takes the place of BearSSL: `usmp/crypto.h` is not
 * changed for the fuzzing. THE TOY IS NOT CRYPTOGRAPHY.
 */
#ifndef USMP_CRYPTO_BEARSSL_H
#define USMP_CRYPTO_BEARSSL_H

#include <stdint.h>

typedef struct usmp_aead {
    uint64_t key[2];
} usmp_aead_t;

#endif
