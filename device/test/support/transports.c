#include "transports.h"

#include <stdio.h>

const tested_transport_t TRANSPORTS[] = {
#if USMP_STREAM
    {USMP_TRANSPORT_STREAM, "stream"},
#endif
#if USMP_SERIAL
    {USMP_TRANSPORT_SERIAL, "serial"},
#endif
#if USMP_DATAGRAM
    {USMP_TRANSPORT_DATAGRAM, "datagrams"},
#endif
};
const size_t TRANSPORTS_COUNT = COUNT(TRANSPORTS);

usmp_transport_t transport;
pair_t pair;

pair_options_t options(void)
{
    pair_options_t all = {0};
    all.transport = transport;
    return all;
}

void open_pair(void)
{
    pair_options_t all = options();
    pair_open(&pair, &all);
}

size_t size_number(size_t i)
{
    static const size_t SIZES[SIZES_COUNT] = {0, 1, 2, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808};
    size_t size = SIZES[i % SIZES_COUNT];
    return size <= USMP_MAX_MESSAGE ? size : size % (USMP_MAX_MESSAGE + 1);
}

end_t *end_number(unsigned number)
{
    return number == 0 ? &pair.client : &pair.server;
}

void check_talks(void)
{
    size_t up = end_count(&pair.server, USMP_EVENT_MESSAGE);
    size_t down = end_count(&pair.client, USMP_EVENT_MESSAGE);
    end_send_pattern(&pair, &pair.client, 201, USMP_MAX_MESSAGE);
    end_send_pattern(&pair, &pair.server, 202, USMP_MAX_MESSAGE);
    pair_settle(&pair);
    CHECK(end_has_message(&pair.server, up, 201, USMP_MAX_MESSAGE));
    CHECK(end_has_message(&pair.client, down, 202, USMP_MAX_MESSAGE));
}

void check_types(const end_t *end, const usmp_event_type_t *types, size_t count)
{
    if (!CHECK_NUMBER(end->event_count, count)) return;
    for (size_t i = 0; i < count; i++) CHECK_NUMBER(end->events[i].event.type, types[i]);
}

void test_over(const tested_transport_t *tested, const char *promise, void (*run)(void))
{
    char whole[256];
    transport = tested->transport;
    (void)snprintf(whole, sizeof whole, "%s: %s", tested->name, promise);
    test(whole, run);
}
