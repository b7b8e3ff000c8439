/** How much stack was used: a pattern is written below the stack pointer, and looked for later. */
#include "../board.h"

#define PATTERN 0xA5A5A5A5u

/* Left alone below the frame that paints: what the painting functions themselves use. */
#define MARGIN 64u

/* From the linker script: the lowest word that the stack may use. */
extern uint32_t __stack_limit[];

static uintptr_t base;

__attribute__((noinline)) void board_stack_paint(void)
{
    base = (uintptr_t)__builtin_frame_address(0);
    volatile uint32_t *end = (volatile uint32_t *)((base - MARGIN) & ~(uintptr_t)3);
    for (volatile uint32_t *word = __stack_limit; word < end; word++) *word = PATTERN;
}

__attribute__((noinline)) size_t board_stack_peak(void)
{
    const volatile uint32_t *word = __stack_limit;
    while ((uintptr_t)word < base - MARGIN && *word == PATTERN) word++;
    return base - (uintptr_t)word;
}
