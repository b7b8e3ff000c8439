/** One UART, which is a TCP connection to 127.0.0.1: the server listens on serial+tcp. A thread stands for the interrupt. */
#include "driver/uart.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int file = -1;
static bool ending;
static pthread_t interrupt;
static QueueHandle_t events;

static void *wait_for_bytes(void *argument)
{
    char byte;
    (void)argument;
    while (recv(file, &byte, 1, MSG_PEEK) > 0 && !__atomic_load_n(&ending, __ATOMIC_SEQ_CST)) {
        const uart_event_t event = {.type = UART_DATA, .size = 1};
        (void)xQueueSend(events, &event, 0);
        usleep(2000);
    }
    return NULL;
}

bool uart_is_driver_installed(uart_port_t port)
{
    (void)port;
    return file >= 0;
}

esp_err_t uart_driver_install(uart_port_t port, int rx, int tx, int queue_size, QueueHandle_t *queue, int flags)
{
    const char *number = getenv("USMP_SHIM_UART");
    struct sockaddr_in address = {.sin_family = AF_INET};
    (void)flags;
    if (port >= UART_NUM_MAX || rx <= 128 || tx <= 128 || number == NULL) return ESP_FAIL;
    file = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)atoi(number));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(file, (struct sockaddr *)&address, sizeof address) != 0) return ESP_FAIL;
    *queue = events = xQueueCreate((UBaseType_t)queue_size, sizeof(uart_event_t));
    ending = false;
    return pthread_create(&interrupt, NULL, wait_for_bytes, NULL) == 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t uart_driver_delete(uart_port_t port)
{
    (void)port;
    __atomic_store_n(&ending, true, __ATOMIC_SEQ_CST);
    shutdown(file, SHUT_RDWR);
    pthread_join(interrupt, NULL);
    close(file);
    file = -1;
    vQueueDelete(events);
    return ESP_OK;
}

esp_err_t uart_param_config(uart_port_t port, const uart_config_t *config)
{
    (void)port;
    return config->baud_rate > 0 && config->data_bits == UART_DATA_8_BITS ? ESP_OK : ESP_FAIL;
}

esp_err_t uart_set_pin(uart_port_t port, int tx, int rx, int rts, int cts)
{
    (void)port, (void)tx, (void)rx;
    return rts == UART_PIN_NO_CHANGE && cts == UART_PIN_NO_CHANGE ? ESP_OK : ESP_FAIL;
}

int uart_read_bytes(uart_port_t port, void *bytes, uint32_t length, TickType_t ticks)
{
    (void)port;
    if (ticks != 0) abort();
    ssize_t count = recv(file, bytes, length, MSG_DONTWAIT);
    return count > 0 ? (int)count : 0;
}

int uart_write_bytes(uart_port_t port, const void *bytes, size_t size)
{
    (void)port;
    return (int)send(file, bytes, size, MSG_NOSIGNAL);
}

esp_err_t uart_get_tx_buffer_free_size(uart_port_t port, size_t *size)
{
    (void)port;
    *size = 100;
    return ESP_OK;
}

esp_err_t uart_get_buffered_data_len(uart_port_t port, size_t *size)
{
    int count = 0;
    (void)port;
    ioctl(file, FIONREAD, &count);
    *size = (size_t)count;
    return ESP_OK;
}

esp_err_t uart_wait_tx_done(uart_port_t port, TickType_t ticks)
{
    (void)port, (void)ticks;
    return ESP_OK;
}
