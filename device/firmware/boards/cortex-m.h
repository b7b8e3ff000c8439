/** What the Cortex-M boards share (`cortex-m.c`). */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

/** Of SysTick: how fast it runs on this board, in its `board.c`. */
extern const uint32_t board_ticks_a_millisecond;

/** An instruction takes 32 ns (`-icount shift=5`), so a tick is `board_instructions_a_64_ticks` / 64 of one. */
extern const uint32_t board_instructions_a_64_ticks;

/** Starts SysTick, switches interrupts off and lets this one end a sleep. */
void cortex_m_init(uint32_t interrupt);

#endif
