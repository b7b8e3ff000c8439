/** A UART that leads to the server, by the driver of ESP-IDF. It stays open from session to session. */
#include "link.h"

#include "sdkconfig.h"

#if CONFIG_USMP_UART
#include "driver/uart.h"
#include "log.h"

#include "clock.h"

/** Buffers of the driver in bytes. The first has to hold what comes while a key is computed: 100 ms at 115,200 bits a second. */
#define RECEIVE_BUFFER 2048
#define SEND_BUFFER 1024

/** What the driver has to tell, and wake-ups. Where there is no room, the connection is on its way already. */
#define EVENTS 16

/** While the send buffer is full the connection looks for room this often. Milliseconds. */
#define POLL_INTERVAL 10u

/** How long the last bytes of a session may take. Milliseconds. */
#define FINISH_TIMEOUT 1000u

static uart_port_t port_of(const link_t *link)
{
    return (uart_port_t)link->uart_port;
}

static esp_err_t configure(const link_t *link)
{
    const uart_config_t config = {
        .baud_rate = link->uart_baud,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };
    esp_err_t result = uart_param_config(port_of(link), &config);
    if (result != ESP_OK) return result;
    return uart_set_pin(port_of(link), link->uart_tx_pin, link->uart_rx_pin, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE);
}

esp_err_t uart_link_init(link_t *link)
{
    if (uart_is_driver_installed(port_of(link))) {
        ESP_LOGE(TAG, "UART %d is in use already", link->uart_port);
        return ESP_ERR_INVALID_STATE;
    }
    esp_err_t result =
        uart_driver_install(port_of(link), RECEIVE_BUFFER, SEND_BUFFER, EVENTS, &link->uart_events, 0);
    if (result != ESP_OK) {
        link->uart_events = NULL;
        return result;
    }
    return configure(link);
}

void uart_link_deinit(link_t *link)
{
    if (link->uart_events != NULL) (void)uart_driver_delete(port_of(link));
    link->uart_events = NULL;
}

int uart_link_read(link_t *link, uint8_t *bytes, size_t size)
{
    int count = uart_read_bytes(port_of(link), bytes, (uint32_t)size, 0);
    return count > 0 ? count : LINK_LATER;
}

int uart_link_write(link_t *link, const uint8_t *bytes, size_t length)
{
    size_t room = 0;
    if (uart_get_tx_buffer_free_size(port_of(link), &room) != ESP_OK || room == 0) return LINK_LATER;
    int count = uart_write_bytes(port_of(link), bytes, length < room ? length : room);
    return count > 0 ? count : LINK_LATER;
}

void uart_link_finish(link_t *link)
{
    (void)uart_wait_tx_done(port_of(link), clock_ticks(FINISH_TIMEOUT));
}

void uart_link_wait(link_t *link, bool writing, uint32_t timeout)
{
    uart_event_t event;
    size_t waiting = 0;
    if (writing && timeout > POLL_INTERVAL) timeout = POLL_INTERVAL;
    /* An event may stand for bytes that are read already, or the other way round. */
    if (uart_get_buffered_data_len(port_of(link), &waiting) == ESP_OK && waiting > 0) timeout = 0;
    while (xQueueReceive(link->uart_events, &event, clock_ticks(timeout)) == pdTRUE) {
        if (event.type == UART_FIFO_OVF || event.type == UART_BUFFER_FULL)
            ESP_LOGW(TAG, "UART %d: bytes were lost", link->uart_port);
        timeout = 0;
    }
}

void uart_link_wake(link_t *link)
{
    const uart_event_t nothing = {.type = UART_EVENT_MAX};
    (void)xQueueSend(link->uart_events, &nothing, 0);
}
#else
esp_err_t uart_link_init(link_t *link)
{
    (void)link;
    return ESP_ERR_NOT_SUPPORTED;
}

void uart_link_deinit(link_t *link)
{
    (void)link;
}

int uart_link_read(link_t *link, uint8_t *bytes, size_t size)
{
    (void)link;
    (void)bytes;
    (void)size;
    return LINK_LATER;
}

int uart_link_write(link_t *link, const uint8_t *bytes, size_t length)
{
    (void)link;
    (void)bytes;
    (void)length;
    return LINK_LATER;
}

void uart_link_finish(link_t *link)
{
    (void)link;
}

void uart_link_wait(link_t *link, bool writing, uint32_t timeout)
{
    (void)link;
    (void)writing;
    (void)timeout;
}

void uart_link_wake(link_t *link)
{
    (void)link;
}
#endif
