#include "suites.h"

#include <string.h>

#include "bytes.h"
#include "tap.h"

#include "usmp/limits.h"
#include "usmp/replay.h"

static void only_the_next_number(void)
{
    usmp_replay_t order = {0};
    for (uint32_t seq = 0; seq < 5; seq++) {
        const uint32_t wrong[] = {seq - 1, seq + 1, seq + 2, UINT32_MAX};
        for (size_t i = 0; i < COUNT(wrong); i++) CHECK(!usmp_replay_is_next(&order, wrong[i]));
        CHECK(usmp_replay_is_next(&order, seq));
        CHECK(usmp_replay_is_next(&order, seq));
        order.expected = seq + 1;
        CHECK(!usmp_replay_is_next(&order, seq));
    }
}

static void the_last_number(void)
{
    usmp_replay_t order = {0};
    order.expected = USMP_MAX_SEQUENCE;
    CHECK(usmp_replay_is_next(&order, USMP_MAX_SEQUENCE));
    order.expected = USMP_MAX_SEQUENCE + 1;
    CHECK(!usmp_replay_is_next(&order, USMP_MAX_SEQUENCE));
    CHECK(!usmp_replay_is_next(&order, UINT32_MAX));
    CHECK(!usmp_replay_is_next(&order, 0));
}

#if USMP_DATAGRAM

/** Remembers every number, which no device could. */
typedef struct naive {
    uint32_t opened[400];
    size_t count;
    uint64_t expected;
} naive_t;

static usmp_standing_t naive_judge(const naive_t *naive, uint32_t seq)
{
    if (seq > USMP_MAX_SEQUENCE || (uint64_t)seq + USMP_REPLAY_WINDOW < naive->expected) return USMP_STANDING_REFUSED;
    for (size_t i = 0; i < naive->count; i++) {
        if (naive->opened[i] == seq) return USMP_STANDING_REPEAT;
    }
    return USMP_STANDING_NEW;
}

static void naive_confirm(naive_t *naive, uint32_t seq)
{
    naive->opened[naive->count++] = seq;
    if (seq >= naive->expected) naive->expected = (uint64_t)seq + 1;
}

static void judges_as_a_memory_of_everything(void)
{
    static const uint32_t STARTS[] = {0, 0, 5, 1000, 0x7FFFFFF0, 0xFFFFFF00, USMP_MAX_SEQUENCE - 3};
    static const int FAR[] = {31, 32, 33, 63, 64, 65, 200};
    chance_t chance = {8};
    for (unsigned round = 0; round < 200; round++) {
        usmp_replay_t window = {0};
        naive_t naive = {{0}, 0, 0};
        uint32_t begin = STARTS[round % COUNT(STARTS)];
        usmp_replay_confirm(&window, begin);
        naive_confirm(&naive, begin);
        for (unsigned step = 0; step < 200; step++) {
            int move = chance_percent(&chance, 80) ? (int)chance_between(&chance, 0, 73) - 70
                                                   : FAR[chance_between(&chance, 0, COUNT(FAR) - 1)];
            int64_t at = (int64_t)naive.expected + move;
            uint32_t seq = at < 0 ? 0 : at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
            usmp_standing_t standing = naive_judge(&naive, seq);
            if (usmp_replay_judge(&window, seq) != standing) {
                FAIL("number %u, expected %u", (unsigned)seq, (unsigned)naive.expected);
                return;
            }
            if (standing != USMP_STANDING_NEW || chance_percent(&chance, 50)) continue;
            usmp_replay_confirm(&window, seq);
            naive_confirm(&naive, seq);
            CHECK_NUMBER(window.expected, (uint32_t)naive.expected);
            CHECK_NUMBER(usmp_replay_start(&window), naive.expected > 64 ? (uint32_t)(naive.expected - 64) : 0);
        }
    }
}

static void the_bounds_of_the_window(void)
{
    usmp_replay_t window = {0};
    usmp_replay_confirm(&window, 100);
    CHECK_NUMBER(usmp_replay_judge(&window, 37), USMP_STANDING_NEW);
    CHECK_NUMBER(usmp_replay_judge(&window, 36), USMP_STANDING_REFUSED);
    usmp_replay_confirm(&window, 37);
    CHECK_NUMBER(usmp_replay_judge(&window, 37), USMP_STANDING_REPEAT);
    CHECK_NUMBER(usmp_replay_judge(&window, UINT32_MAX), USMP_STANDING_REFUSED);
}

static void what_was_given_up_is_refused(void)
{
    usmp_replay_t window = {0};
    usmp_replay_confirm(&window, 0);
    usmp_replay_confirm(&window, 5);
    window.next = 3;
    CHECK_NUMBER(usmp_replay_judge(&window, 0), USMP_STANDING_REPEAT);
    CHECK_NUMBER(usmp_replay_judge(&window, 1), USMP_STANDING_REFUSED);
    CHECK_NUMBER(usmp_replay_judge(&window, 2), USMP_STANDING_REFUSED);
    CHECK_NUMBER(usmp_replay_judge(&window, 3), USMP_STANDING_NEW);
    CHECK_NUMBER(usmp_replay_judge(&window, 5), USMP_STANDING_REPEAT);
}

#endif

void replay_suite(void)
{
    test("only the next number is accepted: neither a repeat, nor an older one, nor one too far", only_the_next_number);
    test("2^32 - 2 is the last number, and nothing comes after it", the_last_number);
#if USMP_DATAGRAM
    test("the sliding window judges as a memory of everything does", judges_as_a_memory_of_everything);
    test("the sliding window takes a frame 63 below the highest, and none 64 below", the_bounds_of_the_window);
    test("a number that was given up is refused, one that was opened is a repeat", what_was_given_up_is_refused);
#endif
}
