#include "facts.h"

#include <stddef.h>

#include "board.h"

static uint64_t began, sum, longest;

void report_number(const char *key, uint32_t value)
{
    char line[64], digits[10];
    size_t length = 0, count = 0;
    while (key[length] != '\0' && length < sizeof line - sizeof digits - 2) {
        line[length] = key[length];
        length++;
    }
    line[length++] = ' ';
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (count > 0) line[length++] = digits[--count];
    line[length] = '\0';
    board_report(line);
}

void counter_start(void)
{
    began = board_instructions();
}

void counter_stop(void)
{
    static uint64_t own;
    uint64_t spent = board_instructions() - began;
    if (own == 0) {
        /* What is counted when there is nothing to count. */
        counter_start();
        own = board_instructions() - began;
    }
    spent = spent > own ? spent - own : 0;
    sum += spent;
    if (spent > longest) longest = spent;
}

uint32_t counter_take(void)
{
    uint32_t taken = (uint32_t)sum;
    sum = 0;
    return taken;
}

uint32_t counter_longest(void)
{
    return (uint32_t)longest;
}
