#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

bool problem_is(problem_t *problem, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    (void)vsnprintf(problem->text, sizeof problem->text, format, values);
    va_end(values);
    return false;
}
