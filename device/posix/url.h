/** Where to connect to, or to listen: the URLs of the command line `usmp`, as far as these programs have the transport. */
#ifndef URL_H
#define URL_H

#include <stdint.h>

#include "problem.h"

typedef enum url_scheme { URL_TCP, URL_UDP, URL_SERIAL, URL_SERIAL_TCP } url_scheme_t;

typedef struct url {
    url_scheme_t scheme;
    /** Of `serial:`: the port, such as /dev/ttyUSB0. Of all others: a name or an address, IPv6 without brackets. */
    char host[256];
    /** Not of `serial:`. As text, as getaddrinfo() wants it. */
    char port[6];
    /** Of `serial:`: bits a second. */
    uint32_t baud;
} url_t;

bool url_parse(url_t *url, const char *text, problem_t *problem);

/** "tcp", as it stands in the URL. */
const char *url_scheme_name(url_scheme_t scheme);

/** For `--help`. */
#define URL_HELP                                                                                                       \
    "URLs:\n"                                                                                                          \
    "  tcp://HOST:PORT      udp://HOST:PORT      serial+tcp://HOST:PORT\n"                                             \
    "  serial:/dev/ttyUSB0?baud=115200\n"

#endif
