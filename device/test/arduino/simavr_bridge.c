/**
 * An ATmega2560 at 16 MHz that runs a program: its UART0 is this program's output, its UART1 a TCP connection, such as to a
 * `serial+tcp` listener. It ends when its input ends, and reports what the program took.
 *
 *   simavr_bridge PROGRAM.elf PORT [KEPT]
 *
 * KEPT, 80 hexadecimal digits, is laid into EEPROM as an earlier start has left it. What is there when the chip sends its first byte is
 * reported.
 *
 * The chip runs as fast as it can be simulated, but after it has sent something a millisecond of its time takes at least one of the
 * world's for a while, so that the other end has time to answer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <simavr/avr_eeprom.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#define CLOCK 16000000u
#define CYCLES_A_MS (CLOCK / 1000u)

/** A byte at 115,200 baud. */
#define CYCLES_A_BYTE 1389u

/** For so long after it has sent, the chip's time does not run ahead. Milliseconds. */
#define PATIENCE 1500u

/** 16 ms of the watchdog, and how far that is off. WDTCSR, its bits WDIE and WDE, and its interrupt. */
#define WATCHDOG_CYCLES 256000u
#define WATCHDOG_JITTER 400
#define WATCHDOG_CONTROL 0x60
#define WATCHDOG_INTERRUPT 0x40u
#define WATCHDOG_RESET 0x08u
#define WATCHDOG_VECTOR 12

/** Where `USMP_EEPROM_ADDRESS` is: the last 40 bytes of 4,096. */
#define KEPT 40u
#define KEPT_AT (4096u - KEPT)

typedef struct bridge {
    avr_t *avr;
    int socket;
    avr_irq_t *input;
    /** The chip's receiver has room. */
    bool ready;
    avr_cycle_count_t sent_at;
    bool has_sent;
    unsigned long out, in;
} bridge_t;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static int connect_to(const char *port)
{
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int file = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    place.sin_port = htons((uint16_t)atoi(port));
    if (connect(file, (struct sockaddr *)&place, sizeof place) != 0) fail("connect");
    (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return file;
}

static void print_byte(avr_irq_t *irq, uint32_t value, void *user)
{
    (void)irq;
    (void)user;
    putchar((int)value);
    if (value == '\n') fflush(stdout);
}

static void report_first(avr_t *avr)
{
    avr_eeprom_desc_t place = {.ee = NULL, .offset = KEPT_AT, .size = KEPT};
    printf("\n@first %llu ms, kept ", (unsigned long long)(avr->cycle / CYCLES_A_MS));
    avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &place);
    for (unsigned i = 0; i < KEPT; i++) printf("%02x", place.ee[i]);
    printf("\n");
    fflush(stdout);
}

static void send_byte(avr_irq_t *irq, uint32_t value, void *user)
{
    bridge_t *bridge = user;
    uint8_t byte = (uint8_t)value;
    (void)irq;
    if (bridge->out++ == 0) report_first(bridge->avr);
    bridge->has_sent = true;
    if (send(bridge->socket, &byte, 1, MSG_NOSIGNAL) != 1) bridge->socket = -1;
}

static void set_ready(avr_irq_t *irq, uint32_t value, void *user)
{
    (void)irq;
    if (value != 0) ((bridge_t *)user)->ready = true;
}

static void set_busy(avr_irq_t *irq, uint32_t value, void *user)
{
    (void)irq;
    if (value != 0) ((bridge_t *)user)->ready = false;
}

/** As on a line: a byte each time that one may come, whether there is room for it or not is the chip's affair. */
static avr_cycle_count_t receive_byte(avr_t *avr, avr_cycle_count_t when, void *user)
{
    bridge_t *bridge = user;
    uint8_t byte;
    (void)avr;
    if (bridge->socket >= 0 && bridge->ready && recv(bridge->socket, &byte, 1, MSG_DONTWAIT) == 1) {
        bridge->in++;
        avr_raise_irq(bridge->input, byte);
    }
    return when + CYCLES_A_BYTE;
}

/** @return whether the test has hung up */
static bool is_over(void)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char bytes[64];
    return poll(&input, 1, 0) == 1 && read(STDIN_FILENO, bytes, sizeof bytes) <= 0;
}

static avr_cycle_count_t keep_time(avr_t *avr, avr_cycle_count_t when, void *user)
{
    bridge_t *bridge = user;
    if (bridge->has_sent) bridge->sent_at = avr->cycle;
    bridge->has_sent = false;
    if (bridge->sent_at != 0 && avr->cycle - bridge->sent_at < (avr_cycle_count_t)PATIENCE * CYCLES_A_MS) {
        struct pollfd line = {bridge->socket, POLLIN, 0};
        (void)poll(&line, 1, 1);
    }
    if (is_over()) avr->state = cpu_Done;
    return when + CYCLES_A_MS;
}

static avr_int_vector_t *watchdog_of(avr_t *avr)
{
    for (int i = 0; i < avr->interrupts.vector_count; i++) {
        if (avr->interrupts.vector[i]->vector == WATCHDOG_VECTOR) return avr->interrupts.vector[i];
    }
    return NULL;
}

/**
 * The watchdog as a source of interrupts alone, which simavr does not know, by a clock of its own that trembles, as that of a chip
 * does.
 */
static avr_cycle_count_t tick(avr_t *avr, avr_cycle_count_t when, void *user)
{
    uint8_t control = avr->data[WATCHDOG_CONTROL];
    if ((control & WATCHDOG_INTERRUPT) != 0 && (control & WATCHDOG_RESET) == 0) avr_raise_interrupt(avr, user);
    return when + WATCHDOG_CYCLES + (avr_cycle_count_t)(random() % WATCHDOG_JITTER);
}

static void lay(avr_t *avr, const char *digits)
{
    uint8_t kept[KEPT];
    avr_eeprom_desc_t place = {.ee = kept, .offset = KEPT_AT, .size = sizeof kept};
    for (unsigned i = 0; i < KEPT; i++) {
        unsigned byte;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1) fail("KEPT");
        kept[i] = (uint8_t)byte;
    }
    /* It says -2 where it refuses, and -1 where it has done it. */
    if (avr_ioctl(avr, AVR_IOCTL_EEPROM_SET, &place) == -2) fail("EEPROM");
}

static void connect_uart(avr_t *avr, char uart, avr_irq_notify_t output, void *user)
{
    uint32_t flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS(uart), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS(uart), &flags);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ(uart), UART_IRQ_OUTPUT), output, user);
}

int main(int argc, char **argv)
{
    static bridge_t bridge;
    elf_firmware_t firmware = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: simavr_bridge PROGRAM.elf PORT [KEPT]\n");
        return 2;
    }
    if (elf_read_firmware(argv[1], &firmware) != 0) fail(argv[1]);
    avr_t *avr = avr_make_mcu_by_name("atmega2560");
    if (avr == NULL) fail("atmega2560");
    avr_init(avr);
    firmware.frequency = CLOCK;
    avr_load_firmware(avr, &firmware);
    avr->frequency = CLOCK;
    avr->log = LOG_ERROR;
    if (argc > 3) lay(avr, argv[3]);

    bridge.avr = avr;
    bridge.socket = connect_to(argv[2]);
    bridge.ready = true;
    bridge.input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('1'), UART_IRQ_INPUT);
    connect_uart(avr, '0', print_byte, NULL);
    connect_uart(avr, '1', send_byte, &bridge);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('1'), UART_IRQ_OUT_XON), set_ready, &bridge);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('1'), UART_IRQ_OUT_XOFF), set_busy, &bridge);
    avr_cycle_timer_register(avr, CYCLES_A_BYTE, receive_byte, &bridge);
    avr_cycle_timer_register(avr, CYCLES_A_MS, keep_time, &bridge);
    avr_cycle_timer_register(avr, WATCHDOG_CYCLES, tick, watchdog_of(avr));
    srandom((unsigned)getpid());

    unsigned lowest = avr->ramend;
    int state;
    do {
        state = avr_run(avr);
        unsigned stack = avr->data[R_SPL] | (unsigned)avr->data[R_SPH] << 8;
        /* Before it is set, it is 0. */
        if (stack > 0x200 && stack < lowest) lowest = stack;
    } while (state != cpu_Done && state != cpu_Crashed);
    printf("\n@end %s, %llu ms, stack %u, %lu bytes out, %lu in\n", state == cpu_Done ? "done" : "crashed",
           (unsigned long long)(avr->cycle / CYCLES_A_MS), avr->ramend - lowest, bridge.out, bridge.in);
    return state == cpu_Done ? 0 : 1;
}
