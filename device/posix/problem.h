/** What is wrong, in words for the user: it travels from the place that knows to the place that prints. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdbool.h>

typedef struct problem {
    char text[256];
} problem_t;

/** As printf. Always false, so that whoever fails can return it. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool problem_is(problem_t *problem, const char *format, ...);

#endif
