/** What a program tells the test: `key value`, one a line, and how it counts instructions. */
#ifndef FACTS_H
#define FACTS_H

#include <stdint.h>

void report_number(const char *key, uint32_t value);

/** Instructions are counted from `counter_start` to `counter_stop`, without the counting itself, and add up. */
void counter_start(void);
void counter_stop(void);

/** @return the sum, which begins anew from 0 */
uint32_t counter_take(void);

/** @return the most instructions between one start and its stop, of all so far */
uint32_t counter_longest(void);

/** A call whose instructions count: those of the core, and not of waiting or of drivers. */
#define COUNTED(call) \
    do { \
        counter_start(); \
        call; \
        counter_stop(); \
    } while (0)

#endif
