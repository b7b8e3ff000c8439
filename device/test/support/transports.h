/** For tests of what holds over whatever carries a connection: each runs over a stream, a serial line and datagrams. */
#ifndef TRANSPORTS_H
#define TRANSPORTS_H

#include "pair.h"
#include "tap.h"

typedef struct tested_transport {
    usmp_transport_t transport;
    const char *name;
} tested_transport_t;

extern const tested_transport_t TRANSPORTS[];
extern const size_t TRANSPORTS_COUNT;

/** What is tested at present, and the pair for it. */
extern usmp_transport_t transport;
extern pair_t pair;

/** Options for `transport`. */
pair_options_t options(void);

/** A pair whose handshake is done. */
void open_pair(void);

/** A size at which the number of frames changes, as far as messages go here; there are SIZES_COUNT of them. */
size_t size_number(size_t i);

#define SIZES_COUNT 12u

/** 0 is the client, 1 the server. */
end_t *end_number(unsigned number);

/** The longest message goes each way. */
void check_talks(void);

/** Whether an end has told exactly these events. */
void check_types(const end_t *end, const usmp_event_type_t *types, size_t count);

#define CHECK_TYPES(end, ...)                                                                                               \
    check_types(end, (const usmp_event_type_t[]){__VA_ARGS__}, COUNT(((const usmp_event_type_t[]){__VA_ARGS__})))

/** Runs a test over one of the transports. */
void test_over(const tested_transport_t *tested, const char *promise, void (*run)(void));

#define PER_TRANSPORT(promise, run) test_over(&TRANSPORTS[i], promise, run)

#endif
