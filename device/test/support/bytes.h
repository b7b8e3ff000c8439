/** Bytes for tests: of hexadecimal digits, of a pattern, of chance. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Decodes hexadecimal digits. @return how many bytes; a text that is too long for `size` ends the program */
size_t unhex(uint8_t *out, size_t size, const char *digits);

/** `length` bytes that tell from where they are taken: no two places of a message, and no two numbers, look alike. */
void pattern(uint8_t *out, size_t length, unsigned number);

/** Numbers that look random and are the same for the same seed. */
typedef struct chance {
    uint32_t state;
} chance_t;

uint32_t chance_next(chance_t *chance);

/** An integer from `low` to `high`, both included. */
uint32_t chance_between(chance_t *chance, uint32_t low, uint32_t high);

/** Whether something that happens `percent` times of a hundred happens now. */
bool chance_percent(chance_t *chance, unsigned percent);

void chance_fill(chance_t *chance, uint8_t *out, size_t length);

#endif
