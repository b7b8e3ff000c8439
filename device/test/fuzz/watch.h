/**
 * Stands between the core and the seam, whichever that is: the linker leads the calls of the core through here (`--wrap`). Hands
 * out chance that is the same for the same input, lets calls fail, and ends the program when something happens that never may:
 *
 *   - a key seals two plaintexts with one nonce; this is the most important one
 *   - a key is used that was not prepared or was released, or is prepared over another
 *   - an end that has closed seals anything but one BYE
 *   - something else is sealed between the parts of a message (spec/protocol.md §5)
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/usmp.h"

/** Ends the program: a promise is broken. */
_Noreturn void broken(const char *promise, const char *file, int line);

#define REQUIRE(condition, promise) ((condition) ? (void)0 : broken(promise, __FILE__, __LINE__))

/** Without memcmp, of which the fuzzer would take every call for something to learn from. */
static inline bool same(const uint8_t *a, const uint8_t *b, size_t length)
{
    while (length > 0 && *a == *b) a++, b++, length--;
    return length == 0;
}

/** Tells what happens, where the environment has USMP_TRACE: for whoever looks into a crash. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Forgets everything. */
void watch_begin(uint64_t seed);

/** From here on what this end seals is judged by its state. */
void watch_end(const usmp_t *usmp);

/** The end is wiped or begins again. */
void watch_restart(const usmp_t *usmp);

/** The caller seals frames of its own choice in the name of an end, while `on`. */
void watch_forging(bool on);

/** The n-th call of the seam from here on fails; 0 for none. */
void watch_fail(unsigned n);
bool watch_has_failed(void);

/** Whether an end has prepared this key. */
bool watch_knows_key(const uint8_t key[32], const usmp_t *by);

/** An end is over: its keys are released, and no private key, shared secret or key is left in there. */
void watch_over(const usmp_t *usmp);

#endif
