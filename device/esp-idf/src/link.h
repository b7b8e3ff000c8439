/**
 * What carries the bytes of a connection: a socket that does not block, or a UART. Used only where the connection is driven,
 * but for `link_wake`, which every task may call.
 */
#ifndef USMP_ESP_LINK_H
#define USMP_ESP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/semphr.h"

#include "url.h"

struct addrinfo;

/** How far opening has come. */
typedef enum link_progress { LINK_OPEN, LINK_OPENING, LINK_FAILED } link_progress_t;

/** In place of a number of bytes. */
enum {
    /** None now. */
    LINK_LATER = 0,
    /** None any more. */
    LINK_ENDED = -1
};

typedef struct link {
    usmp_transport_t transport;

    /* Sockets. */
    url_t url;
    int file;
    /** All addresses of the host while it is being connected to, and the one that is tried. */
    struct addrinfo *addresses;
    struct addrinfo *address;
    /** Counts attempts that failed: over UDP the next goes to another address. */
    uint8_t turn;
    /** Makes select() return: a socket that sends to itself; -1 where there is none. */
    int wake_file;
    /** On the target linux, where a task must not block in the operating system: what the connection waits on instead. */
    SemaphoreHandle_t wake;
    StaticSemaphore_t wake_memory;

    /* UART. */
    int uart_port;
    int uart_baud;
    int uart_tx_pin;
    int uart_rx_pin;
    /** Events of the driver; null while it is not installed. */
    QueueHandle_t uart_events;
} link_t;

/** Prepares what has been set: the URL, or the UART. @return errors of the UART's driver, or of esp_netif_init() */
esp_err_t link_init(link_t *link);

/** The opposite of `link_init`, also where that has failed. */
void link_deinit(link_t *link);

/** Begins to open; looks up names, which may take seconds. */
link_progress_t link_open(link_t *link);

/**
 * Goes on after LINK_OPENING.
 *
 * @param give_up this address takes too long: try the next
 */
link_progress_t link_go_on(link_t *link, bool give_up);

/** Bytes of a stream or line, or one datagram. @return how many, or one of the above */
int link_read(link_t *link, uint8_t *bytes, size_t size);

/** As many bytes as can be written now; a datagram is written whole. @return how many, or one of the above */
int link_write(link_t *link, const uint8_t *bytes, size_t length);

/** The last bytes are written. @return true: the other side should be given time to end, too */
bool link_finish(link_t *link);

/** Also where it is not open. A UART stays as it is. */
void link_close(link_t *link);

/**
 * Waits until there is something to read, or room to write, or `link_wake`.
 *
 * @param reading whether it is waited for input
 * @param writing whether it is waited for room, or for the end of LINK_OPENING
 * @param timeout in ms
 */
void link_wait(link_t *link, bool reading, bool writing, uint32_t timeout);

/** Lets `link_wait` return, or the next one. */
void link_wake(link_t *link);

/* One file for each kind, with the same functions. */
esp_err_t sockets_init(link_t *link);
void sockets_deinit(link_t *link);
link_progress_t sockets_open(link_t *link);
link_progress_t sockets_go_on(link_t *link, bool give_up);
int sockets_read(link_t *link, uint8_t *bytes, size_t size);
int sockets_write(link_t *link, const uint8_t *bytes, size_t length);
bool sockets_finish(link_t *link);
void sockets_close(link_t *link);
void sockets_wait(link_t *link, bool reading, bool writing, uint32_t timeout);
void sockets_wake(link_t *link);

esp_err_t uart_link_init(link_t *link);
void uart_link_deinit(link_t *link);
int uart_link_read(link_t *link, uint8_t *bytes, size_t size);
int uart_link_write(link_t *link, const uint8_t *bytes, size_t length);
void uart_link_finish(link_t *link);
void uart_link_wait(link_t *link, bool writing, uint32_t timeout);
void uart_link_wake(link_t *link);

#endif
