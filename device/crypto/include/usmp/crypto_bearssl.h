/** What the seam keeps of a key over BearSSL. */
#ifndef USMP_CRYPTO_BEARSSL_H
#define USMP_CRYPTO_BEARSSL_H

#if defined(USMP_BEARSSL_HEADER) /* where it is, if not on the include path under its own name */
#include USMP_BEARSSL_HEADER
#else
#include <bearssl.h>
#endif

/** The expanded AES key, and the key of GHASH in its context; the second points to the first. */
typedef struct usmp_aead {
    br_aes_ct_ctr_keys aes;
    br_gcm_context gcm;
} usmp_aead_t;

#endif
