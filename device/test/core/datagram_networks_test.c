/** Datagrams over bad networks: every single fault at every place of a short conversation, and random ones in long ones. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"

#if USMP_DATAGRAM && USMP_SERVER

static pair_t pair;

#define DELAY 10u

/* ── Every single fault ──────────────────────────────────────────────────────────────────────────────────────────── */

typedef enum fault { LOST, LOST_WITH_NEXT, DOUBLED, DOUBLED_LATER, OVERTAKEN, DAMAGED, DAMAGED_HEAD, CUT, FAULTS } fault_t;

static const char *const FAULT_NAMES[] = {
    "lost", "lost with its successor", "doubled", "doubled much later", "overtaken by its successors", "damaged",
    "damaged in its head", "cut off"};

static fault_t fault;
static unsigned fault_at;

static unsigned faulty(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    unsigned at = with->counter++;
    if (at == fault_at + 1 && fault == LOST_WITH_NEXT) return 0;
    if (at != fault_at) return 1;
    switch (fault) {
    case DOUBLED: with->more_delay[1] = 3; return 2;
    case DOUBLED_LATER: with->more_delay[1] = 900; return 2;
    case OVERTAKEN: with->more_delay[0] = 25; return 1;
    case DAMAGED: frame[length - 1] ^= 0x10; return 1;
    case DAMAGED_HEAD: frame[4] ^= 0x01; return 1;
    case CUT: with->cut = 1; return 1;
    default: return 0;
    }
}

typedef struct script {
    const char *name;
    bool rekeys[2];
    /** Who closes: 0 the client. */
    unsigned closes;
} script_t;

static const script_t SCRIPTS[] = {
    {"REKEY and BYE from the client", {true, false}, 0},
    {"REKEY and BYE from the server", {false, true}, 1},
    {"crossing REKEYs", {true, true}, 0},
};

static end_t *end_number(unsigned number)
{
    return number == 0 ? &pair.client : &pair.server;
}

static bool both_open(void)
{
    return usmp_state(pair.client.usmp) == USMP_STATE_OPEN && usmp_state(pair.server.usmp) == USMP_STATE_OPEN;
}

static void echo(unsigned number, size_t size)
{
    PAIR_UNTIL(&pair, usmp_can_send(pair.client.usmp, size), 10000);
    end_send_pattern(&pair, &pair.client, number, size);
    PAIR_UNTIL(&pair, end_count(&pair.server, USMP_EVENT_MESSAGE) == number + 1, 10000);
    PAIR_UNTIL(&pair, usmp_can_send(pair.server.usmp, size), 10000);
    end_send_pattern(&pair, &pair.server, number, size);
    PAIR_UNTIL(&pair, end_count(&pair.client, USMP_EVENT_MESSAGE) == number + 1, 10000);
    CHECK(end_has_message(&pair.server, number, number, size));
    CHECK(end_has_message(&pair.client, number, number, size));
}

static bool is_over(const end_t *end)
{
    return usmp_state(end->usmp) == USMP_STATE_CLOSED && !usmp_lingers(end->usmp);
}

/** Handshake, echoes, a change of keys, echoes, BYE. @return how many datagrams that took */
static unsigned converse(const script_t *script, bool endpoint, unsigned at)
{
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_DATAGRAM;
    options.least_delay = options.most_delay = DELAY;
    options.path = faulty;
    options.endpoint = endpoint;
    fault_at = at;
    pair_begin(&pair, &options);
    test_context("datagram %u", at);
    PAIR_UNTIL(&pair, both_open(), 9000);
    if (test_has_failed()) return 0;
    echo(0, 10);
    echo(1, USMP_MAX_MESSAGE > 500 ? 500 : 400);
    for (unsigned i = 0; i < 2; i++) {
        if (script->rekeys[i]) CHECK_OK(usmp_rekey(end_number(i)->usmp, false));
    }
    PAIR_UNTIL(&pair, end_count(&pair.client, USMP_EVENT_REKEYED) > 0 && end_count(&pair.server, USMP_EVENT_REKEYED) > 0,
               20000);
    echo(2, 20);
    PAIR_UNTIL(&pair, usmp_pending_transmit(pair.client.usmp) == 0 && usmp_pending_transmit(pair.server.usmp) == 0, 10000);
    end_t *closing = end_number(script->closes);
    usmp_close(closing->usmp, pair_now(&pair));
    PAIR_UNTIL(&pair, is_over(&pair.client) && is_over(&pair.server), 10000);
    CHECK_ERROR(end_closed(closing), USMP_ERROR_CLOSED);
    CHECK_ERROR(end_closed(pair_other(&pair, closing)), USMP_ERROR_BYE);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_MESSAGE_DROPPED), 0);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 0);
    unsigned datagrams = pair.counter;
    pair_free(&pair);
    return datagrams;
}

static void single_faults(void)
{
    for (unsigned i = 0; i < 2 * COUNT(SCRIPTS); i++) {
        const script_t *script = &SCRIPTS[i / 2];
        bool endpoint = i % 2 == 1;
        for (fault = LOST; fault < FAULTS; fault++) {
            test_begin("handshake, echoes, %s%s: complete when any one datagram is %s", script->name,
                       endpoint ? ", at an endpoint" : "", FAULT_NAMES[fault]);
            unsigned datagrams = converse(script, endpoint, UINT32_MAX - 10);
            for (unsigned at = 0; at < datagrams && !test_has_failed(); at++) (void)converse(script, endpoint, at);
            test_end();
        }
    }
}

/* ── Random networks ─────────────────────────────────────────────────────────────────────────────────────────────── */

#define MOST_MESSAGES 200u

/** What one end has sent, and what of its frames may be under way: seen from outside. */
typedef struct watcher {
    size_t sizes[MOST_MESSAGES];
    unsigned sent;
    bool closed_by_itself;
    bool rekey_asked;
    bool stopped;
    /** Frames sent and not acknowledged. */
    struct {
        uint8_t type;
        uint8_t seq[4];
        size_t length;
    } under_way[USMP_MAX_UNDER_WAY + 1];
    unsigned count;
} watcher_t;

static watcher_t watchers[2];

/** Hashes of all frames that were sent once. */
static uint32_t known[4096];
static unsigned known_count;

static bool is_new(const uint8_t *frame, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ frame[i]) * 16777619u;
    for (unsigned i = 0; i < known_count; i++) {
        if (known[i] == hash) return false;
    }
    if (known_count < COUNT(known)) known[known_count++] = hash;
    return true;
}

/** Checks what §9.1 says of frames under way. */
static unsigned watching(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    watcher_t *watcher = &watchers[from == &with->client ? 0 : 1];
    unsigned type = frame_type(with, frame);
    if (type < USMP_DATA || type == USMP_HELLO_RETRY || !is_new(frame, length)) return 1;
    /* A frame under the new key may have told that REKEY has arrived. */
    if (watcher->count == 1 && watcher->under_way[0].type == USMP_REKEY) watcher->count = 0;
    if (type == USMP_REKEY || type == USMP_BYE || type == USMP_DATA_FRAG) {
        if (watcher->count > 0) FAIL("%s sends a frame of type %u beside %u others", from->name, type, watcher->count);
    }
    size_t bytes = length;
    for (unsigned i = 0; i < watcher->count; i++) bytes += watcher->under_way[i].length;
    if (bytes > 4096) FAIL("%s has %zu bytes under way", from->name, bytes);
    if (watcher->count == USMP_MAX_UNDER_WAY) {
        FAIL("%s has more than %u frames under way", from->name, watcher->count);
        return 1;
    }
    watcher->under_way[watcher->count].type = (uint8_t)type;
    memcpy(watcher->under_way[watcher->count].seq, frame + 4, 4);
    watcher->under_way[watcher->count++].length = length;
    return 1;
}

static void arriving(pair_t *with, end_t *to, const uint8_t *bytes, size_t length)
{
    watcher_t *watcher = &watchers[to == &with->client ? 0 : 1];
    if (length != 15 || bytes[0] != 0xAC) return;
    for (unsigned i = 0; i < watcher->count; i++) {
        if (watcher->under_way[i].type != bytes[2] || memcmp(watcher->under_way[i].seq, bytes + 3, 4) != 0) continue;
        watcher->under_way[i] = watcher->under_way[--watcher->count];
        return;
    }
}

static const uint32_t LONGEST[] = {0, 5, 40, 300};
static const unsigned LOSSES[] = {0, 0, 2, 10, 25, 45};
static const unsigned DOUBLES[] = {0, 0, 10, 50};
static const unsigned DAMAGES[] = {0, 0, 2, 20};

static const size_t SIZES[] = {0, 1, 60, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808};

static void act(chance_t *chance, bool rekeys, bool small)
{
    unsigned number = chance_between(chance, 0, 1);
    end_t *end = end_number(number);
    watcher_t *watcher = &watchers[number];
    if (usmp_state(end->usmp) != USMP_STATE_OPEN) return;
    switch (chance_between(chance, 0, 9)) {
    case 0: CHECK_OK(usmp_ping(end->usmp)); break;
    case 1:
        if (!rekeys) break;
        watcher->rekey_asked = true;
        CHECK_OK(usmp_rekey(end->usmp, true));
        if (chance_percent(chance, 50) && usmp_rekey(end_number(1 - number)->usmp, true) == USMP_OK) {
            watchers[1 - number].rekey_asked = true;
        }
        break;
    default:
        for (unsigned left = chance_between(chance, 1, 4); left > 0; left--) {
            size_t size = SIZES[chance_between(chance, 0, COUNT(SIZES) - 1)];
            if (small) size %= 200;
            if (size > USMP_MAX_MESSAGE) size %= USMP_MAX_MESSAGE + 1;
            if (watcher->sent == MOST_MESSAGES || !usmp_can_send(end->usmp, size)) break;
            end_send_pattern(&pair, end, watcher->sent, size);
            watcher->sizes[watcher->sent++] = size;
        }
        break;
    }
    end_drain(&pair, end);
}

/** Once and in order; without a gap, unless the sender has given up or a close was in the way. */
static void check_received(unsigned number)
{
    const end_t *end = end_number(number), *other = end_number(1 - number);
    const watcher_t *sender = &watchers[1 - number];
    unsigned position = 0, gaps = 0;
    for (size_t i = 0; i < end_count(end, USMP_EVENT_MESSAGE); i++) {
        unsigned begin = position;
        while (position < sender->sent && !end_has_message(end, i, position, sender->sizes[position])) position++;
        if (position == sender->sent) {
            FAIL("message %zu of the %s was not sent, or comes again", i, end->name);
            return;
        }
        gaps += position++ > begin;
    }
    bool orderly = sender->closed_by_itself || watchers[number].closed_by_itself;
    if (gaps > 0) CHECK(orderly || end_closed(other) == USMP_ERROR_NOT_ACKNOWLEDGED);
    usmp_error_t error = end_closed(end);
    if (error == USMP_OK && end_closed(other) == USMP_OK) {
        CHECK_NUMBER(end_count(end, USMP_EVENT_MESSAGE), sender->sent);
        CHECK_NUMBER(end_count(end, USMP_EVENT_MESSAGE_DROPPED), 0);
        if (pair.options.client.keepalive_interval == 0) CHECK_NUMBER(usmp_pending_transmit(end->usmp), 0);
        if (watchers[number].rekey_asked) CHECK(end_count(end, USMP_EVENT_REKEYED) > 0);
    }
    /* Who has BYE has everything that came before it. */
    if (error == USMP_ERROR_BYE) CHECK_NUMBER(end_count(end, USMP_EVENT_MESSAGE), sender->sent);
    CHECK(!usmp_lingers(end->usmp));
    CHECK(error == USMP_OK || error == USMP_ERROR_CLOSED || error == USMP_ERROR_BYE ||
          error == USMP_ERROR_NOT_ACKNOWLEDGED || error == USMP_ERROR_REFUSED || error == USMP_ERROR_TURNED_AWAY ||
          error == USMP_ERROR_HANDSHAKE_TIMEOUT || error == USMP_ERROR_WRONG_KEY || error == USMP_ERROR_ROGUE_SERVER);
    size_t closed = end_count(end, USMP_EVENT_CLOSED);
    CHECK(closed <= 1);
    if (closed > 0) CHECK_NUMBER(end->events[end->event_count - 1].event.type, USMP_EVENT_CLOSED);
}

/** @return 1 where both sides stay open to the end, 2 where one was closed in order, 0 otherwise */
static unsigned run(uint32_t seed)
{
    chance_t chance = {seed};
    pair_options_t options = {0};
    uint32_t longest = LONGEST[chance_between(&chance, 0, COUNT(LONGEST) - 1)];
    options.transport = USMP_TRANSPORT_DATAGRAM;
    options.seed = seed;
    options.most_delay = longest;
    options.least_delay = longest * chance_between(&chance, 0, 2) / 2;
    options.loses = LOSSES[chance_between(&chance, 0, COUNT(LOSSES) - 1)];
    options.doubles = DOUBLES[chance_between(&chance, 0, COUNT(DOUBLES) - 1)];
    options.damages = DAMAGES[chance_between(&chance, 0, COUNT(DAMAGES) - 1)];
    options.endpoint = chance_percent(&chance, 50);
    options.clock = chance_percent(&chance, 50) ? UINT32_MAX - chance_between(&chance, 0, 20000) : chance_next(&chance);
    options.client.keepalive_interval = options.server.keepalive_interval = chance_percent(&chance, 30) ? 700 : 0;
    options.path = watching;
    options.watch = arriving;
    memset(watchers, 0, sizeof watchers);
    known_count = 0;
    pair_begin(&pair, &options);
    uint64_t limit = pair.time + 12000;
    while (!both_open() && end_closed(&pair.client) == USMP_OK && pair_step(&pair, limit)) {
    }
    bool rekeys = chance_percent(&chance, 50);
    bool small = chance_percent(&chance, 50);
    unsigned steps = chance_between(&chance, 0, 60);
    bool closes = chance_percent(&chance, 50);
    for (unsigned i = 0; i < steps; i++) {
        act(&chance, rekeys, small);
        pair_advance(&pair, chance_between(&chance, 0, 300));
        if (closes && chance_percent(&chance, 3)) {
            unsigned number = chance_between(&chance, 0, 1);
            if (usmp_state(end_number(number)->usmp) == USMP_STATE_OPEN) watchers[number].closed_by_itself = true;
            usmp_close(end_number(number)->usmp, pair_now(&pair));
        }
    }
    pair.options.loses = pair.options.doubles = pair.options.damages = 0;
    pair_advance(&pair, 90000);
    for (unsigned i = 0; i < 2; i++) check_received(i);
    bool open = both_open();
    if (!open && end_closed(&pair.client) == USMP_OK && usmp_state(pair.client.usmp) == USMP_STATE_OPEN) {
        CHECK(options.client.keepalive_interval == 0);
    }
    bool orderly = end_closed(&pair.client) == USMP_ERROR_BYE || end_closed(&pair.server) == USMP_ERROR_BYE;
    pair_free(&pair);
    return open ? 1 : orderly ? 2 : 0;
}

static void random_networks(void)
{
    const char *only = getenv("USMP_NETWORK_SEED");
    uint32_t first = only != NULL ? (uint32_t)strtoul(only, NULL, 10) : 1;
    uint32_t last = only != NULL ? first : getenv("USMP_LONG") != NULL ? 10000 : 60;
    unsigned ways[3] = {0};
    for (uint32_t seed = first; seed <= last && !test_has_failed(); seed++) ways[run(seed)]++;
    if (only != NULL || test_has_failed()) return;
    test_context("%u open, %u closed, %u otherwise", ways[1], ways[2], ways[0]);
    CHECK(ways[1] > last / 10);
    CHECK(ways[2] > last / 20);
}

void datagram_networks_suite(void)
{
    single_faults();
    test("random networks: every message once and in order, or a typed end (USMP_NETWORK_SEED=N repeats one)",
         random_networks);
}

#else

void datagram_networks_suite(void)
{
}

#endif
