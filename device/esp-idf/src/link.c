#include "link.h"

static bool is_uart(const link_t *link)
{
    return link->transport == USMP_TRANSPORT_SERIAL;
}

esp_err_t link_init(link_t *link)
{
    return is_uart(link) ? uart_link_init(link) : sockets_init(link);
}

void link_deinit(link_t *link)
{
    if (is_uart(link)) uart_link_deinit(link);
    else sockets_deinit(link);
}

/** A UART is open as long as its driver is installed. */
link_progress_t link_open(link_t *link)
{
    return is_uart(link) ? LINK_OPEN : sockets_open(link);
}

link_progress_t link_go_on(link_t *link, bool give_up)
{
    return sockets_go_on(link, give_up);
}

int link_read(link_t *link, uint8_t *bytes, size_t size)
{
    return is_uart(link) ? uart_link_read(link, bytes, size) : sockets_read(link, bytes, size);
}

int link_write(link_t *link, const uint8_t *bytes, size_t length)
{
    return is_uart(link) ? uart_link_write(link, bytes, length) : sockets_write(link, bytes, length);
}

bool link_finish(link_t *link)
{
    if (!is_uart(link)) return sockets_finish(link);
    uart_link_finish(link);
    return false;
}

void link_close(link_t *link)
{
    if (!is_uart(link)) sockets_close(link);
}

void link_wait(link_t *link, bool reading, bool writing, uint32_t timeout)
{
    if (is_uart(link)) uart_link_wait(link, writing, timeout);
    else sockets_wait(link, reading, writing, timeout);
}

void link_wake(link_t *link)
{
    if (is_uart(link)) uart_link_wake(link);
    else sockets_wake(link);
}
