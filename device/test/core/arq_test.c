/** Reliability over datagrams, without any connection: round trips, and which frames are sent when. */
#include "suites.h"

#include <string.h>

#include "tap.h"

#include "usmp/arq.h"
#include "usmp/frame.h"

#if USMP_DATAGRAM

static usmp_round_trip_t trip;
static usmp_window_t window;

static void begin(uint8_t size)
{
    memset(&trip, 0, sizeof trip);
    memset(&window, 0, sizeof window);
    usmp_round_trip_begin(&trip);
    window.size = size;
}

/** Adds a frame and sends it. */
static void send(uint32_t seq, uint32_t now)
{
    usmp_window_add(&window, USMP_DATA, seq, 100, false);
    usmp_window_sent(&window, window.count - 1u, &trip, now);
}

static void acknowledge(uint32_t seq, uint32_t now)
{
    unsigned index = usmp_window_find(&window, USMP_DATA, seq);
    if (CHECK(index < window.count)) usmp_window_acknowledge(&window, index, &trip, now);
}

static void time_outs_before_a_measurement(void)
{
    static const uint32_t WAITS[] = {500, 1000, 2000, 4000, 5000, 5000, 5000, 5000};
    begin(1);
    for (unsigned i = 0; i < COUNT(WAITS); i++) CHECK_NUMBER(usmp_round_trip_timeout(&trip, i, USMP_MAX_RTO), WAITS[i]);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 255, USMP_MAX_RTO), 5000);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 2, 1000), 1000);
}

/** Within a millisecond of each term: these are integers. */
static void check_about(uint32_t actual, uint32_t expected)
{
    CHECK(actual + 8 >= expected && actual <= expected + 8);
}

static void round_trips_are_smoothed(void)
{
    begin(1);
    usmp_round_trip_measure(&trip, 200);
    check_about(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 600);
    usmp_round_trip_measure(&trip, 100);
    check_about(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 588);
    usmp_round_trip_measure(&trip, 300);
    check_about(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 614);
    for (unsigned i = 0; i < 200; i++) usmp_round_trip_measure(&trip, 250);
    check_about(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 258);
}

static void time_outs_have_bounds(void)
{
    begin(1);
    usmp_round_trip_measure(&trip, 1);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 100);
    begin(1);
    usmp_round_trip_measure(&trip, 3000);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 5000);
    begin(1);
    for (unsigned i = 0; i < 100; i++) usmp_round_trip_measure(&trip, UINT32_MAX);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 5000);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 255, USMP_MAX_RTO), 5000);
}

static void a_time_out_makes_others_wait_too(void)
{
    begin(1);
    usmp_round_trip_measure(&trip, 100);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 300);
    usmp_round_trip_back_off(&trip);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 600);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 1, USMP_MAX_RTO), 600);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 3, USMP_MAX_RTO), 2400);
    for (unsigned i = 0; i < 100; i++) usmp_round_trip_back_off(&trip);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 1000);
    usmp_round_trip_measure(&trip, 100);
    CHECK(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO) <= 300);
    begin(1);
    usmp_round_trip_measure(&trip, 800);
    usmp_round_trip_back_off(&trip);
    CHECK_NUMBER(usmp_round_trip_timeout(&trip, 0, USMP_MAX_RTO), 2400);
}

static void the_window_opens(void)
{
    begin(1);
    for (uint32_t seq = 0; seq < USMP_MAX_UNDER_WAY + 3; seq++) {
        CHECK_NUMBER(window.size, seq + 1 < USMP_MAX_UNDER_WAY ? seq + 1 : USMP_MAX_UNDER_WAY);
        send(seq, 0);
        acknowledge(seq, 10);
    }
    for (uint32_t i = 0; i < USMP_MAX_UNDER_WAY; i++) {
        CHECK(usmp_window_admits(&window, 100 + i, 100, false));
        send(100 + i, 0);
    }
    CHECK(!usmp_window_admits(&window, 100 + USMP_MAX_UNDER_WAY, 100, false));
}

static void the_window_spans_less_than_the_receiver_takes(void)
{
    begin(USMP_MAX_UNDER_WAY);
    if (USMP_MAX_UNDER_WAY < 2) return;
    send(10, 0);
    CHECK(usmp_window_admits(&window, 10 + 63, 100, false));
    CHECK(!usmp_window_admits(&window, 10 + 64, 100, false));
    CHECK(usmp_window_admits(&window, 11, 4096 - 100, false));
    CHECK(!usmp_window_admits(&window, 11, 4096 - 99, false));
    CHECK(!usmp_window_admits(&window, 11, 100, true));
}

static void what_flies_alone_has_nothing_beside_it(void)
{
    begin(USMP_MAX_UNDER_WAY);
    CHECK(usmp_window_admits(&window, 0, 100, true));
    usmp_window_add(&window, USMP_REKEY, 0, 72, true);
    usmp_window_sent(&window, 0, &trip, 0);
    CHECK(usmp_window_awaits_only(&window, USMP_REKEY));
    CHECK(!usmp_window_awaits_only(&window, USMP_BYE));
    CHECK(!usmp_window_admits(&window, 1, 100, false));
}

static void frames_are_found_by_number_and_type(void)
{
    begin(4);
    send(7, 0);
    CHECK_NUMBER(usmp_window_find(&window, USMP_DATA, 7), 0);
    CHECK_NUMBER(usmp_window_find(&window, USMP_PING, 7), 1);
    CHECK_NUMBER(usmp_window_find(&window, USMP_DATA, 8), 1);
}

/** Lets the clock run from deadline to deadline. @return how many repeats until the frame is given up */
static size_t repeats_of(uint32_t begin_at, uint32_t *at, size_t most)
{
    size_t count = 0;
    uint32_t now = begin_at;
    for (;;) {
        uint32_t in = usmp_window_poll_timeout(&window, now);
        if (!CHECK(in > 0 && in <= 5000)) return count;
        now += in - 1;
        CHECK(usmp_window_handle_timeout(&window, &trip, now));
        CHECK(!window.frames[0].due);
        now++;
        if (!usmp_window_handle_timeout(&window, &trip, now)) break;
        if (count < most) at[count] = now - begin_at;
        count++;
        CHECK_NUMBER(usmp_window_next(&window), 0);
        usmp_window_sent(&window, 0, &trip, now);
    }
    CHECK_NUMBER(now - begin_at, USMP_DELIVERY_TIMEOUT);
    return count;
}

static void a_frame_is_given_up_in_its_time(void)
{
    static const uint32_t CLOCKS[] = {0, UINT32_MAX - 3000};
    static const uint32_t FAR[] = {500, 1500, 3500, 7500};
    static const uint32_t NEAR[] = {100, 300, 700, 1500, 3100, 6300, 11300};
    for (size_t i = 0; i < COUNT(CLOCKS); i++) {
        uint32_t at[10] = {0};
        begin(1);
        send(0, CLOCKS[i]);
        CHECK_NUMBER(repeats_of(CLOCKS[i], at, COUNT(at)), COUNT(FAR));
        for (size_t j = 0; j < COUNT(FAR); j++) CHECK_NUMBER(at[j], FAR[j]);
        begin(1);
        usmp_round_trip_measure(&trip, 10);
        send(0, CLOCKS[i]);
        CHECK_NUMBER(repeats_of(CLOCKS[i], at, COUNT(at)), COUNT(NEAR));
        for (size_t j = 0; j < COUNT(NEAR); j++) CHECK_NUMBER(at[j], NEAR[j]);
    }
}

static void a_time_out_halves_the_window(void)
{
    begin(USMP_MAX_UNDER_WAY);
    for (uint32_t i = 0; i < USMP_MAX_UNDER_WAY; i++) send(i, 0);
    uint8_t size = USMP_MAX_UNDER_WAY;
    for (uint32_t now = 500; now < 12000; now += 500) {
        unsigned due = 0;
        uint8_t before = window.size;
        CHECK(usmp_window_handle_timeout(&window, &trip, now));
        for (unsigned i = 0; i < window.count; i++) {
            due += window.frames[i].due;
            if (window.frames[i].due) usmp_window_sent(&window, i, &trip, now);
        }
        CHECK(due <= before);
        if (due > 0) size = size > 1 ? size / 2 : 1;
        CHECK_NUMBER(window.size, size);
    }
    CHECK_NUMBER(window.size, 1);
    CHECK(!usmp_window_handle_timeout(&window, &trip, 12500));
}

static void repeated_frames_are_not_measured(void)
{
    begin(1);
    send(0, 0);
    CHECK(usmp_window_handle_timeout(&window, &trip, 500));
    usmp_window_sent(&window, 0, &trip, 500);
    acknowledge(0, 510);
    CHECK(!trip.measured);
    send(1, 600);
    acknowledge(1, 640);
    CHECK(trip.measured);
    CHECK_NUMBER(trip.smoothed8 / 8, 40);
}

static bool is_due(uint32_t seq)
{
    unsigned index = usmp_window_find(&window, USMP_DATA, seq);
    return index < window.count && window.frames[index].due;
}

static void overtaken_frames_are_sent_again(void)
{
    if (USMP_MAX_UNDER_WAY < 6) return;
    begin(USMP_MAX_UNDER_WAY);
    for (uint32_t i = 0; i < 6; i++) send(i, 0);
    acknowledge(1, 20);
    acknowledge(2, 20);
    CHECK(!is_due(0));
    acknowledge(3, 20);
    CHECK(is_due(0));
    usmp_window_sent(&window, 0, &trip, 20);
    acknowledge(4, 20);
    acknowledge(5, 20);
    CHECK(!is_due(0));
    for (uint32_t i = 6; i < 9; i++) send(i, 30);
    for (uint32_t i = 6; i < 9; i++) {
        CHECK(!is_due(0));
        acknowledge(i, 40);
    }
    CHECK(is_due(0));
}

static void bytes_stand_in_their_order(void)
{
    begin(USMP_MAX_UNDER_WAY);
    for (uint32_t i = 0; i < USMP_WINDOW_FRAMES; i++) usmp_window_add(&window, USMP_DATA, i, 40 + i, false);
    size_t offset = 0;
    for (unsigned i = 0; i < USMP_WINDOW_FRAMES; i++) {
        CHECK_NUMBER(usmp_window_offset(&window, i), offset);
        offset += 40 + i;
    }
}

void arq_suite(void)
{
    test("before any measurement the time-out is 500 ms, doubled with each repeat, at most 5 s",
         time_outs_before_a_measurement);
    test("the round trip is smoothed as RFC 6298 says", round_trips_are_smoothed);
    test("a time-out has at least 100 ms and at most 5 s, whatever was measured", time_outs_have_bounds);
    test("after a time-out other frames wait longer too, at most 1 s, until something is measured",
         a_time_out_makes_others_wait_too);
    test("the window opens by one frame with each UTACK", the_window_opens);
    test("the window spans fewer numbers and bytes than a receiver takes", the_window_spans_less_than_the_receiver_takes);
    test("a frame that flies alone has nothing beside it", what_flies_alone_has_nothing_beside_it);
    test("a frame is found by number and type", frames_are_found_by_number_and_type);
    test("a frame is repeated with growing waits and given up at exactly 12.5 s", a_frame_is_given_up_in_its_time);
    test("a time-out halves the window, down to 1, and repeats no more than that at once", a_time_out_halves_the_window);
    test("a repeated frame is not measured, and its neighbour is", repeated_frames_are_not_measured);
    test("three later frames acknowledged: the earlier one is sent again at once, and once",
         overtaken_frames_are_sent_again);
    test("the bytes of frames stand in the order of the window", bytes_stand_in_their_order);
}

#else

void arq_suite(void)
{
}

#endif
