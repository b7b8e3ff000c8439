/** Runs one suite, by its name: each in a process of its own, so that one that crashes does not take the others along. */
#include <stdio.h>
#include <string.h>

#include "suites.h"
#include "tap.h"

static const struct {
    const char *name;
    void (*run)(void);
} SUITES[] = {
    {"connection", connection_suite},
    {"vectors", vectors_suite},
};

int main(int count, char **arguments)
{
    for (size_t i = 0; i < COUNT(SUITES); i++) {
        if (count < 2) puts(SUITES[i].name);
        if (count < 2 || strcmp(arguments[1], SUITES[i].name) != 0) continue;
        SUITES[i].run();
        return test_finish();
    }
    return count < 2 ? 0 : 2;
}
