/** QEMU's `mps2-an385`: stands for STM32F1 and SAM3. Run with `-icount shift=5`. */
#include "../../board.h"
#include "../cortex-m.h"

/* The UART of Arm's CMSDK: one byte each way, no FIFO. */
#define UART_DATA (*(volatile uint32_t *)0x40004000u)
#define UART_STATE (*(volatile uint32_t *)0x40004004u)
#define UART_CONTROL (*(volatile uint32_t *)0x40004008u)
#define UART_CLEAR_INTERRUPT (*(volatile uint32_t *)0x4000400Cu)
#define UART_BAUD_DIVIDER (*(volatile uint32_t *)0x40004010u)
#define UART_TRANSMITTER_IS_FULL 0x1u
#define UART_RECEIVER_IS_FULL 0x2u
#define UART_ON 0xBu /* transmitter, receiver, and its interrupt */
#define UART_RECEIVED 0x2u
#define UART_RECEIVE_INTERRUPT 0

/* 25 MHz: 40 ns a tick. */
const uint32_t board_ticks_a_millisecond = 25000;
const uint32_t board_instructions_a_64_ticks = 80;

void board_init(void)
{
    UART_BAUD_DIVIDER = 16;
    UART_CONTROL = UART_ON;
    cortex_m_init(UART_RECEIVE_INTERRUPT);
}

int board_uart_read(void)
{
    if ((UART_STATE & UART_RECEIVER_IS_FULL) == 0) return -1;
    /* Before the byte is read: the next one comes after that, with an interrupt of its own. */
    UART_CLEAR_INTERRUPT = UART_RECEIVED;
    return (int)(UART_DATA & 0xFFu);
}

bool board_uart_write(uint8_t byte)
{
    if ((UART_STATE & UART_TRANSMITTER_IS_FULL) != 0) return false;
    UART_DATA = byte;
    return true;
}
