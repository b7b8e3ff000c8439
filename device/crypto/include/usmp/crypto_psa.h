/** What the seam keeps of a key over PSA Crypto: its number. The key itself is in the memory of the library. */
#ifndef USMP_CRYPTO_PSA_H
#define USMP_CRYPTO_PSA_H

#include <psa/crypto.h>

typedef struct usmp_aead {
    psa_key_id_t key;
} usmp_aead_t;

#endif
