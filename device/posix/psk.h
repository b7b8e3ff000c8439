/** Pre-shared keys as people write them: text, or bytes behind `hex:` or `base64:`, as the command line `usmp` takes them. */
#ifndef PSK_H
#define PSK_H

#include <stddef.h>
#include <stdint.h>

#include "problem.h"

/** A key has 16 to 64 bytes as a rule; what is longer is taken for a mistake. */
#define PSK_MAX 512

typedef struct psk {
    uint8_t bytes[PSK_MAX];
    size_t length;
} psk_t;

/**
 * The key that the options or the environment (USMP_PSK) give. Warns on stderr of a file that everybody can read.
 *
 * @param text of `--psk`, null where it was not given
 * @param file of `--psk-file`, null where it was not given
 */
bool psk_resolve(psk_t *psk, const char *text, const char *file, problem_t *problem);

#endif
