/** The lines of standard input, as they come. */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "usmp/config.h"

typedef struct lines {
    /** Of the longest message, and its line end. */
    char text[USMP_MAX_MESSAGE + 2];
    size_t length;
    /** Of the line that was handed out last; it stands in front and is dropped by the next call. */
    size_t used;
    bool ended;
} lines_t;

typedef enum line_state { LINE_THERE, LINE_LATER, LINE_NONE, LINE_TOO_LONG } line_state_t;

/** The next line, without its end; it stays until the next call. */
line_state_t lines_next(lines_t *lines, const char **text, size_t *length);

/** poll() says that there is something to read. */
void lines_read(lines_t *lines);

#endif
