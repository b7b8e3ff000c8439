/**
 * QEMU's `virt` with a 32-bit processor: stands for the ESP32-C3. Run with `-icount shift=0`: an instruction is a nanosecond, so
 * that `minstret` and the clock count the same.
 */
#include "../../board.h"

/* 16550: one register a byte. */
#define UART ((volatile uint8_t *)0x10000000u)
#define UART_DATA 0
#define UART_INTERRUPT_ENABLE 1
#define UART_FIFO_CONTROL 2
#define UART_LINE_STATUS 5
#define UART_FIFO_ON_AND_CLEAR 0x07u
#define UART_HAS_DATA 0x01u
#define UART_CAN_TAKE 0x20u

/* The clock, 10 MHz, and the time at which it wakes the processor. */
#define MTIME ((volatile uint32_t *)0x0200BFF8u)
#define MTIMECMP ((volatile uint32_t *)0x02004000u)
#define TICKS_A_MILLISECOND 10000u

/* Interrupt controller: the UART is its source 10, this processor its context 0. */
#define PLIC_UART 10
#define PLIC_PRIORITY ((volatile uint32_t *)0x0C000000u)
#define PLIC_ENABLE (*(volatile uint32_t *)0x0C002000u)
#define PLIC_THRESHOLD (*(volatile uint32_t *)0x0C200000u)
#define PLIC_CLAIM (*(volatile uint32_t *)0x0C200004u)

/* Writing 0x7777 resets the board. */
#define TEST_DEVICE (*(volatile uint32_t *)0x00100000u)
#define TEST_RESET 0x7777u

/* Of the register `mie`: what ends a `wfi`. Interrupts themselves stay off (`mstatus`), so nothing needs a handler. */
#define MIE_TIMER_AND_EXTERNAL ((1u << 7) | (1u << 11))

/* The compiler's target has no CSR instructions by name: with them it would look for another set of libraries. */
#define CSR(instruction) ".option push\n.option arch, +zicsr\n" instruction "\n.option pop"

void board_init(void)
{
    UART[UART_FIFO_CONTROL] = UART_FIFO_ON_AND_CLEAR;
    UART[UART_INTERRUPT_ENABLE] = 1;
    PLIC_PRIORITY[PLIC_UART] = 1;
    PLIC_ENABLE = 1u << PLIC_UART;
    PLIC_THRESHOLD = 0;
    __asm__ volatile(CSR("csrw mie, %0") : : "r"(MIE_TIMER_AND_EXTERNAL));
}

int board_uart_read(void)
{
    return (UART[UART_LINE_STATUS] & UART_HAS_DATA) != 0 ? UART[UART_DATA] : -1;
}

bool board_uart_write(uint8_t byte)
{
    if ((UART[UART_LINE_STATUS] & UART_CAN_TAKE) == 0) return false;
    UART[UART_DATA] = byte;
    return true;
}

static uint64_t ticks(void)
{
    for (;;) {
        const uint32_t high = MTIME[1];
        const uint32_t low = MTIME[0];
        if (high == MTIME[1]) return (uint64_t)high << 32 | low;
    }
}

uint32_t board_milliseconds(void)
{
    return (uint32_t)(ticks() / TICKS_A_MILLISECOND);
}

void board_sleep(uint32_t milliseconds)
{
    const uint64_t end = ticks() + (uint64_t)milliseconds * TICKS_A_MILLISECOND;
    MTIMECMP[1] = UINT32_MAX;
    MTIMECMP[0] = (uint32_t)end;
    MTIMECMP[1] = (uint32_t)(end >> 32);
    __asm__ volatile("wfi");
    const uint32_t source = PLIC_CLAIM;
    if (source != 0) PLIC_CLAIM = source;
}

uint64_t board_instructions(void)
{
    for (;;) {
        uint32_t high, low, again;
        __asm__ volatile(CSR("csrr %0, minstreth\ncsrr %1, minstret\ncsrr %2, minstreth")
                         : "=r"(high), "=r"(low), "=r"(again));
        if (high == again) return (uint64_t)high << 32 | low;
    }
}

void board_reset(void)
{
    for (;;) TEST_DEVICE = TEST_RESET;
}
