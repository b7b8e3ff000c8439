/** "tcp://host:port" and "udp://host:port". */
#ifndef USMP_ESP_URL_H
#define USMP_ESP_URL_H

#include <stdbool.h>

#include "usmp/settings.h"

#define URL_MAX_HOST 128

typedef struct url {
    usmp_transport_t transport;
    /** A name or an address, IPv6 without brackets. */
    char host[URL_MAX_HOST + 1];
    /** As text, as getaddrinfo() wants it. */
    char port[6];
} url_t;

/** @return false: it is no such URL */
bool url_parse(url_t *url, const char *text);

#endif
