/**
 * QEMU's `lx60-nommu` with the processor of the ESP8266. Run with `-icount shift=5`: an instruction takes 32 ns, and the cycle
 * counter goes at 40 MHz.
 */
#include "../../board.h"

#include <string.h>

/* 16550: one register a word. */
#define UART ((volatile uint32_t *)0x9D050020u)
#define UART_DATA 0
#define UART_INTERRUPT_ENABLE 1
#define UART_FIFO_CONTROL 2
#define UART_LINE_STATUS 5
#define UART_FIFO_ON_AND_CLEAR 0x07u
#define UART_HAS_DATA 0x01u
#define UART_CAN_TAKE 0x20u

/* Of the board's logic: writing 0xDEAD resets it. */
#define FPGA_RESET (*(volatile uint32_t *)0x9D020010u)

#define TICKS_A_MILLISECOND 40000u
#define LONGEST_SLEEP 50000u /* ms: half a wrap of the cycle counter */

/* Interrupts of this processor: what stands behind which bit is in its configuration. */
#define INTERRUPT_TIMER (1u << 6)
#define INTERRUPT_UART (1u << 0)

/* Operations of the simulator's call. */
#define SIM_EXIT 1
#define SIM_WRITE 4
#define SIM_ARGC 1000
#define SIM_ARGV_SIZE 1001
#define SIM_ARGV 1002

uintptr_t simulator_call(uintptr_t operation, uintptr_t a, uintptr_t b, uintptr_t c);
void fault(void);

static uint32_t cycles(void)
{
    uint32_t count;
    __asm__ volatile("rsr %0, ccount" : "=r"(count));
    return count;
}

/* The counter goes on over a reset. */
static uint32_t first_cycle;

void board_init(void)
{
    first_cycle = cycles();
    UART[UART_FIFO_CONTROL] = UART_FIFO_ON_AND_CLEAR;
    UART[UART_INTERRUPT_ENABLE] = 1;
}

int board_uart_read(void)
{
    return (UART[UART_LINE_STATUS] & UART_HAS_DATA) != 0 ? (int)(UART[UART_DATA] & 0xFFu) : -1;
}

bool board_uart_write(uint8_t byte)
{
    if ((UART[UART_LINE_STATUS] & UART_CAN_TAKE) == 0) return false;
    UART[UART_DATA] = byte;
    return true;
}

/** The counter has 32 bits: it must be looked at every 107 s. */
static uint64_t ticks(void)
{
    static uint32_t last, wraps;
    const uint32_t now = cycles() - first_cycle;
    if (now < last) wraps++;
    last = now;
    return (uint64_t)wraps << 32 | now;
}

uint32_t board_milliseconds(void)
{
    return (uint32_t)(ticks() / TICKS_A_MILLISECOND);
}

uint64_t board_instructions(void)
{
    return ticks() * 25 / 32;
}

void board_sleep(uint32_t milliseconds)
{
    if (milliseconds > LONGEST_SLEEP) milliseconds = LONGEST_SLEEP;
    if (milliseconds == 0) return;
    const uint32_t end = cycles() + milliseconds * TICKS_A_MILLISECOND;
    const uint32_t wanted = INTERRUPT_TIMER | INTERRUPT_UART;
    __asm__ volatile("wsr %0, ccompare0\nesync" : : "r"(end));
    /* `waiti` lets them in, and the handler in start.S shuts the door again. */
    __asm__ volatile("wsr %0, intenable\nrsync\nwaiti 0\nrsil %0, 15" : : "r"(wanted) : "memory");
    (void)ticks();
}

void board_reset(void)
{
    for (;;) FPGA_RESET = 0xDEAD;
}

/* ── The test ────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t board_arguments(char *text, size_t size)
{
    static char *block[64];
    const uintptr_t count = simulator_call(SIM_ARGC, 0, 0, 0);
    text[0] = '\0';
    if (simulator_call(SIM_ARGV_SIZE, 0, 0, 0) > sizeof block) return 0;
    simulator_call(SIM_ARGV, (uintptr_t)block, 0, 0);
    size_t length = 0;
    for (uintptr_t index = 0; index < count; index++) {
        const size_t more = strlen(block[index]);
        if (length + more + 2 > size) return 0;
        memcpy(text + length, block[index], more);
        length += more;
        text[length++] = ' ';
        text[length] = '\0';
    }
    return length;
}

void board_report(const char *line)
{
    simulator_call(SIM_WRITE, 1, (uintptr_t)line, strlen(line));
    simulator_call(SIM_WRITE, 1, (uintptr_t)"\n", 1);
}

void board_exit(int code)
{
    for (;;) simulator_call(SIM_EXIT, (uintptr_t)code, 0, 0);
}

void fault(void)
{
    board_report("fault");
    board_exit(3);
}
