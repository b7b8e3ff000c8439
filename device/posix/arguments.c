#include "arguments.h"

#include <stdlib.h>
#include <string.h>

/** Further than this from what was typed, no option is suggested. */
#define SIMILAR 2u
#define LONGEST_NAME 32u

/** How many letters are to be changed, added or taken away (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST_NAME + 1];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j - 1] + 1 < changed) changed = row[j - 1] + 1;
            row[j] = diagonal + 1 < changed ? diagonal + 1 : changed;
        }
    }
    return row[length];
}

static int unknown(const char *name, const option_t *options, problem_t *problem)
{
    const char *nearest = NULL;
    size_t best = SIMILAR + 1;
    for (; options->name != NULL; options++) {
        size_t far = distance(name, options->name);
        if (far >= best) continue;
        best = far;
        nearest = options->name;
    }
    if (nearest != NULL) (void)problem_is(problem, "unknown option '%s': did you mean %s?", name, nearest);
    else (void)problem_is(problem, "unknown option '%s': --help shows those that there are", name);
    return ARGUMENT_WRONG;
}

int arguments_next(arguments_t *arguments, const option_t *options, const char **value, problem_t *problem)
{
    char *text = *arguments->next;
    *value = text;
    if (text == NULL) return ARGUMENT_END;
    arguments->next++;
    if (arguments->plain || text[0] != '-' || text[1] == '\0') return ARGUMENT_PLAIN;
    if (strcmp(text, "--") == 0) {
        arguments->plain = true;
        return arguments_next(arguments, options, value, problem);
    }

    char name[LONGEST_NAME + 1] = "";
    size_t length = strcspn(text, "=");
    strncat(name, text, length < LONGEST_NAME ? length : LONGEST_NAME);
    *value = text[length] == '=' ? text + length + 1 : NULL;
    for (int i = 0; options[i].name != NULL; i++) {
        if (strcmp(options[i].name, name) != 0) continue;
        if (options[i].has_value && *value == NULL) *value = *arguments->next == NULL ? NULL : *arguments->next++;
        if (options[i].has_value == (*value != NULL)) return i;
        (void)problem_is(problem, options[i].has_value ? "%s needs a value" : "%s takes no value", name);
        return ARGUMENT_WRONG;
    }
    return unknown(name, options, problem);
}

bool parse_seconds(uint32_t *milliseconds, const char *option, const char *text, problem_t *problem)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 0.001 && seconds <= INT32_MAX / 1000))
        return problem_is(problem, "%s is \"%s\": it must be seconds, 0.001 to %d", option, text, INT32_MAX / 1000);
    *milliseconds = (uint32_t)(seconds * 1000 + 0.5);
    return true;
}

bool parse_count(uint32_t *count, uint32_t max, const char *option, const char *text, problem_t *problem)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || number > max)
        return problem_is(problem, "%s is \"%s\": it must be a number from 1 to %lu", option, text, (unsigned long)max);
    *count = (uint32_t)number;
    return true;
}
