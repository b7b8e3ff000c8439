/**
 * For the mutations: where the environment names a test (USMP_ONLY), the others of a suite are not run. The linker leads `test` of
 * support/tap.c through here (`--wrap`). Tests that are made in a loop run all the same.
 */
#include <stdlib.h>
#include <string.h>

#include "tap.h"

void __real_test(const char *promise, void (*run)(void));
void __wrap_test(const char *promise, void (*run)(void));

void __wrap_test(const char *promise, void (*run)(void))
{
    const char *only = getenv("USMP_ONLY");
    if (only == NULL || strcmp(only, promise) == 0) __real_test(promise, run);
}
