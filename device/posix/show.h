/** Messages for people. */
#ifndef SHOW_H
#define SHOW_H

#include <stddef.h>
#include <stdint.h>

/**
 * Prints a message and a line end on stdout: as text where it is UTF-8 that no terminal acts on, else in hexadecimal digits.
 *
 * @param from in front of it, with a space between; null for nothing
 */
void show_message(const char *from, const uint8_t *data, size_t length);

#endif
