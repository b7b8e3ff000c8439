#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

line_state_t lines_next(lines_t *lines, const char **text, size_t *length)
{
    lines->length -= lines->used;
    memmove(lines->text, lines->text + lines->used, lines->length);
    lines->used = 0;

    const char *end = memchr(lines->text, '\n', lines->length);
    if (end == NULL && lines->length == sizeof lines->text) return LINE_TOO_LONG;
    if (end == NULL && !lines->ended) return LINE_LATER;
    if (end == NULL && lines->length == 0) return LINE_NONE;
    *text = lines->text;
    *length = end == NULL ? lines->length : (size_t)(end - lines->text);
    lines->used = *length + (end != NULL);
    if (*length > 0 && (*text)[*length - 1] == '\r') --*length;
    return *length <= USMP_MAX_MESSAGE ? LINE_THERE : LINE_TOO_LONG;
}

void lines_read(lines_t *lines)
{
    ssize_t count = read(STDIN_FILENO, lines->text + lines->length, sizeof lines->text - lines->length);
    if (count > 0) lines->length += (size_t)count;
    else if (count == 0 || (errno != EINTR && errno != EAGAIN)) lines->ended = true;
}
