#include "echo_check.h"

#include <string.h>

#include "usmp/config.h"

/** Around the limits of blocks, of COBS groups (§10), of frames and of messages (§5). */
static const uint16_t SIZES[] = {0,   1,   3,   4,   5,   15,  16,  17,  64,  100, 213,  214,  215,  254,  255,
                                 256, 300, 399, 412, 450, 451, 452, 453, 700, 903, 904,  905,  1355, 1356, 1357,
                                 1400, 1500, 1806, 1807, 1808};

#define SIZE_COUNT (sizeof SIZES / sizeof *SIZES)

/** The sizes take turns with others, in an order that does not only grow. */
static size_t size_of(uint32_t number, size_t largest)
{
    size_t usable = 0;
    while (usable < SIZE_COUNT && SIZES[usable] <= largest) usable++;
    if (number % 2 == 0) return SIZES[number / 2 * 7 % usable];
    return number * 2654435761u / 7u % (largest + 1);
}

/** The number, then bytes that count upwards from a beginning of their own: the tests of the released peer have the same. */
static void fill(uint8_t *message, uint32_t number, size_t length)
{
    for (size_t i = 0; i < length && i < 4; i++) message[i] = (uint8_t)(number >> 8 * i);
    for (size_t i = 4; i < length; i++) message[i] = (uint8_t)(number * 7 + length * 13 + i - 4);
}

size_t echo_check_message(const echo_check_t *check, uint32_t number, uint8_t *message)
{
    size_t length = size_of(number, check->size);
    fill(message, number, length);
    return length;
}

/** The number of a message that is another one than awaited; false where it is none of ours. */
static bool find(const echo_check_t *check, const uint8_t *data, size_t length, uint32_t *number)
{
    uint8_t message[USMP_MAX_MESSAGE];
    for (*number = 0; *number < check->sent; ++*number) {
        if (echo_check_message(check, *number, message) == length && memcmp(message, data, length) == 0) return true;
    }
    return false;
}

bool echo_check_take(echo_check_t *check, const uint8_t *data, size_t length, problem_t *problem)
{
    uint8_t expected[USMP_MAX_MESSAGE];
    uint32_t number = check->echoed;
    size_t expected_length = echo_check_message(check, number, expected);
    if (number < check->sent && length == expected_length && memcmp(data, expected, length) == 0) {
        check->echoed++;
        check->bytes += length;
        return true;
    }
    if (!find(check, data, length, &number))
        return problem_is(problem, "echo %lu of %zu bytes came altered, as %zu bytes", (unsigned long)check->echoed, expected_length, length);
    const char *how = number < check->echoed ? "once more" : "too early";
    return problem_is(problem, "echo %lu came %s, where %lu was due", (unsigned long)number, how, (unsigned long)check->echoed);
}
