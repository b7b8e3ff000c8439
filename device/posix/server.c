/**
 * usmp-server: a hub for a handful of devices, on a machine with POSIX. Read it from the top down: here are the doors, in session.c
 * is what is done with a device that has come in, in link.c and datagram_door.c how its bytes get to the core and back.
 *
 * There are so few devices that all of them have a turn whenever anything happens.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "datagram_door.h"
#include "exit_code.h"
#include "link.h"
#include "listener.h"
#include "server_options.h"
#include "stop.h"

/** The first ones belong to the doors of the same number, should they be ports. */
#define MAX_LINKS (MAX_LISTENERS + 12u)

/** How long a port that is gone is left alone before it is tried again. Milliseconds. */
#define REOPEN_INTERVAL 1000u

/** One `--listen`. */
typedef struct door {
    const url_t *url;
    /** Of TCP and `serial+tcp`. */
    int file;
    /** Of a serial port: its link, and when to try again while it is gone. */
    link_t *port;
    uint32_t reopen_at;
} door_t;

typedef struct server {
    server_options_t options;
    hub_t hub;
    door_t doors[MAX_LISTENERS];
    size_t door_count;
    link_t links[MAX_LINKS];
    datagram_door_t datagrams;
    bool has_datagrams;
    bool closing;
} server_t;

static bool open_door(server_t *server, const url_t *url, problem_t *problem);
static void run(server_t *server);
static void end(server_t *server);

int main(int argc, char **argv)
{
    static server_t server;
    problem_t problem;
    (void)argc;
    server_options_parse(&server.options, argv + 1);
    for (size_t i = 0; i < MAX_LINKS; i++) server.links[i].transport.file = -1;
    bool ready = (stop_prepare() || problem_is(&problem, "%s", strerror(errno))) &&
                 (hub_begin(&server.hub, &server.options) || problem_is(&problem, "this machine has no entropy"));
    for (size_t i = 0; i < server.options.listen_count && ready; i++) {
        ready = open_door(&server, &server.options.listen[i], &problem);
    }
    if (ready) run(&server);
    else (void)fprintf(stderr, "usmp-server: %s\n", problem.text);
    end(&server);
    if (ready && ferror(stdout)) {
        (void)fputs("usmp-server: cannot write to standard output\n", stderr);
        ready = false;
    }
    return ready ? EXIT_DONE : EXIT_FAILED;
}

/* ── Doors ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static link_t *free_link(server_t *server)
{
    for (size_t i = MAX_LISTENERS; i < MAX_LINKS; i++) {
        if (server->links[i].transport.file < 0) return &server->links[i];
    }
    return NULL;
}

static bool open_port(server_t *server, door_t *door, problem_t *problem)
{
    transport_t transport;
    if (!transport_open(&transport, door->url, 0, problem)) return false;
    door->port = &server->links[door - server->doors];
    link_begin(door->port, &server->hub, &transport, door->url->host);
    return true;
}

static bool open_socket_door(server_t *server, door_t *door, problem_t *problem)
{
    char name[SOCKET_NAME];
    if (door->url->scheme == URL_UDP && server->has_datagrams) return problem_is(problem, "one --listen udp://HOST:PORT is all there can be");
    door->file = listener_open(door->url, name, problem);
    if (door->file < 0) return false;
    if (door->url->scheme == URL_UDP) {
        server->has_datagrams = true;
        if (!datagram_door_begin(&server->datagrams, &server->hub, door->file)) return problem_is(problem, "this machine has no entropy");
    }
    (void)printf("listening %s://%s\n", url_scheme_name(door->url->scheme), name);
    return true;
}

static bool open_door(server_t *server, const url_t *url, problem_t *problem)
{
    door_t *door = &server->doors[server->door_count++];
    bool is_port = url->scheme == URL_SERIAL;
    *door = (door_t){url, -1, NULL, 0};
    bool opened = is_port ? open_port(server, door, problem) : open_socket_door(server, door, problem);
    if (opened && is_port) (void)printf("listening serial:%s?baud=%lu\n", url->host, (unsigned long)url->baud);
    (void)fflush(stdout);
    return opened;
}

/** Where all places are taken the connection is closed at once, which its client knows as `turned_away`. */
static void let_in(server_t *server, const door_t *door)
{
    transport_t transport;
    char name[SOCKET_NAME];
    while (!server->closing && listener_accept(door->file, &transport, name)) {
        link_t *link = free_link(server);
        transport.kind = door->url->scheme == URL_TCP ? USMP_TRANSPORT_STREAM : USMP_TRANSPORT_SERIAL;
        if (link != NULL) link_begin(link, &server->hub, &transport, name);
        else transport_close(&transport);
    }
}

/** That a port is still unplugged is no news to anybody. */
static void keep_open(server_t *server, door_t *door)
{
    problem_t problem;
    if (door->port->transport.file >= 0 || server->closing) {
        door->reopen_at = clock_now() + REOPEN_INTERVAL;
    } else if ((int32_t)(door->reopen_at - clock_now()) <= 0) {
        door->reopen_at = clock_now() + REOPEN_INTERVAL;
        (void)open_port(server, door, &problem);
    }
}

/* ── The loop ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void run_all(server_t *server)
{
    for (size_t i = 0; i < server->door_count; i++) {
        door_t *door = &server->doors[i];
        if (door->url->scheme == URL_SERIAL) keep_open(server, door);
        else if (door->url->scheme != URL_UDP) let_in(server, door);
    }
    for (size_t i = 0; i < MAX_LINKS; i++) link_run(&server->links[i], &server->hub);
    if (server->has_datagrams) datagram_door_run(&server->datagrams, &server->hub);
}

static void close_all(server_t *server)
{
    server->closing = true;
    for (size_t i = 0; i < MAX_LINKS; i++) link_close(&server->links[i]);
    if (server->has_datagrams) datagram_door_close(&server->datagrams);
}

static bool is_silent(const server_t *server)
{
    bool silent = !server->has_datagrams || datagram_door_is_silent(&server->datagrams);
    for (size_t i = 0; i < MAX_LINKS; i++) silent = silent && link_is_silent(&server->links[i]);
    return silent;
}

/** Milliseconds, or -1 for never. */
static int timeout_of(const server_t *server)
{
    uint32_t now = clock_now();
    uint32_t earliest = server->has_datagrams ? datagram_door_timeout(&server->datagrams, now) : USMP_NEVER;
    for (size_t i = 0; i < MAX_LINKS; i++) {
        uint32_t in = link_timeout(&server->links[i], now);
        if (in < earliest) earliest = in;
    }
    for (size_t i = 0; i < server->door_count; i++) {
        const link_t *port = server->doors[i].port;
        if (port != NULL && port->transport.file < 0 && earliest > REOPEN_INTERVAL) earliest = REOPEN_INTERVAL;
    }
    return earliest > INT32_MAX ? -1 : (int)earliest;
}

static void wait_for_something(const server_t *server)
{
    struct pollfd files[1 + MAX_LISTENERS + MAX_LINKS];
    nfds_t count = 0;
    files[count++] = (struct pollfd){stop_file(), POLLIN, 0};
    for (size_t i = 0; i < server->door_count; i++) files[count++] = (struct pollfd){server->doors[i].file, POLLIN, 0};
    for (size_t i = 0; i < MAX_LINKS; i++) files[count++] = link_files(&server->links[i]);
    if (poll(files, count, timeout_of(server)) > 0 && files[0].revents != 0) stop_seen();
}

static void run(server_t *server)
{
    for (;;) {
        run_all(server);
        /* Not on and on with messages that nobody gets to see. */
        bool done = stop_wanted() || ferror(stdout) || (server->options.once && server->hub.ended > 0);
        if (done && !server->closing) {
            close_all(server);
            continue;
        }
        if (stop_at_once() || (server->closing && is_silent(server))) return;
        wait_for_something(server);
    }
}

static void end(server_t *server)
{
    for (size_t i = 0; i < MAX_LINKS; i++) link_end(&server->links[i]);
    for (size_t i = 0; i < server->door_count; i++) {
        if (server->doors[i].url->scheme != URL_UDP && server->doors[i].file >= 0) (void)close(server->doors[i].file);
    }
    if (server->has_datagrams) datagram_door_end(&server->datagrams);
    usmp_crypto_wipe(&server->options.psk, sizeof server->options.psk);
}
