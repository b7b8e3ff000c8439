/** TCP and UDP, over lwIP, or over the sockets of the host on the target linux. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#include "clock.h"
#include "freertos/task.h"
#include "link.h"

#if !CONFIG_IDF_TARGET_LINUX
#include "esp_netif.h"
#endif

/** A stream that is broken says so by an error, not by a signal. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/** Where no socket could be had to wake the connection by, it looks for work this often. Milliseconds. */
#define POLL_INTERVAL 50u

#define NO_FILE (-1)

static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool is_datagrams(const link_t *link)
{
    return link->transport == USMP_TRANSPORT_DATAGRAM;
}

static void close_file(int *file)
{
    if (*file >= 0) (void)close(*file);
    *file = NO_FILE;
}

/** One that select() cannot take is of no use. */
static bool unblock(int file)
{
    if (file >= (int)FD_SETSIZE) return false;
    int flags = fcntl(file, F_GETFL, 0);
    return flags >= 0 && fcntl(file, F_SETFL, flags | O_NONBLOCK) >= 0;
}

/* ── Waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct timeval *time_of(struct timeval *time, uint32_t milliseconds)
{
    if (milliseconds == UINT32_MAX) return NULL;
    time->tv_sec = (time_t)(milliseconds / 1000u);
    time->tv_usec = (suseconds_t)(milliseconds % 1000u * 1000u);
    return time;
}

/** @return whether something is ready */
static bool ready(const link_t *link, bool reading, bool writing, uint32_t timeout)
{
    fd_set read_files, write_files;
    struct timeval time;
    int highest = NO_FILE;
    FD_ZERO(&read_files);
    FD_ZERO(&write_files);
    if (link->file >= 0 && reading) FD_SET(link->file, &read_files);
    if (link->file >= 0 && writing) FD_SET(link->file, &write_files);
    if (link->file >= 0 && (reading || writing)) highest = link->file;
    if (link->wake_file >= 0) FD_SET(link->wake_file, &read_files);
    if (link->wake_file > highest) highest = link->wake_file;
    return select(highest + 1, &read_files, &write_files, NULL, time_of(&time, timeout)) > 0;
}

#if CONFIG_IDF_TARGET_LINUX
/*
 * The simulated FreeRTOS does not know that a task waits in the operating system: tasks of lower priority, or all others, would
 * not run meanwhile. So the socket is looked at once a tick, and what is waited on belongs to FreeRTOS.
 */
static esp_err_t make_wake(link_t *link)
{
    link->wake = xSemaphoreCreateBinaryStatic(&link->wake_memory);
    return ESP_OK;
}

void sockets_wait(link_t *link, bool reading, bool writing, uint32_t timeout)
{
    uint32_t deadline = clock_now() + timeout;
    for (;;) {
        if (ready(link, reading, writing, 0)) {
            /* Others run in between, however much there is to do. */
            (void)xSemaphoreTake(link->wake, 0);
            return;
        }
        if (timeout != UINT32_MAX && clock_until(deadline, clock_now()) == 0) return;
        if (xSemaphoreTake(link->wake, 1) == pdTRUE) return;
    }
}

void sockets_wake(link_t *link)
{
    xSemaphoreGive(link->wake);
}
#else
/** A datagram that a socket sends to itself: what select() and every task know. No interface needs to be up for it. */
static esp_err_t make_wake(link_t *link)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    esp_err_t result = esp_netif_init();
    if (result != ESP_OK) return result;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->wake_file = socket(AF_INET, SOCK_DGRAM, 0);
    if (link->wake_file < 0 || bind(link->wake_file, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(link->wake_file, (struct sockaddr *)&address, &length) != 0 ||
        connect(link->wake_file, (struct sockaddr *)&address, length) != 0 || !unblock(link->wake_file)) {
        ESP_LOGW(TAG, "no socket to be woken by (errno %d): looking for work every %u ms", errno, POLL_INTERVAL);
        close_file(&link->wake_file);
    }
    return ESP_OK;
}

void sockets_wait(link_t *link, bool reading, bool writing, uint32_t timeout)
{
    uint8_t bytes[8];
    bool nothing_to_watch = link->wake_file < 0 && (link->file < 0 || !(reading || writing));
    if (link->wake_file < 0 && timeout > POLL_INTERVAL) timeout = POLL_INTERVAL;
    if (nothing_to_watch) vTaskDelay(clock_ticks(timeout));
    else (void)ready(link, reading, writing, timeout);
    if (link->wake_file < 0) return;
    while (recv(link->wake_file, bytes, sizeof bytes, 0) > 0) {
    }
}

void sockets_wake(link_t *link)
{
    const uint8_t byte = 0;
    /* Where it does not fit, enough others wait. */
    if (link->wake_file >= 0) (void)send(link->wake_file, &byte, sizeof byte, MSG_DONTWAIT);
}
#endif

esp_err_t sockets_init(link_t *link)
{
    link->file = link->wake_file = NO_FILE;
    return make_wake(link);
}

void sockets_deinit(link_t *link)
{
    sockets_close(link);
    close_file(&link->wake_file);
    if (link->wake != NULL) vSemaphoreDelete(link->wake);
    link->wake = NULL;
}

/* ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void forget_addresses(link_t *link)
{
    if (link->addresses != NULL) freeaddrinfo(link->addresses);
    link->addresses = link->address = NULL;
}

static void log_failure(const link_t *link, int error)
{
    ESP_LOGD(TAG, "no way to %s:%s: errno %d", link->url.host, link->url.port, error);
}

/** Tries this address, and as long as that fails at once, those behind it. */
static link_progress_t try_addresses(link_t *link)
{
    for (; link->address != NULL; link->address = link->address->ai_next) {
        const struct addrinfo *address = link->address;
        link->file = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
        if (link->file >= 0 && unblock(link->file)) {
            if (connect(link->file, address->ai_addr, address->ai_addrlen) == 0) {
                forget_addresses(link);
                return LINK_OPEN;
            }
            if (errno == EINPROGRESS || errno == EINTR) return LINK_OPENING;
        }
        log_failure(link, errno);
        close_file(&link->file);
    }
    forget_addresses(link);
    return LINK_FAILED;
}

/** TCP sends a message when it is there, not when more come. */
static link_progress_t opened(const link_t *link, link_progress_t progress)
{
    const int on = 1;
    if (progress == LINK_OPEN && !is_datagrams(link))
        (void)setsockopt(link->file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return progress;
}

/** That nobody answers is known to UDP only when the handshake has failed: then it is another one's turn. */
static struct addrinfo *choose_address(const link_t *link)
{
    struct addrinfo *address = link->addresses;
    for (uint8_t i = 0; is_datagrams(link) && i < link->turn; i++)
        address = address->ai_next != NULL ? address->ai_next : link->addresses;
    return address;
}

link_progress_t sockets_open(link_t *link)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = is_datagrams(link) ? SOCK_DGRAM : SOCK_STREAM,
    };
    sockets_close(link);
    int error = getaddrinfo(link->url.host, link->url.port, &hints, &link->addresses);
    if (error != 0 || link->addresses == NULL) {
        ESP_LOGD(TAG, "no address of %s: error %d", link->url.host, error);
        link->addresses = NULL;
        return LINK_FAILED;
    }
    link->address = choose_address(link);
    return opened(link, try_addresses(link));
}

static bool is_writable(int file)
{
    fd_set files;
    struct timeval at_once = {0};
    FD_ZERO(&files);
    FD_SET(file, &files);
    return select(file + 1, NULL, &files, NULL, &at_once) > 0;
}

link_progress_t sockets_go_on(link_t *link, bool give_up)
{
    int error = ETIMEDOUT;
    if (!give_up) {
        socklen_t length = sizeof error;
        if (!is_writable(link->file)) return LINK_OPENING;
        if (getsockopt(link->file, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    }
    if (error == 0) {
        forget_addresses(link);
        return opened(link, LINK_OPEN);
    }
    log_failure(link, error);
    close_file(&link->file);
    link->address = link->address->ai_next;
    return opened(link, try_addresses(link));
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A datagram socket reports here that nobody listens at the other end (ECONNREFUSED). */
int sockets_read(link_t *link, uint8_t *bytes, size_t size)
{
    ssize_t count = recv(link->file, bytes, size, MSG_DONTWAIT);
    if (count > 0) return (int)count;
    if (count < 0) return is_for_later(errno) ? LINK_LATER : LINK_ENDED;
    /* An empty datagram is no end. */
    return is_datagrams(link) ? LINK_LATER : LINK_ENDED;
}

/**
 * Where a stream is broken the bytes are dropped: reading tells, once it has given what came before. What a network cannot take
 * as a datagram is lost, as any may be; it is sent again.
 */
int sockets_write(link_t *link, const uint8_t *bytes, size_t length)
{
    ssize_t count = send(link->file, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return is_datagrams(link) ? (int)length : (int)count;
    if (is_for_later(errno)) return LINK_LATER;
    return is_datagrams(link) && errno == ECONNREFUSED ? LINK_ENDED : (int)length;
}

/** To close a socket in which bytes wait to be read makes TCP throw away what it has not sent yet: BYE. */
bool sockets_finish(link_t *link)
{
    return !is_datagrams(link) && link->file >= 0 && shutdown(link->file, SHUT_WR) == 0;
}

void sockets_close(link_t *link)
{
    forget_addresses(link);
    close_file(&link->file);
}
