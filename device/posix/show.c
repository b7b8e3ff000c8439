#include "show.h"

#include <stdbool.h>
#include <stdio.h>

/** Bytes that follow the first byte of a character in UTF-8; -1 where no character begins with it. */
static int continuation_of(uint8_t first)
{
    if (first < 0x80) return 0;
    if (first >= 0xC2 && first <= 0xDF) return 1;
    if (first >= 0xE0 && first <= 0xEF) return 2;
    return first >= 0xF0 && first <= 0xF4 ? 3 : -1;
}

/** Text of one line, without what moves the cursor: a device must not do that to whoever watches. */
static bool is_text(const uint8_t *data, size_t length)
{
    size_t i = 0;
    while (i < length) {
        uint8_t first = data[i];
        int more = continuation_of(first);
        if ((first < 0x20 && first != '\t') || first == 0x7F || more < 0 || (size_t)more >= length - i) return false;
        i++;
        if (first == 0xC2 && data[i] < 0xA0) return false;
        for (; more > 0; more--, i++) {
            if ((data[i] & 0xC0u) != 0x80u) return false;
        }
    }
    return true;
}

void show_message(const char *from, const uint8_t *data, size_t length)
{
    if (from != NULL) (void)printf("%s ", from);
    if (is_text(data, length)) (void)fwrite(data, 1, length, stdout);
    else for (size_t i = 0; i < length; i++) (void)printf("%02x", (unsigned)data[i]);
    (void)putchar('\n');
    (void)fflush(stdout);
}
