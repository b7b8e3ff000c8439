/**
 * What the programs here need of a board: one UART, a clock, and a way to talk to the test that runs it. `boards/` has it for
 * four emulated ones. All of them talk to the test by semihosting (the emulator's own window to the host), so that the UART
 * carries the protocol and nothing else.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Starts UART and clock. Called once, before all others but `board_report` and `board_exit`. */
void board_init(void);

/** @return a byte, or -1 when none has come */
int board_uart_read(void);

/** @return false when the UART cannot take the byte yet */
bool board_uart_write(uint8_t byte);

/** Milliseconds since the start. */
uint32_t board_milliseconds(void);

/**
 * Sleeps until a byte has come, or about `milliseconds` have passed; may return earlier. The emulator then waits in the host's
 * time instead of spinning, and its clock, which else counts instructions, goes with the host's.
 */
void board_sleep(uint32_t milliseconds);

/** Instructions executed, as far as the emulator's clock tells: only differences mean something, and none across a sleep. */
uint64_t board_instructions(void);

/** Fills the free stack with a pattern. What `board_stack_peak` counts begins at the caller's frame. */
void board_stack_paint(void);

/** @return the most bytes of stack in use since, below that frame */
size_t board_stack_peak(void);

/** Copies the arguments of the program, separated by spaces, and ends them with 0. @return their length; 0 without any */
size_t board_arguments(char *text, size_t size);

/** Tells the test a line, which is given without its end. */
void board_report(const char *line);

/** Resets the chip: memory in the section `.noinit` keeps its content, all else begins anew. */
void board_reset(void) __attribute__((noreturn));

/** Ends the emulator. */
void board_exit(int code) __attribute__((noreturn));

#endif
