/** From the first instruction in C to `main`: what a C library's start-up does, without the library. */
#include <stdint.h>

#include "../board.h"

/* From the linker script. */
extern uint32_t __data_load[], __data_start[], __data_end[], __bss_start[], __bss_end[];

int main(void);
void start(void) __attribute__((noreturn));

void start(void)
{
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) *to = *from++;
    for (uint32_t *to = __bss_start; to < __bss_end; to++) *to = 0;
    board_exit(main());
}
