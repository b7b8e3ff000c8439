#include "link.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

/** How long the other side of a stream may take to close after us. Milliseconds. */
#define FINISH_TIMEOUT 1000u

static bool is_line(const link_t *link)
{
    return link->transport.kind == USMP_TRANSPORT_SERIAL;
}

static size_t count_of(const link_t *link)
{
    return is_line(link) ? 2 : 1;
}

void link_begin(link_t *link, hub_t *hub, const transport_t *transport, const char *peer)
{
    const usmp_settings_t *settings = &hub->settings[transport->kind];
    memset(link, 0, sizeof *link);
    link->transport = *transport;
    (void)snprintf(link->peer, sizeof link->peer, "%s", peer);
    if (is_line(link)) {
        for (size_t i = 0; i < 2; i++) session_begin(&link->sessions[i], &link->line.peers[i], peer);
        /* Fails without a decoy key alone. */
        (void)!usmp_serial_endpoint_begin(&link->line, settings, clock_now());
    } else {
        session_begin(&link->sessions[0], &link->usmp, peer);
        (void)!usmp_accept(&link->usmp, settings, clock_now());
    }
}

void link_end(link_t *link)
{
    if (link->transport.file < 0) return;
    for (size_t i = 0; i < count_of(link); i++) usmp_wipe(link->sessions[i].usmp);
    transport_close(&link->transport);
}

/* ── What goes out ───────────────────────────────────────────────────────────────────────────────────────────────── */

static const uint8_t *poll_transmit(link_t *link, size_t *length)
{
    uint32_t now = clock_now();
    return is_line(link) ? usmp_serial_endpoint_poll_transmit(&link->line, now, length)
                         : usmp_poll_transmit(&link->usmp, now, length);
}

static void transmitted(link_t *link, size_t length)
{
    if (is_line(link)) usmp_serial_endpoint_transmitted(&link->line, length, clock_now());
    else usmp_transmitted(&link->usmp, length, clock_now());
}

static void write_out(link_t *link)
{
    const uint8_t *bytes;
    size_t length;
    link->congested = false;
    while ((bytes = poll_transmit(link, &length)) != NULL) {
        int written = transport_write(&link->transport, bytes, length);
        link->congested = written == TRANSPORT_LATER;
        if (link->congested) return;
        transmitted(link, (size_t)written);
    }
}

/** Events make output, and what is written makes room for echoes. */
static void drain(link_t *link, hub_t *hub)
{
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < count_of(link); i++) session_take_events(&link->sessions[i], hub);
        write_out(link);
        for (size_t i = 0; i < count_of(link); i++) {
            usmp_t *usmp = link->sessions[i].usmp;
            again |= session_has_echoes(&link->sessions[i]) && !link->congested;
            if (usmp_poll_timeout(usmp, clock_now()) > 0) continue;
            usmp_handle_timeout(usmp, clock_now());
            again = true;
        }
    }
}

/* ── What comes in ───────────────────────────────────────────────────────────────────────────────────────────────── */

/** @return false when nothing more will come */
static bool read_in(link_t *link)
{
    if (link->input_start < link->input_end) return true;
    int count = transport_read(&link->transport, link->input, sizeof link->input);
    link->input_start = 0;
    link->input_end = count > 0 ? (size_t)count : 0;
    return count != TRANSPORT_ENDED;
}

/** @return whether the core has taken any of it */
static bool hand_in(link_t *link)
{
    uint8_t *bytes = link->input + link->input_start;
    size_t length = link->input_end - link->input_start;
    if (length == 0) return false;
    size_t taken = is_line(link) ? usmp_serial_endpoint_handle_input(&link->line, bytes, length, clock_now())
                                 : usmp_handle_input(&link->usmp, bytes, length, clock_now());
    link->input_start += taken;
    return taken > 0;
}

static void report_strays(link_t *link)
{
    if (!is_line(link) || link->line.strays == link->strays) return;
    link->strays = link->line.strays;
    report_stray(link->peer);
}

/** The session of a stream is over and all of it written: goes on reading, so that closing throws nothing away. */
static void finish(link_t *link)
{
    if (is_line(link) || usmp_state(&link->usmp) != USMP_STATE_CLOSED || usmp_lingers(&link->usmp)) return;
    if (!link->finishing) {
        link->finishing = true;
        link->finish_by = clock_now() + FINISH_TIMEOUT;
        tcp_say_end(&link->transport);
    }
    if ((int32_t)(link->finish_by - clock_now()) <= 0) link_end(link);
}

void link_run(link_t *link, hub_t *hub)
{
    if (link->transport.file < 0) return;
    drain(link, hub);
    /* One piece at a time: the others have a turn as well. */
    bool goes_on = read_in(link);
    while (hand_in(link)) drain(link, hub);
    report_strays(link);
    if (goes_on) {
        finish(link);
        return;
    }
    for (size_t i = 0; i < count_of(link); i++) usmp_handle_end(link->sessions[i].usmp);
    drain(link, hub);
    link_end(link);
}

/** While there is no room for what has come already, nothing more is read. */
struct pollfd link_files(const link_t *link)
{
    short in = link->input_start == link->input_end ? POLLIN : 0;
    short out = link->congested ? POLLOUT : 0;
    return (struct pollfd){link->transport.file, (short)(in | out), 0};
}

uint32_t link_timeout(const link_t *link, uint32_t now)
{
    uint32_t earliest = USMP_NEVER;
    if (link->transport.file < 0) return USMP_NEVER;
    for (size_t i = 0; i < count_of(link); i++) {
        uint32_t in = usmp_poll_timeout(link->sessions[i].usmp, now);
        if (in < earliest) earliest = in;
    }
    if (!link->finishing) return earliest;
    int32_t left = (int32_t)(link->finish_by - now);
    return left > 0 ? (uint32_t)left : 0;
}

void link_close(link_t *link)
{
    if (link->transport.file < 0) return;
    for (size_t i = 0; i < count_of(link); i++) usmp_close(link->sessions[i].usmp, clock_now());
}

bool link_is_silent(const link_t *link)
{
    bool silent = true;
    if (link->transport.file < 0) return true;
    for (size_t i = 0; i < count_of(link); i++) {
        const usmp_t *usmp = link->sessions[i].usmp;
        silent &= usmp_state(usmp) == USMP_STATE_IDLE || (usmp_state(usmp) == USMP_STATE_CLOSED && !usmp_lingers(usmp));
    }
    return silent && is_line(link);
}
