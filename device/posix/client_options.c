#include "client_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "device_id.h"
#include "exit_code.h"
#include "usmp/usmp.h"

#define DEFAULT_TIMEOUT 5000u
#define DEFAULT_WINDOW 8u
#define MAX_WINDOW 64u
#define MANY 1000000u

static const char HELP[] =
    "Usage: usmp-client [options] URL\n"
    "\n"
    "A device: sends messages and waits for one reply to each. Unless an option says what\n"
    "to do, the messages are the lines of standard input.\n"
    "\n"
    "Options:\n"
    "  --psk TEXT                 pre-shared key\n"
    "  --psk-file FILE            file that holds the pre-shared key\n"
    "  --device-id ID             six bytes like aa:bb:cc:dd:ee:ff (default: random)\n"
    "  --timeout SECONDS          wait this long for a connection and for a reply (default: 5)\n"
    "  --handshake-timeout SECONDS  for the whole handshake (default: 10, serial 30)\n"
    "  --send TEXT                message to send; repeatable\n"
    "  --no-reply                 wait for no replies\n"
    "  --listen-for SECONDS       print what comes for so long, after everything else\n"
    "  --ping                     measure a round trip\n"
    "  --echo-check N             send N messages of many sizes; exit 1 unless each comes back\n"
    "                             once, unchanged and in order\n"
    "  --echo-size BYTES          of messages no longer than this (default: as long as can be)\n"
    "  --window N                 echoes that may be due at once, 1 to 64 (default: 8)\n"
    "  --rekey                    change the keys, in the middle of an echo check\n"
    "  --rekey-force              the same over UDP after 64 frames, which released peers lose\n"
    "  --version                  display the version\n"
    "  --help                     display help\n"
    "\n" URL_HELP "\n"
    "Keys are at least 16 bytes: text, or bytes written as hex:... or base64:...\n"
    "One given by --psk can be seen in the list of processes: prefer --psk-file.\n"
    "Without either the environment variable USMP_PSK is used.\n"
    "\n" EXIT_CODES_HELP "\n"
    "Example:\n"
    "  usmp-client --psk-file key.txt --send hello tcp://127.0.0.1:9000\n";

enum {
    PSK,
    PSK_FILE,
    DEVICE_ID,
    TIMEOUT,
    HANDSHAKE_TIMEOUT,
    SEND,
    NO_REPLY,
    LISTEN_FOR,
    PING,
    ECHO_CHECK,
    ECHO_SIZE,
    WINDOW,
    REKEY,
    REKEY_FORCE,
    VERSION_WANTED,
    HELP_WANTED
};

static const option_t OPTIONS[] = {
    [PSK] = {"--psk", true},
    [PSK_FILE] = {"--psk-file", true},
    [DEVICE_ID] = {"--device-id", true},
    [TIMEOUT] = {"--timeout", true},
    [HANDSHAKE_TIMEOUT] = {"--handshake-timeout", true},
    [SEND] = {"--send", true},
    [NO_REPLY] = {"--no-reply", false},
    [LISTEN_FOR] = {"--listen-for", true},
    [PING] = {"--ping", false},
    [ECHO_CHECK] = {"--echo-check", true},
    [ECHO_SIZE] = {"--echo-size", true},
    [WINDOW] = {"--window", true},
    [REKEY] = {"--rekey", false},
    [REKEY_FORCE] = {"--rekey-force", false},
    [VERSION_WANTED] = {"--version", false},
    [HELP_WANTED] = {"--help", false},
    {NULL, false},
};

/** What is put together only when all arguments are known. */
typedef struct found {
    const char *url;
    const char *psk;
    const char *psk_file;
    const char *device_id;
} found_t;

static bool take_message(client_options_t *options, const char *text, problem_t *problem)
{
    if (strlen(text) > USMP_MAX_MESSAGE)
        return problem_is(problem, "--send: %zu bytes, but a message has at most %d: send it in parts", strlen(text), USMP_MAX_MESSAGE);
    const char **longer = realloc(options->messages, (options->message_count + 1) * sizeof *longer);
    if (longer == NULL) return problem_is(problem, "out of memory");
    options->messages = longer;
    options->messages[options->message_count++] = text;
    return true;
}

static bool take_option(client_options_t *options, found_t *found, int option, const char *value, problem_t *problem)
{
    const char *name = OPTIONS[option].name;
    switch (option) {
    case PSK: found->psk = value; return true;
    case PSK_FILE: found->psk_file = value; return true;
    case DEVICE_ID: found->device_id = value; return true;
    case TIMEOUT: return parse_seconds(&options->timeout, name, value, problem);
    case HANDSHAKE_TIMEOUT: return parse_seconds(&options->handshake_timeout, name, value, problem);
    case SEND: return take_message(options, value, problem);
    case NO_REPLY: options->no_reply = true; return true;
    case LISTEN_FOR: return parse_seconds(&options->listen_for, name, value, problem);
    case PING: options->ping = true; return true;
    case ECHO_CHECK: return parse_count(&options->echo_count, MANY, name, value, problem);
    case ECHO_SIZE: return parse_count(&options->echo_size, USMP_MAX_MESSAGE, name, value, problem);
    case WINDOW: return parse_count(&options->echo_window, MAX_WINDOW, name, value, problem);
    case REKEY: options->rekey = true; return true;
    case REKEY_FORCE: options->rekey = options->rekey_forced = true; return true;
    case VERSION_WANTED: (void)puts(USMP_VERSION_STRING); exit(EXIT_DONE);
    default: (void)fputs(HELP, stdout); exit(EXIT_DONE);
    }
}

/** What only an echo check asks for. */
static bool complete_echo(client_options_t *options, problem_t *problem)
{
    const char *vain = options->echo_window != 0 ? "--window" : options->echo_size != 0 ? "--echo-size" : NULL;
    if (options->echo_count == 0 && vain != NULL) return problem_is(problem, "%s is for an echo check: add --echo-check N", vain);
    if (options->echo_window == 0) options->echo_window = DEFAULT_WINDOW;
    if (options->echo_size == 0) options->echo_size = USMP_MAX_MESSAGE;
    return true;
}

static bool complete(client_options_t *options, const found_t *found, problem_t *problem)
{
    if (found->url == NULL) return problem_is(problem, "no URL: name the server, such as tcp://127.0.0.1:9000");
    if (!url_parse(&options->url, found->url, problem)) return false;
    if (strcmp(options->url.port, "0") == 0) return problem_is(problem, "port 0 cannot be connected to");
    if (found->psk != NULL && found->psk_file != NULL) return problem_is(problem, "--psk cannot be used with --psk-file");
    if (!complete_echo(options, problem) || !psk_resolve(&options->psk, found->psk, found->psk_file, problem)) return false;
    options->lines_of_stdin = options->message_count == 0 && options->echo_count == 0 && options->listen_for == 0 &&
                              !options->ping && !options->rekey;
    if (found->device_id == NULL) return device_id_invent(options->device_id) || problem_is(problem, "this machine has no entropy");
    if (device_id_parse(options->device_id, found->device_id)) return true;
    return problem_is(problem, "\"%s\" is not a device id: write it like aa:bb:cc:dd:ee:ff", found->device_id);
}

static bool parse(client_options_t *options, arguments_t arguments, problem_t *problem)
{
    found_t found = {NULL, NULL, NULL, NULL};
    for (;;) {
        const char *value;
        int option = arguments_next(&arguments, OPTIONS, &value, problem);
        if (option == ARGUMENT_WRONG) return false;
        if (option == ARGUMENT_END) return complete(options, &found, problem);
        if (option == ARGUMENT_PLAIN) {
            if (found.url != NULL) return problem_is(problem, "too many arguments: \"%s\" comes after the URL \"%s\"", value, found.url);
            found.url = value;
        } else if (!take_option(options, &found, option, value, problem)) {
            return false;
        }
    }
}

void client_options_parse(client_options_t *options, char **arguments)
{
    problem_t problem;
    memset(options, 0, sizeof *options);
    options->timeout = DEFAULT_TIMEOUT;
    if (parse(options, (arguments_t){arguments, false}, &problem)) return;
    (void)fprintf(stderr, "usmp-client: %s\n", problem.text);
    exit(EXIT_USAGE);
}
