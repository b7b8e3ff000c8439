#include "server_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "device_id.h"
#include "exit_code.h"
#include "usmp/usmp.h"

#define DEFAULT_LISTEN "tcp://0.0.0.0:9000"

static const char HELP[] =
    "Usage: usmp-server [options]\n"
    "\n"
    "A hub for a handful of devices: prints what they send, or sends it back.\n"
    "\n"
    "Options:\n"
    "  --listen URL               where to listen; repeatable (default: " DEFAULT_LISTEN ")\n"
    "  --psk TEXT                 pre-shared key\n"
    "  --psk-file FILE            file that holds the pre-shared key\n"
    "  --device-id ID             who may come in; repeatable (default: whoever has the key)\n"
    "  --echo                     send every message back instead of printing it\n"
    "  --once                     end with the first session\n"
    "  --handshake-timeout SECONDS  for a whole handshake (default: 10, serial 30)\n"
    "  --idle-timeout SECONDS     end a session that nothing was heard of (default: 60)\n"
    "  --version                  display the version\n"
    "  --help                     display help\n"
    "\n" URL_HELP "\n"
    "Keys are at least 16 bytes: text, or bytes written as hex:... or base64:...\n"
    "One given by --psk can be seen in the list of processes: prefer --psk-file.\n"
    "Without either the environment variable USMP_PSK is used.\n"
    "SIGTERM and Ctrl-C say BYE to all devices; a second one ends at once.\n"
    "\n"
    "Example:\n"
    "  usmp-server --listen tcp://0.0.0.0:9000 --psk-file key.txt --echo\n";

enum { LISTEN, PSK, PSK_FILE, DEVICE_ID, ECHO_WANTED, ONCE, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, VERSION_WANTED, HELP_WANTED };

static const option_t OPTIONS[] = {
    [LISTEN] = {"--listen", true},
    [PSK] = {"--psk", true},
    [PSK_FILE] = {"--psk-file", true},
    [DEVICE_ID] = {"--device-id", true},
    [ECHO_WANTED] = {"--echo", false},
    [ONCE] = {"--once", false},
    [HANDSHAKE_TIMEOUT] = {"--handshake-timeout", true},
    [IDLE_TIMEOUT] = {"--idle-timeout", true},
    [VERSION_WANTED] = {"--version", false},
    [HELP_WANTED] = {"--help", false},
    {NULL, false},
};

typedef struct found {
    const char *psk;
    const char *psk_file;
} found_t;

static bool take_listener(server_options_t *options, const char *text, problem_t *problem)
{
    if (options->listen_count == MAX_LISTENERS) return problem_is(problem, "--listen can be given %u times", MAX_LISTENERS);
    return url_parse(&options->listen[options->listen_count++], text, problem);
}

static bool take_device(server_options_t *options, const char *text, problem_t *problem)
{
    if (options->device_count == MAX_DEVICES) return problem_is(problem, "--device-id can be given %u times", MAX_DEVICES);
    if (device_id_parse(options->devices[options->device_count++], text)) return true;
    return problem_is(problem, "\"%s\" is not a device id: write it like aa:bb:cc:dd:ee:ff", text);
}

static bool take_option(server_options_t *options, found_t *found, int option, const char *value, problem_t *problem)
{
    const char *name = OPTIONS[option].name;
    switch (option) {
    case LISTEN: return take_listener(options, value, problem);
    case PSK: found->psk = value; return true;
    case PSK_FILE: found->psk_file = value; return true;
    case DEVICE_ID: return take_device(options, value, problem);
    case ECHO_WANTED: options->echo = true; return true;
    case ONCE: options->once = true; return true;
    case HANDSHAKE_TIMEOUT: return parse_seconds(&options->handshake_timeout, name, value, problem);
    case IDLE_TIMEOUT: return parse_seconds(&options->idle_timeout, name, value, problem);
    case VERSION_WANTED: (void)puts(USMP_VERSION_STRING); exit(EXIT_DONE);
    default: (void)fputs(HELP, stdout); exit(EXIT_DONE);
    }
}

static bool parse(server_options_t *options, arguments_t arguments, problem_t *problem)
{
    found_t found = {NULL, NULL};
    for (;;) {
        const char *value;
        int option = arguments_next(&arguments, OPTIONS, &value, problem);
        if (option == ARGUMENT_WRONG) return false;
        if (option == ARGUMENT_PLAIN) return problem_is(problem, "too many arguments: \"%s\"; give URLs as --listen URL", value);
        if (option == ARGUMENT_END) break;
        if (!take_option(options, &found, option, value, problem)) return false;
    }
    if (options->listen_count == 0 && !take_listener(options, DEFAULT_LISTEN, problem)) return false;
    if (found.psk != NULL && found.psk_file != NULL) return problem_is(problem, "--psk cannot be used with --psk-file");
    return psk_resolve(&options->psk, found.psk, found.psk_file, problem);
}

void server_options_parse(server_options_t *options, char **arguments)
{
    problem_t problem;
    memset(options, 0, sizeof *options);
    if (parse(options, (arguments_t){arguments, false}, &problem)) return;
    (void)fprintf(stderr, "usmp-server: %s\n", problem.text);
    exit(EXIT_USAGE);
}
