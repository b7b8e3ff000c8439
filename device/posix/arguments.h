/** A command line, one argument after the other: `--name VALUE`, `--name=VALUE`, `--name`, and what is no option. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "problem.h"

/** An option that a program has. The last one of a list has no name. */
typedef struct option {
    const char *name;
    bool has_value;
} option_t;

typedef struct arguments {
    /** The one that comes next; ends with null, as argv does. */
    char **next;
    /** Behind `--` nothing is an option. */
    bool plain;
} arguments_t;

enum {
    /** What is no option: in `value`. */
    ARGUMENT_PLAIN = -1,
    ARGUMENT_END = -2,
    ARGUMENT_WRONG = -3
};

/** @return the place of the option in `options`, or one of the above. `*value` is null where it has none */
int arguments_next(arguments_t *arguments, const option_t *options, const char **value, problem_t *problem);

/** Seconds, with or without a fraction, as milliseconds; up to 24 days. */
bool parse_seconds(uint32_t *milliseconds, const char *option, const char *text, problem_t *problem);

/** A count of 1 to `max`. */
bool parse_count(uint32_t *count, uint32_t max, const char *option, const char *text, problem_t *problem);

#endif
