#include "url.h"

#include <string.h>

static bool parse_port(char port[6], const char *text)
{
    size_t length = strlen(text);
    uint32_t number = 0;
    if (length == 0 || length > 5) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        number = number * 10u + (uint32_t)(text[i] - '0');
    }
    if (number == 0 || number > 65535) return false;
    memcpy(port, text, length + 1);
    return true;
}

/** Takes the host off the front of `*text`, up to the colon before the port. */
static bool parse_host(char host[URL_MAX_HOST + 1], const char **text)
{
    bool bracketed = **text == '[';
    const char *begin = *text + bracketed;
    size_t length = strcspn(begin, bracketed ? "]" : ":/?#");
    const char *end = begin + length + (bracketed && begin[length] == ']');
    if (length == 0 || length > URL_MAX_HOST || *end != ':') return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    *text = end + 1;
    return true;
}

bool url_parse(url_t *url, const char *text)
{
    if (strncmp(text, "tcp://", 6) == 0) url->transport = USMP_TRANSPORT_STREAM;
    else if (strncmp(text, "udp://", 6) == 0) url->transport = USMP_TRANSPORT_DATAGRAM;
    else return false;
    text += 6;
    return parse_host(url->host, &text) && parse_port(url->port, text);
}
