/**
 * usmp-client: a device, on a machine with POSIX. Read it from the top down: `run` is the loop that every program around the
 * core has, whatever carries the bytes; what is sent in the session is in conversation.c, what carries it in transport*.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client_options.h"
#include "clock.h"
#include "conversation.h"
#include "exit_code.h"
#include "stop.h"
#include "transport.h"
#include "usmp/usmp.h"

typedef struct client {
    client_options_t options;
    usmp_settings_t settings;
    transport_t transport;
    usmp_t usmp;
    conversation_t conversation;

    /** Bytes that have come and that the core has not taken yet: from `input_start` to `input_end`. */
    uint8_t input[1024];
    size_t input_start;
    size_t input_end;
    /** The transport takes nothing more until poll() says so. */
    bool congested;
    /** The session was open. */
    bool opened;
    int exit_code;
} client_t;

static bool begin(client_t *client);
static void run(client_t *client);
static void end(client_t *client);

int main(int argc, char **argv)
{
    static client_t client;
    (void)argc;
    client_options_parse(&client.options, argv + 1);
    if (begin(&client)) {
        run(&client);
        end(&client);
    }
    return client.exit_code;
}

static bool fail(client_t *client, int exit_code, const char *text)
{
    (void)fprintf(stderr, "usmp-client: %s\n", text);
    client->exit_code = exit_code;
    return false;
}

static bool fail_with(client_t *client, usmp_error_t error)
{
    problem_t problem;
    (void)problem_is(&problem, "%s: %s", usmp_error_code(error), usmp_strerror(error));
    return fail(client, exit_code_of(error), problem.text);
}

/** Opens the transport, and begins the handshake. */
static bool begin(client_t *client)
{
    const client_options_t *options = &client->options;
    problem_t problem;
    if (!stop_prepare()) return fail(client, EXIT_FAILED, strerror(errno));
    /* Ahead of the connection, so that HELLO follows it at once even where keys take seconds. */
    usmp_error_t error = usmp_prepare(&client->usmp);
    if (error != USMP_OK) return fail_with(client, error);
    if (!transport_open(&client->transport, &options->url, options->timeout, &problem)) {
        if (stop_wanted()) return false;
        problem_t unreachable;
        (void)problem_is(&unreachable, "%s: %.230s", usmp_error_code(USMP_ERROR_UNREACHABLE), problem.text);
        return fail(client, EXIT_UNREACHABLE, unreachable.text);
    }
    client->settings.transport = client->transport.kind;
    client->settings.psk = options->psk.bytes;
    client->settings.psk_length = options->psk.length;
    client->settings.handshake_timeout = options->handshake_timeout;
    memcpy(client->settings.device_id, options->device_id, sizeof client->settings.device_id);
    error = usmp_connect(&client->usmp, &client->settings, clock_now());
    return error == USMP_OK || fail_with(client, error);
}

static bool is_over(const client_t *client);
static void take_events(client_t *client);
static void go_on(client_t *client);
static bool write_out(client_t *client);
static void wait_for_something(client_t *client);
static void read_in(client_t *client);

static void run(client_t *client)
{
    for (;;) {
        take_events(client);
        go_on(client);
        bool written = write_out(client);
        if (is_over(client) || stop_at_once()) return;
        /* There is room for more. */
        if (written) continue;
        if (usmp_poll_timeout(&client->usmp, clock_now()) == 0) {
            /* Here, and nowhere else, a device computes its shared secret: HELLO_ACK is on its way by now. */
            usmp_handle_timeout(&client->usmp, clock_now());
            continue;
        }
        if (client->input_start == client->input_end) wait_for_something(client);
        read_in(client);
    }
}

/** BYE is written, and over UDP acknowledged. */
static bool is_over(const client_t *client)
{
    return usmp_state(&client->usmp) == USMP_STATE_CLOSED && !usmp_lingers(&client->usmp);
}

static void take_closed(client_t *client, usmp_error_t error)
{
    /* As we wanted it; why is known already. */
    if (error == USMP_ERROR_CLOSED || stop_wanted()) return;
    if (!client->opened || !client->conversation.over) (void)fail_with(client, error);
}

static void take_events(client_t *client)
{
    usmp_event_t event;
    while (usmp_poll_event(&client->usmp, &event)) {
        if (event.type == USMP_EVENT_OPEN) {
            client->opened = true;
            conversation_begin(&client->conversation, &client->options, &client->usmp, clock_now());
        } else if (event.type == USMP_EVENT_CLOSED) {
            take_closed(client, event.error);
        } else {
            conversation_take(&client->conversation, &event, clock_now());
        }
    }
}

static void go_on(client_t *client)
{
    usmp_state_t state = usmp_state(&client->usmp);
    if (state == USMP_STATE_OPEN && client->opened) {
        conversation_go_on(&client->conversation, clock_now());
        client->exit_code = client->conversation.exit_code;
    }
    bool done = client->opened && client->conversation.over;
    if ((done || stop_wanted()) && state != USMP_STATE_CLOSED) usmp_close(&client->usmp, clock_now());
}

/** @return whether any bytes have gone */
static bool write_out(client_t *client)
{
    const uint8_t *bytes;
    size_t length;
    bool any = false;
    client->congested = false;
    while ((bytes = usmp_poll_transmit(&client->usmp, clock_now(), &length)) != NULL) {
        int written = transport_write(&client->transport, bytes, length);
        if (written == TRANSPORT_ENDED) {
            usmp_handle_end(&client->usmp);
            return true;
        }
        client->congested = written == TRANSPORT_LATER;
        if (client->congested) return any;
        usmp_transmitted(&client->usmp, (size_t)written, clock_now());
        any = true;
    }
    return any;
}

static int earlier(uint32_t a, uint32_t b)
{
    uint32_t in = a < b ? a : b;
    return in > INT32_MAX ? -1 : (int)in;
}

static void wait_for_something(client_t *client)
{
    uint32_t now = clock_now();
    uint32_t conversation = client->opened ? conversation_timeout(&client->conversation, now) : USMP_NEVER;
    bool wants_stdin = client->opened && conversation_wants_stdin(&client->conversation);
    struct pollfd files[] = {
        {client->transport.file, (short)(client->congested ? POLLIN | POLLOUT : POLLIN), 0},
        {stop_file(), POLLIN, 0},
        {wants_stdin ? STDIN_FILENO : -1, POLLIN, 0},
    };
    if (poll(files, 3, earlier(usmp_poll_timeout(&client->usmp, now), conversation)) <= 0) return;
    if (files[1].revents != 0) stop_seen();
    if (files[2].revents != 0) lines_read(&client->conversation.lines);
}

/** The core takes fewer bytes than there are while it has something to tell: the rest is handed in when that is heard. */
static void read_in(client_t *client)
{
    if (client->input_start == client->input_end) {
        int count = transport_read(&client->transport, client->input, sizeof client->input);
        if (count == TRANSPORT_ENDED) usmp_handle_end(&client->usmp);
        client->input_start = 0;
        client->input_end = count > 0 ? (size_t)count : 0;
    }
    uint8_t *bytes = client->input + client->input_start;
    size_t length = client->input_end - client->input_start;
    if (length > 0) client->input_start += usmp_handle_input(&client->usmp, bytes, length, clock_now());
}

/** Nothing of the keys stays behind. */
static void end(client_t *client)
{
    transport_finish(&client->transport);
    transport_close(&client->transport);
    usmp_wipe(&client->usmp);
    usmp_crypto_wipe(&client->options.psk, sizeof client->options.psk);
    /* What is printed is flushed at once, so that only the flag still knows that it could not be. */
    bool printed = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (!printed && client->exit_code == EXIT_DONE) (void)fail(client, EXIT_FAILED, "cannot write to standard output");
}
