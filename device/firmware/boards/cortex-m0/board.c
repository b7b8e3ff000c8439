/** QEMU's `microbit`, an nRF51: stands for Cortex-M0 and M0+ (nRF51, SAMD21, RP2040). Run with `-icount shift=5`. */
#include "../../board.h"
#include "../cortex-m.h"

/* The UART of the nRF51: six bytes of FIFO for what comes. */
#define UART(offset) (*(volatile uint32_t *)(0x40002000u + (offset)))
#define UART_START_RECEIVER UART(0x000u)
#define UART_START_TRANSMITTER UART(0x008u)
#define UART_RECEIVED UART(0x108u)
#define UART_SENT UART(0x11Cu)
#define UART_INTERRUPTS UART(0x304u)
#define UART_ENABLE UART(0x500u)
#define UART_RECEIVE_DATA UART(0x518u)
#define UART_SEND_DATA UART(0x51Cu)
#define UART_BAUD_RATE UART(0x524u)
#define UART_ON 4u
#define UART_RECEIVED_INTERRUPT (1u << 2)
#define UART_115200_BAUD 0x01D7E000u
#define UART_INTERRUPT 2

/* 16 MHz: 62.5 ns a tick. */
const uint32_t board_ticks_a_millisecond = 16000;
const uint32_t board_instructions_a_64_ticks = 125;

static bool sending;

void board_init(void)
{
    UART_BAUD_RATE = UART_115200_BAUD;
    UART_ENABLE = UART_ON;
    UART_RECEIVED = 0;
    UART_INTERRUPTS = UART_RECEIVED_INTERRUPT;
    UART_START_RECEIVER = 1;
    UART_START_TRANSMITTER = 1;
    cortex_m_init(UART_INTERRUPT);
}

int board_uart_read(void)
{
    if (UART_RECEIVED == 0) return -1;
    /* Reading the byte raises the event anew where another waits. */
    UART_RECEIVED = 0;
    return (int)(UART_RECEIVE_DATA & 0xFFu);
}

bool board_uart_write(uint8_t byte)
{
    if (sending && UART_SENT == 0) return false;
    UART_SENT = 0;
    sending = true;
    UART_SEND_DATA = byte;
    return true;
}
