/**
 * The seam to cryptography, watched. The functions of the backend are compiled under other names (`real_…`, see build.js);
 * those of usmp/crypto.h stand in front of them, script chance, fail when they are told to, and remember what must never
 * happen: a nonce that is used twice, a key that is used after it was released, a key that is prepared over another.
 */
#ifndef SEAM_H
#define SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Functions of the seam that can fail. */
typedef enum seam_call {
    SEAM_RANDOM,
    SEAM_PUBLIC_KEY,
    SEAM_AGREE,
    SEAM_HMAC,
    SEAM_PREPARE,
    SEAM_SEAL,
    SEAM_OPEN,
    SEAM_CALLS
} seam_call_t;

/** Forgets everything, and begins with a seed. */
void seam_reset(uint32_t seed);

/** The next bytes that usmp_crypto_random hands out, before those of the seed. @param digits hexadecimal */
void seam_script(const char *digits);

/** The n-th call from now on fails, all kinds counted together; 0 for none. It fails for ever when `broken`. */
void seam_fail(unsigned n, bool broken);

/** Calls since `seam_reset` or `seam_fail`: how many there are to fail. */
unsigned seam_calls(void);

/** Calls of one kind since `seam_reset`. */
unsigned seam_count(seam_call_t call);

/** Whether the failure that was asked for has happened. */
bool seam_has_failed(void);

/** The first thing that must never happen, if it has; else null. */
const char *seam_violation(void);

/** Keys that are ready for use: 0 when everything was released. */
unsigned seam_live_keys(void);

/** Whether any secret that went through the seam is in this memory, even 8 bytes of it. */
bool seam_finds_secret(const void *memory, size_t length);

/** A secret of the test itself, to be looked for as well. */
void seam_add_secret(const uint8_t *secret, size_t length);

#endif
