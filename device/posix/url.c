#include "url.h"

#include <stdlib.h>
#include <string.h>

/** Unless the URL names one. */
#define DEFAULT_PORT "9000"
#define DEFAULT_BAUD 115200u

static const char *const SCHEMES[] = {"tcp", "udp", "serial", "serial+tcp"};

const char *url_scheme_name(url_scheme_t scheme)
{
    return SCHEMES[scheme];
}

/** Copies `length` bytes as a string. */
static bool copy(char *target, size_t size, const char *text, size_t length)
{
    if (length >= size) return false;
    memcpy(target, text, length);
    target[length] = '\0';
    return true;
}

/** A number without sign, spaces or leading zeros, of at most `max`; 0 is none. */
static uint32_t number_of(const char *text, unsigned long max)
{
    size_t length = strlen(text);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length || (text[0] == '0' && length > 1)) return 0;
    unsigned long number = strtoul(text, NULL, 10);
    return number <= max ? (uint32_t)number : 0;
}

/** `PATH` or `PATH?baud=N`. */
static bool parse_serial(url_t *url, const char *rest, problem_t *problem)
{
    size_t length = strcspn(rest, "?");
    const char *query = rest[length] == '?' ? rest + length + 1 : NULL;
    if (strncmp(rest, "//", 2) == 0) return problem_is(problem, "the port comes right behind the colon: serial:/dev/ttyUSB0");
    if (length == 0) return problem_is(problem, "the URL names no port: serial:/dev/ttyUSB0?baud=115200");
    if (!copy(url->host, sizeof url->host, rest, length)) return problem_is(problem, "the name of the port is too long");
    url->baud = DEFAULT_BAUD;
    if (query == NULL) return true;
    if (strncmp(query, "baud=", 5) != 0) return problem_is(problem, "\"%s\" is no parameter: there is only baud", query);
    url->baud = number_of(query + 5, INT32_MAX);
    return url->baud > 0 || problem_is(problem, "baud is \"%s\": give bits a second, such as 115200", query + 5);
}

/** `HOST:PORT`, `HOST` or `[ADDRESS]:PORT`. */
static bool parse_host(url_t *url, const char *rest, problem_t *problem)
{
    bool brackets = rest[0] == '[';
    const char *host = brackets ? rest + 1 : rest;
    size_t length = strcspn(host, brackets ? "]" : ":/?#@");
    const char *behind = host + length;
    if (brackets && *behind != ']') return problem_is(problem, "the address has no end: write it like [::1]:9000");
    if (brackets) behind++;
    const char *port = *behind == ':' ? behind + 1 : DEFAULT_PORT;
    size_t digits = strspn(port, "0123456789");
    if (length == 0) return problem_is(problem, "the URL names no host: %s://127.0.0.1:9000", url_scheme_name(url->scheme));
    if (!copy(url->host, sizeof url->host, host, length)) return problem_is(problem, "the name of the host is too long");
    if (*behind != ':' && *behind != '\0' && strcmp(behind, "/") != 0)
        return problem_is(problem, "the URL holds more than transport, host and port: \"%s\"", behind);
    if ((port[digits] != '\0' && strcmp(port + digits, "/") != 0) || digits == 0 || digits >= sizeof url->port ||
        strtoul(port, NULL, 10) > UINT16_MAX)
        return problem_is(problem, "the URL has no port that can be: \"%s\" is not 1 to 65535", port);
    return copy(url->port, sizeof url->port, port, digits);
}

bool url_parse(url_t *url, const char *text, problem_t *problem)
{
    size_t length = strcspn(text, ":");
    memset(url, 0, sizeof *url);
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES && text[length] == ':'; i++) {
        if (strlen(SCHEMES[i]) != length || strncmp(SCHEMES[i], text, length) != 0) continue;
        url->scheme = (url_scheme_t)i;
        if (url->scheme == URL_SERIAL) return parse_serial(url, text + length + 1, problem);
        if (strncmp(text + length, "://", 3) == 0) return parse_host(url, text + length + 3, problem);
    }
    return problem_is(problem, "\"%s\" is no URL of tcp://, udp://, serial: or serial+tcp://: write it like tcp://127.0.0.1:9000", text);
}
