/** What holds of a connection over datagrams alone: a peer that breaks rules, forged datagrams, REKEY, and the end. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"
#include "usmp/record.h"
#include "usmp/utack.h"

#if USMP_DATAGRAM && USMP_SERVER

static pair_t pair;

static pair_options_t near(void)
{
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_DATAGRAM;
    options.least_delay = options.most_delay = 10;
    return options;
}

static void open_near(void)
{
    pair_options_t options = near();
    pair_open(&pair, &options);
}

static end_t *end_number(unsigned number)
{
    return number == 0 ? &pair.client : &pair.server;
}

static bool both_open(void)
{
    return usmp_state(pair.client.usmp) == USMP_STATE_OPEN && usmp_state(pair.server.usmp) == USMP_STATE_OPEN;
}

static bool is_over(const end_t *end)
{
    return usmp_state(end->usmp) == USMP_STATE_CLOSED && !usmp_lingers(end->usmp);
}

static size_t messages_of(const end_t *end)
{
    return end_count(end, USMP_EVENT_MESSAGE);
}

static void send_in_turn(end_t *end, unsigned number, size_t size)
{
    PAIR_UNTIL(&pair, usmp_can_send(end->usmp, size), 20000);
    end_send_pattern(&pair, end, number, size);
}

static void check_works(void)
{
    static const size_t SIZES[] = {0, 10, USMP_MAX_MESSAGE};
    size_t before[2] = {messages_of(&pair.client), messages_of(&pair.server)};
    pair.options.path = NULL;
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        for (unsigned j = 0; j < 2; j++) send_in_turn(end_number(j), (unsigned)i + 50, SIZES[i]);
    }
    pair_advance(&pair, 5000);
    for (unsigned j = 0; j < 2; j++) {
        CHECK_ERROR(end_closed(end_number(j)), USMP_OK);
        for (size_t i = 0; i < COUNT(SIZES); i++)
            CHECK(end_has_message(end_number(j), before[j] + i, (unsigned)i + 50, SIZES[i]));
        CHECK_NUMBER(messages_of(end_number(j)), before[j] + COUNT(SIZES));
    }
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    CHECK_NUMBER(usmp_pending_transmit(pair.server.usmp), 0);
}

/* ── A client that seals whatever it wants ───────────────────────────────────────────────────────────────────────── */

/** Nothing of the server reaches the real client any more. */
static unsigned swallowing(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)with;
    (void)from;
    (void)frame;
    (void)length;
    return 0;
}

static uint8_t rogue_frames[80][492];
static size_t rogue_lengths[80];
static unsigned rogue_count;

static void rogue_begin(void)
{
    open_near();
    pair_advance(&pair, 100);
    pair.options.path = swallowing;
    rogue_count = 0;
}

/** The next frame. @return its number in `rogue_frames` */
static unsigned rogue_seal(unsigned type, unsigned number, size_t length)
{
    uint8_t text[452];
    pattern(text, length, number);
    usmp_record_t *record = &pair.client.usmp->layer.record;
    CHECK_OK(usmp_record_seal(record, (uint8_t)type, text, length, rogue_frames[rogue_count]));
    rogue_lengths[rogue_count] = length + 40;
    return rogue_count++;
}

/** Acknowledgements that the server has ready: their number, and takes them. */
static unsigned rogue_utacks(void)
{
    unsigned utacks = 0;
    size_t length;
    const uint8_t *bytes;
    while ((bytes = usmp_poll_transmit(pair.server.usmp, pair_now(&pair), &length)) != NULL) {
        if (usmp_utack_is(bytes, length)) utacks++;
        usmp_transmitted(pair.server.usmp, length, pair_now(&pair));
    }
    end_drain_events(&pair, &pair.server);
    return utacks;
}

/** Hands a frame over. @return how many UTACKs come of it */
static unsigned rogue_give(unsigned frame)
{
    end_input(&pair, &pair.server, rogue_frames[frame], rogue_lengths[frame]);
    return rogue_utacks();
}

static void damaged_frames_get_no_utack(void)
{
    rogue_begin();
    unsigned frame = rogue_seal(USMP_DATA, 1, 30);
    uint8_t changed[492];
    for (size_t at = 0; at < rogue_lengths[frame]; at++) {
        memcpy(changed, rogue_frames[frame], rogue_lengths[frame]);
        changed[at] ^= 0x20;
        end_input(&pair, &pair.server, changed, rogue_lengths[frame]);
        if (rogue_utacks() > 0) FAIL("byte %zu", at);
        /* With a checksum that fits, too. */
        (void)make_frame(changed, changed[3], 0, changed + 12, 58);
        if (memcmp(changed, rogue_frames[frame], 70) == 0) continue;
        end_input(&pair, &pair.server, changed, rogue_lengths[frame]);
        if (rogue_utacks() > 0) FAIL("byte %zu, good checksum", at);
    }
    for (size_t length = 0; length < rogue_lengths[frame]; length++) {
        end_input(&pair, &pair.server, rogue_frames[frame], length);
        CHECK_NUMBER(rogue_utacks(), 0);
    }
    CHECK_NUMBER(pair.server.event_count, 0);
    CHECK_NUMBER(rogue_give(frame), 1);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_free(&pair);
}

/** Also where all of it was sealed, or the state waits for a frame of just that many bytes: its header says otherwise. */
static void datagrams_longer_than_their_frame_are_dropped(void)
{
    uint8_t bytes[492];
    rogue_begin();
    unsigned frame = rogue_seal(USMP_DATA, 1, 30);
    memcpy(bytes, rogue_frames[frame], rogue_lengths[frame]);
    for (size_t more = 1; more <= 40; more++) {
        memset(bytes + rogue_lengths[frame], 0x5A, more);
        end_input(&pair, &pair.server, bytes, rogue_lengths[frame] + more);
        CHECK_NUMBER(rogue_utacks(), 0);
    }
    CHECK_NUMBER(rogue_give(frame), 1);
    usmp_record_t *record = &pair.client.usmp->layer.record;
    for (size_t more = 1; more <= 40; more++) {
        usmp_frame_write_header(bytes, USMP_DATA, record->tx_seq++, 30 + 28);
        memcpy(USMP_PAYLOAD(bytes), bytes + 4, 4);
        memcpy(USMP_PAYLOAD(bytes) + 4, record->session_id, 8);
        pattern(USMP_TEXT(bytes), 30 + more, 2);
        CHECK(usmp_aead_seal(&record->tx, USMP_PAYLOAD(bytes), bytes, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(bytes), 30 + more));
        usmp_frame_write_checksum(bytes);
        end_input(&pair, &pair.server, bytes, 70 + more);
        CHECK_NUMBER(rogue_utacks(), 0);
    }
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_free(&pair);

    static const uint8_t payload[38] = {2};
    pair_options_t options = near();
    pair_begin(&pair, &options);
    for (size_t length = 0; length < sizeof payload; length++) {
        memset(bytes, 0, sizeof bytes);
        (void)make_frame(bytes, USMP_HELLO, 0, payload, length);
        end_input(&pair, &pair.server, bytes, 50);
        CHECK_NUMBER(rogue_utacks(), 0);
    }
    CHECK_NUMBER(pair.server.event_count, 0);
    pair_free(&pair);
}

static void repeats_are_acknowledged_and_dropped(void)
{
    rogue_begin();
    unsigned frames[3];
    for (unsigned i = 0; i < 3; i++) frames[i] = rogue_seal(USMP_DATA, i, 30);
    const unsigned order[] = {0, 1, 2, 1, 0, 0, 2};
    for (size_t i = 0; i < COUNT(order); i++) CHECK_NUMBER(rogue_give(frames[order[i]]), 1);
    CHECK_NUMBER(messages_of(&pair.server), 3);
    pair_free(&pair);
}

static void repeats_are_no_sign_of_life(void)
{
    pair_options_t options = near();
    options.server.idle_timeout = 5000;
    pair_open(&pair, &options);
    pair.options.path = swallowing;
    rogue_count = 0;
    unsigned frame = rogue_seal(USMP_DATA, 1, 30);
    (void)rogue_give(frame);
    for (unsigned i = 0; i < 10; i++) {
        pair_advance(&pair, 500);
        (void)rogue_give(frame);
    }
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_IDLE_TIMEOUT);
    pair_free(&pair);
}

static void what_was_held_is_overwritten(void)
{
    static const uint8_t zeros[30];
    rogue_begin();
    unsigned first = rogue_seal(USMP_DATA, 0, 30), second = rogue_seal(USMP_DATA, 1, 30);
    CHECK_NUMBER(rogue_give(second), 1);
    CHECK_NUMBER(rogue_give(first), 1);
    CHECK_NUMBER(messages_of(&pair.server), 2);
    for (unsigned i = 0; i < USMP_MAX_HELD; i++) CHECK_BYTES(pair.server.usmp->datagram.held[i].text, 30, zeros, 30);
    pair_free(&pair);
}

static void other_orders_are_put_right(void)
{
    rogue_begin();
    unsigned frames[4];
    for (unsigned i = 0; i < 4; i++) frames[i] = rogue_seal(USMP_DATA, i, 30);
    unsigned held = 0;
    const unsigned order[] = {3, 1, 2};
    for (size_t i = 0; i < COUNT(order); i++) held += rogue_give(frames[order[i]]);
    CHECK_NUMBER(held, USMP_MAX_HELD < 3 ? USMP_MAX_HELD : 3);
    CHECK_NUMBER(messages_of(&pair.server), 0);
    CHECK_NUMBER(rogue_give(frames[0]), 1);
    /* What found no room comes again. */
    for (unsigned i = 1; i < 4; i++) CHECK_NUMBER(rogue_give(frames[i]), 1);
    CHECK_NUMBER(messages_of(&pair.server), 4);
    for (unsigned i = 0; i < 4; i++) CHECK(end_has_message(&pair.server, i, i, 30));
    pair_free(&pair);
}

static void gaps_are_given_up(void)
{
    rogue_begin();
    unsigned frames[3];
    for (unsigned i = 0; i < 3; i++) frames[i] = rogue_seal(USMP_DATA, i, 30);
    CHECK_NUMBER(rogue_give(frames[0]), 1);
    CHECK_NUMBER(rogue_give(frames[2]), 1);
    pair_advance(&pair, 12999);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_advance(&pair, 1);
    CHECK_NUMBER(messages_of(&pair.server), 2);
    CHECK(end_has_message(&pair.server, 1, 2, 30));
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 1);
    CHECK_NUMBER(rogue_give(frames[1]), 0);
    CHECK_NUMBER(messages_of(&pair.server), 2);
    CHECK_NUMBER(usmp_poll_timeout(pair.server.usmp, pair_now(&pair)), USMP_NEVER);
    pair_free(&pair);
}

/** What comes in front of the gap meanwhile does not put it off. */
static void the_time_of_a_gap_runs_from_what_is_behind_it(void)
{
    rogue_begin();
    unsigned frames[3];
    for (unsigned i = 0; i < 3; i++) frames[i] = rogue_seal(USMP_DATA, i, 30);
    CHECK_NUMBER(rogue_give(frames[2]), 1);
    pair_advance(&pair, 5000);
    CHECK_NUMBER(rogue_give(frames[0]), 1);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_advance(&pair, 7999);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_advance(&pair, 1);
    CHECK_NUMBER(messages_of(&pair.server), 2);
    CHECK(end_has_message(&pair.server, 1, 2, 30));
    pair_free(&pair);
}

static void gaps_that_the_window_passes_are_given_up(void)
{
    rogue_begin();
    for (unsigned i = 0; i <= 64; i++) (void)rogue_seal(USMP_DATA, i, 5);
    CHECK_NUMBER(rogue_give(1), 1);
    CHECK_NUMBER(messages_of(&pair.server), 0);
    unsigned taken = rogue_give(64);
    CHECK_NUMBER(messages_of(&pair.server), USMP_MAX_HELD >= 2 ? 1 : 0);
    CHECK_NUMBER(taken, USMP_MAX_HELD >= 2 ? 1 : 0);
    if (USMP_MAX_HELD >= 2) CHECK_NUMBER(rogue_give(0), 0);
    pair_free(&pair);
}

static void a_message_with_a_hole_is_dropped(void)
{
    rogue_begin();
    unsigned first = rogue_seal(USMP_DATA_FRAG, 0, 30);
    (void)rogue_seal(USMP_DATA_FRAG, 1, 30);
    unsigned last = rogue_seal(USMP_DATA, 2, 30);
    unsigned next = rogue_seal(USMP_DATA, 7, 30);
    (void)rogue_give(first);
    (void)rogue_give(next);
    pair_advance(&pair, 13000);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    CHECK(end_has_message(&pair.server, 0, 7, 30));
    CHECK(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED) >= 1);
    CHECK_NUMBER(rogue_give(last), 0);
    pair_free(&pair);
}

/** REKEY and BYE give up the gap in front of them: what is before it and what is behind it do not make one message. */
static void parts_before_a_gap_are_dropped_by_rekey_and_bye(void)
{
    static const unsigned TYPES[] = {USMP_REKEY, USMP_BYE};
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        rogue_begin();
        test_context("type %u", TYPES[i]);
        CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA_FRAG, 0, 30)), 1);
        (void)rogue_seal(USMP_DATA, 1, 30);
        CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 2, 30)), 1);
        unsigned last = rogue_seal(TYPES[i], 3, TYPES[i] == USMP_REKEY ? 32 : 0);
        unsigned utacks = rogue_give(last);
        CHECK_NUMBER(utacks + rogue_give(last), TYPES[i] == USMP_REKEY ? 1 : 2);
        CHECK_NUMBER(messages_of(&pair.server), 1);
        CHECK(end_has_message(&pair.server, 0, 2, 30));
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 1);
        pair_free(&pair);
    }
}

static void what_breaks_rules_costs_the_parts(void)
{
    /* Five parts. */
    rogue_begin();
    for (unsigned i = 0; i < 5; i++) CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA_FRAG, i, 30)), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 5, 30)), 1);
    CHECK_NUMBER(messages_of(&pair.server), 0);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 6, 30)), 1);
    CHECK(end_has_message(&pair.server, 0, 6, 30));

    /* PING between parts. */
    end_forget_events(&pair.server);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA_FRAG, 1, 30)), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_PING, 0, 0)), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 2, 30)), 1);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    CHECK(end_has_message(&pair.server, 0, 2, 30));
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 1);

    /* Control frames with a content that they do not have. */
    end_forget_events(&pair.server);
    static const unsigned TYPES[] = {USMP_PING, USMP_PONG, USMP_BYE, USMP_REKEY, USMP_REKEY, USMP_REKEY};
    static const size_t LENGTHS[] = {1, 1, 1, 0, 31, 33};
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        CHECK_NUMBER(rogue_give(rogue_seal(TYPES[i], 1, LENGTHS[i])), 1);
        CHECK_ERROR(end_closed(&pair.server), USMP_OK);
    }
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 3, 30)), 1);
    CHECK(end_has_message(&pair.server, 0, 3, 30));
    pair_free(&pair);
}

static void longer_messages_are_dropped(void)
{
    if (USMP_MAX_MESSAGE >= 1808) return;
    rogue_begin();
    for (unsigned i = 0; i < 3; i++) CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA_FRAG, i, 452)), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 3, 452)), 1);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_MESSAGE_DROPPED), 1);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 4, 452)), 1);
    CHECK(end_has_message(&pair.server, 0, 4, 452));
    pair_free(&pair);
}

static void bye_does_not_wait_behind_a_gap(void)
{
    rogue_begin();
    (void)rogue_seal(USMP_DATA, 1, 30);
    CHECK_NUMBER(rogue_give(rogue_seal(USMP_DATA, 2, 30)), 1);
    CHECK_NUMBER(messages_of(&pair.server), 0);
    unsigned bye = rogue_seal(USMP_BYE, 0, 0);
    CHECK_NUMBER(rogue_give(bye), 1);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
    CHECK_NUMBER(pair.server.events[pair.server.event_count - 1].event.type, USMP_EVENT_CLOSED);
    /* Its repeats go on being answered, by nothing but the frame itself. */
    CHECK_NUMBER(rogue_give(bye), 1);
    CHECK_NUMBER(rogue_give(bye), 1);
    for (size_t at = 0; at < rogue_lengths[bye]; at++) {
        uint8_t other[492] = {0};
        memcpy(other, rogue_frames[bye], rogue_lengths[bye]);
        end_input(&pair, &pair.server, other, at);
        CHECK_NUMBER(rogue_utacks(), 0);
        end_input(&pair, &pair.server, other, rogue_lengths[bye] + 1 + at);
        CHECK_NUMBER(rogue_utacks(), 0);
        other[at] ^= 0x08;
        end_input(&pair, &pair.server, other, rogue_lengths[bye]);
        CHECK_NUMBER(rogue_utacks(), 0);
    }
    CHECK_NUMBER(rogue_give(0), 0);
    CHECK(!seam_finds_secret(pair.server.usmp, sizeof *pair.server.usmp));
    pair_free(&pair);
}

/** For whom it would be is gone. */
static void who_is_closing_acknowledges_no_message(void)
{
    rogue_begin();
    unsigned message = rogue_seal(USMP_DATA, 1, 30), ping = rogue_seal(USMP_PING, 0, 0), bye = rogue_seal(USMP_BYE, 0, 0);
    usmp_close(pair.server.usmp, pair_now(&pair));
    CHECK_NUMBER(rogue_utacks(), 0);
    CHECK(usmp_lingers(pair.server.usmp));
    CHECK_NUMBER(rogue_give(message), 0);
    CHECK_NUMBER(rogue_give(ping), 0);
    CHECK_NUMBER(messages_of(&pair.server), 0);
    /* The peer may close at the same time. */
    CHECK_NUMBER(rogue_give(bye), 1);
    CHECK(is_over(&pair.server));
    pair_free(&pair);
}

static void who_is_over_answers_nothing(void)
{
    static const uint8_t zeros[40];
    size_t ready_length;
    rogue_begin();
    unsigned message = rogue_seal(USMP_DATA, 1, 30);
    usmp_handle_end(pair.server.usmp);
    (void)rogue_utacks();
    for (size_t length = 0; length <= sizeof zeros; length++) {
        end_input(&pair, &pair.server, zeros, length);
        CHECK(usmp_poll_transmit(pair.server.usmp, pair_now(&pair), &ready_length) == NULL);
    }
    CHECK_NUMBER(rogue_give(message), 0);
    pair_free(&pair);
}

static void few_pongs_are_owed(void)
{
    rogue_begin();
    for (unsigned i = 0; i < 40; i++) {
        unsigned ping = rogue_seal(USMP_PING, 0, 0);
        end_input(&pair, &pair.server, rogue_frames[ping], rogue_lengths[ping]);
        size_t length;
        /* Only the UTACK is taken. */
        const uint8_t *bytes = usmp_poll_transmit(pair.server.usmp, pair_now(&pair), &length);
        CHECK(bytes != NULL && usmp_utack_is(bytes, length));
        usmp_transmitted(pair.server.usmp, length, pair_now(&pair));
    }
    CHECK_NUMBER(pair.server.usmp->pongs_owed, 8);
    pair_free(&pair);
}

/* ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void given_up_after_its_time(void)
{
    open_near();
    pair.client.line.silent = true;
    end_send_pattern(&pair, &pair.client, 1, 10);
    pair_advance(&pair, 12499);
    CHECK_ERROR(end_closed(&pair.client), USMP_OK);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_NOT_ACKNOWLEDGED);
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), USMP_NEVER);
    CHECK(!seam_finds_secret(pair.client.usmp, sizeof *pair.client.usmp));
    pair_free(&pair);
}

static void outages_cost_time(void)
{
    static const uint64_t OUTAGES[] = {500, 2000, 4000, 6000};
    for (size_t i = 0; i < COUNT(OUTAGES); i++) {
        open_near();
        unsigned sent = 0;
        for (; sent < 20; sent++) send_in_turn(&pair.client, sent, 10);
        pair.options.loses = 100;
        uint64_t until = pair.time + OUTAGES[i];
        while (pair.time < until) {
            if (usmp_can_send(pair.client.usmp, 10)) end_send_pattern(&pair, &pair.client, sent++, 10);
            pair_advance(&pair, 100);
        }
        pair.options.loses = 0;
        PAIR_UNTIL(&pair, messages_of(&pair.server) == sent, 2 * OUTAGES[i] + 1000);
        CHECK_ERROR(end_closed(&pair.client), USMP_OK);
        pair_free(&pair);
    }
}

static void forged_utacks_acknowledge_nothing(void)
{
    uint8_t utack[15];
    open_near();
    pair.options.path = swallowing;
    end_send_pattern(&pair, &pair.client, 1, 10);
    end_drain(&pair, &pair.client);
    for (unsigned i = 0; i < 1000; i++) {
        chance_fill(&pair.chance, utack, sizeof utack);
        static const uint8_t HEAD[] = {0xAC, 0xAC, USMP_DATA, 0, 0, 0, 0};
        memcpy(utack, HEAD, sizeof HEAD);
        end_input(&pair, &pair.client, utack, i % 3 == 0 ? 7 : sizeof utack);
    }
    CHECK(usmp_pending_transmit(pair.client.usmp) > 0);
    pair_advance(&pair, 12500);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_NOT_ACKNOWLEDGED);
    pair_free(&pair);
}

static void utacks_of_another_size_acknowledge_nothing(void)
{
    uint8_t utack[20] = {0};
    open_near();
    pair.options.path = swallowing;
    end_send_pattern(&pair, &pair.client, 1, 10);
    end_drain(&pair, &pair.client);
    usmp_utack_write(utack, USMP_DATA, 0);
    CHECK(usmp_record_utack_mac(&pair.server.usmp->layer.record, utack + 7, utack, false));
    for (size_t length = 2; length <= sizeof utack; length++) {
        if (length == 15) continue;
        end_input(&pair, &pair.client, utack, length);
        CHECK(usmp_pending_transmit(pair.client.usmp) > 0);
    }
    end_input(&pair, &pair.client, utack, 15);
    CHECK_NUMBER(usmp_pending_transmit(pair.client.usmp), 0);
    pair_free(&pair);

    /* Of the handshake: it does not even count as an answer. */
    pair_options_t options = near();
    options.path = swallowing;
    pair_begin(&pair, &options);
    end_drain(&pair, &pair.client);
    memset(utack, 0, sizeof utack);
    usmp_utack_write(utack, USMP_HELLO, 0);
    for (size_t length = 2; length <= sizeof utack; length++) {
        if (length != 7) end_input(&pair, &pair.client, utack, length);
    }
    usmp_handle_end(pair.client.usmp);
    end_drain_events(&pair, &pair.client);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_UNREACHABLE);
    pair_free(&pair);
}

/* ── Handshake ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint8_t ready[8][492];
static size_t ready_lengths[8];

/** Takes what an end wants to send now. @return how many datagrams; the first ones are in `ready` */
static unsigned take_ready(end_t *end)
{
    unsigned count = 0;
    size_t length;
    const uint8_t *bytes;
    while ((bytes = usmp_poll_transmit(end->usmp, pair_now(&pair), &length)) != NULL) {
        if (count < COUNT(ready)) {
            memcpy(ready[count], bytes, length);
            ready_lengths[count] = length;
        }
        count++;
        usmp_transmitted(end->usmp, length, pair_now(&pair));
    }
    end_drain_events(&pair, end);
    return count;
}

/** What comes to an end, and what it wants to send then: UTACK of a handshake frame, and a frame behind it where one is given. */
static void check_answers(end_t *end, const uint8_t *bytes, size_t length, const uint8_t *answer, size_t answer_length)
{
    end_input(&pair, end, bytes, length);
    if (!CHECK_NUMBER(take_ready(end), answer == NULL ? 1 : 2)) return;
    uint8_t utack[7];
    usmp_utack_write(utack, bytes[3], bytes[4]);
    CHECK_BYTES(ready[0], ready_lengths[0], utack, sizeof utack);
    if (answer != NULL) CHECK_BYTES(ready[1], ready_lengths[1], answer, answer_length);
}

static void forge_utack(end_t *end, unsigned type)
{
    uint8_t utack[7];
    usmp_utack_write(utack, (uint8_t)type, 0);
    end_input(&pair, end, utack, sizeof utack);
    CHECK_NUMBER(take_ready(end), 0);
}

static void handshake_repeats_are_answered(void)
{
    uint8_t hello[50], challenge[76], hello_ack[44], session_ok[60], other[44], stranger[32] = {1};
    pair_options_t options = near();
    options.leaves_keys_open = true;
    pair_begin(&pair, &options);
    CHECK_NUMBER(take_ready(&pair.client), 1);
    memcpy(hello, ready[0], sizeof hello);

    end_input(&pair, &pair.server, hello, sizeof hello);
    CHECK_NUMBER(take_ready(&pair.server), 2);
    memcpy(challenge, ready[1], sizeof challenge);
    forge_utack(&pair.server, USMP_CHALLENGE);
    check_answers(&pair.server, hello, sizeof hello, challenge, sizeof challenge);

    end_input(&pair, &pair.client, challenge, sizeof challenge);
    usmp_handle_timeout(pair.client.usmp, pair_now(&pair));
    CHECK_NUMBER(take_ready(&pair.client), 2);
    memcpy(hello_ack, ready[1], sizeof hello_ack);
    check_answers(&pair.client, challenge, sizeof challenge, NULL, 0);

    check_answers(&pair.server, hello_ack, sizeof hello_ack, NULL, 0);
    usmp_provide_keys(pair.server.usmp, TEST_DEVICE, pair.keys, pair.key_count, pair_now(&pair));
    CHECK_NUMBER(take_ready(&pair.server), 1);
    memcpy(session_ok, ready[0], sizeof session_ok);
    forge_utack(&pair.server, USMP_SESSION_OK);
    pair.time += 3000;
    usmp_handle_timeout(pair.server.usmp, pair_now(&pair));
    CHECK_NUMBER(take_ready(&pair.server), 0);
    check_answers(&pair.server, hello_ack, sizeof hello_ack, session_ok, sizeof session_ok);
    (void)make_frame(other, USMP_HELLO_ACK, 2, stranger, sizeof stranger);
    check_answers(&pair.server, other, sizeof other, NULL, 0);

    check_answers(&pair.client, session_ok, sizeof session_ok, NULL, 0);
    check_answers(&pair.client, session_ok, sizeof session_ok, NULL, 0);
    check_answers(&pair.client, challenge, sizeof challenge, NULL, 0);
    CHECK(both_open());
    /* Once a frame of the session has come, nobody can still wait for SESSION_OK. */
    end_send_pattern(&pair, &pair.client, 1, 10);
    CHECK_NUMBER(take_ready(&pair.client), 1);
    end_input(&pair, &pair.server, ready[0], ready_lengths[0]);
    CHECK_NUMBER(take_ready(&pair.server), 1);
    check_answers(&pair.server, hello_ack, sizeof hello_ack, NULL, 0);
    CHECK_NUMBER(messages_of(&pair.server), 1);
    pair_free(&pair);
}

static void hello_retry_has_its_place(void)
{
    static const size_t LENGTHS[] = {0, 15, 17, 32, 480};
    uint8_t retry[28], frame[492], payload[480], hello[66];
    pair_options_t options = near();
    options.leaves_keys_open = true;
    pair_begin(&pair, &options);
    pattern(payload, sizeof payload, 1);
    (void)make_frame(retry, USMP_HELLO_RETRY, 0, payload, 16);
    CHECK_NUMBER(take_ready(&pair.client), 1);
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        end_input(&pair, &pair.client, frame, make_frame(frame, USMP_HELLO_RETRY, 0, payload, LENGTHS[i]));
        CHECK_NUMBER(take_ready(&pair.client), 0);
    }
    end_input(&pair, &pair.server, retry, sizeof retry);
    CHECK_NUMBER(take_ready(&pair.server), 0);

    end_input(&pair, &pair.client, retry, sizeof retry);
    CHECK_NUMBER(take_ready(&pair.client), 2);
    CHECK_NUMBER(ready_lengths[1], sizeof hello);
    memcpy(hello, ready[1], sizeof hello);
    CHECK_BYTES(hello + 50, 16, payload, 16);
    check_answers(&pair.client, retry, sizeof retry, NULL, 0);

    /* Once CHALLENGE has come, HELLO does not take the place of HELLO_ACK. */
    end_input(&pair, &pair.server, hello, sizeof hello);
    CHECK_NUMBER(take_ready(&pair.server), 2);
    end_input(&pair, &pair.client, ready[1], ready_lengths[1]);
    usmp_handle_timeout(pair.client.usmp, pair_now(&pair));
    CHECK_NUMBER(take_ready(&pair.client), 2);
    memset(payload, 0x33, 16);
    (void)make_frame(retry, USMP_HELLO_RETRY, 0, payload, 16);
    check_answers(&pair.client, retry, sizeof retry, NULL, 0);
    pair.time += 1000;
    usmp_handle_timeout(pair.client.usmp, pair_now(&pair));
    CHECK_NUMBER(take_ready(&pair.client), 1);
    CHECK_NUMBER(ready[0][3], USMP_HELLO_ACK);
    pair_free(&pair);
}

static void a_long_handshake_repeats_at_leisure(void)
{
    pair_options_t options = near();
    options.client.handshake_timeout = 60000;
    options.loses = 100;
    pair_begin(&pair, &options);
    pair_advance(&pair, 59999);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_HANDSHAKE);
    CHECK(pair.client.line.frames >= 59 && pair.client.line.frames <= 64);
    pair_advance(&pair, 1);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_HANDSHAKE_TIMEOUT);
    pair_free(&pair);
}

static void two_round_trips(void)
{
    for (unsigned endpoint = 0; endpoint < 2; endpoint++) {
        pair_options_t options = near();
        options.endpoint = endpoint == 1;
        pair_begin(&pair, &options);
        PAIR_UNTIL(&pair, usmp_state(pair.client.usmp) == USMP_STATE_OPEN, 1000);
        CHECK_NUMBER(pair.time, endpoint ? 60 : 40);
        pair_settle(&pair);
        check_works();
        pair_free(&pair);
    }
}

static void opens_over_a_bad_line(void)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        pair_options_t options = near();
        options.seed = seed;
        options.least_delay = 5;
        options.most_delay = 30;
        options.loses = 33;
        options.doubles = seed % 3 == 0 ? 30 : 0;
        options.damages = seed % 4 == 0 ? 20 : 0;
        options.endpoint = seed % 2 == 0;
        pair_begin(&pair, &options);
        PAIR_UNTIL(&pair, both_open(), 9500);
        pair.options.loses = pair.options.doubles = pair.options.damages = 0;
        pair_advance(&pair, 3000);
        check_works();
        pair_free(&pair);
    }
}

static unsigned losing_session_ok(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    (void)length;
    if (frame_type(with, frame) != USMP_SESSION_OK) return 1;
    return with->counter++ < with->type ? 0 : 1;
}

static void a_lost_session_ok_is_answered_again(void)
{
    for (unsigned times = 1; times <= 5; times++) {
        pair_options_t options = near();
        options.path = losing_session_ok;
        pair_begin(&pair, &options);
        pair.type = times;
        PAIR_UNTIL(&pair, usmp_state(pair.server.usmp) == USMP_STATE_OPEN, 1000);
        uint8_t stranger[32] = {1}, frame[60];
        unsigned before = pair.counter;
        end_input(&pair, &pair.server, frame, make_frame(frame, USMP_HELLO_ACK, 2, stranger, sizeof stranger));
        end_drain(&pair, &pair.server);
        CHECK_NUMBER(pair.counter, before);
        PAIR_UNTIL(&pair, both_open(), 8000);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_OPEN), 1);
        pair_advance(&pair, 500);
        check_works();
        pair_free(&pair);
    }
}

static unsigned session_frames_of_server;

static unsigned counting_session_frames(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    unsigned type = frame_type(with, frame);
    (void)length;
    if (from == &with->server && type >= USMP_DATA && type != USMP_HELLO_RETRY) session_frames_of_server++;
    return type == USMP_SESSION_OK && with->counter++ < 3 ? 0 : 1;
}

static void the_server_waits_for_the_client(void)
{
    pair_options_t options = near();
    options.path = counting_session_frames;
    pair_begin(&pair, &options);
    session_frames_of_server = 0;
    PAIR_UNTIL(&pair, usmp_state(pair.server.usmp) == USMP_STATE_OPEN, 1000);
    CHECK(!usmp_can_send(pair.server.usmp, 10));
    CHECK_OK(usmp_ping(pair.server.usmp));
    PAIR_UNTIL(&pair, usmp_state(pair.client.usmp) == USMP_STATE_OPEN, 8000);
    CHECK_NUMBER(session_frames_of_server, 0);
    pair_advance(&pair, 200);
    CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_PONG), 1);
    pair_free(&pair);
}

static void session_ok_is_given_up(void)
{
    for (unsigned closes = 0; closes < 2; closes++) {
        pair_options_t options = near();
        options.path = losing_session_ok;
        pair_begin(&pair, &options);
        pair.type = UINT32_MAX;
        PAIR_UNTIL(&pair, usmp_state(pair.server.usmp) == USMP_STATE_OPEN, 1000);
        uint64_t begin = pair.time;
        if (closes) usmp_close(pair.server.usmp, pair_now(&pair));
        PAIR_UNTIL(&pair, is_over(&pair.server), 20000);
        CHECK_NUMBER(pair.time - begin, 12500);
        CHECK_ERROR(end_closed(&pair.server), closes ? USMP_ERROR_CLOSED : USMP_ERROR_NOT_ACKNOWLEDGED);
        pair_free(&pair);
    }
}

static void forged_datagrams_do_not_stall(void)
{
    static const uint8_t TYPES[] = {1, 2, 3, 4, 10};
    for (unsigned endpoint = 0; endpoint < 2; endpoint++) {
        pair_options_t options = near();
        options.seed = 4 + endpoint;
        options.most_delay = 20;
        options.loses = 20;
        options.endpoint = endpoint == 1;
        pair_begin(&pair, &options);
        for (uint32_t at = 0; at < 3000; at += 7) {
            for (size_t i = 0; i < COUNT(TYPES); i++) {
                for (uint32_t seq = 0; seq < 3; seq++) {
                    uint8_t utack[7];
                    usmp_utack_write(utack, TYPES[i], seq);
                    pair_inject(&pair, &pair.client, utack, sizeof utack, at);
                    pair_inject(&pair, &pair.server, utack, sizeof utack, at);
                }
            }
        }
        PAIR_UNTIL(&pair, both_open(), 9000);
        pair_free(&pair);
    }

    /* Cookies that are none, more than a client tries at once. */
    pair_options_t options = near();
    options.endpoint = true;
    pair_begin(&pair, &options);
    for (unsigned i = 0; i < 24; i++) {
        uint8_t cookie[16], frame[28];
        pattern(cookie, sizeof cookie, i + 50);
        pair_inject(&pair, &pair.client, frame, make_frame(frame, USMP_HELLO_RETRY, 0, cookie, sizeof cookie), 1);
    }
    pair_advance(&pair, 9);
    CHECK(line_count_type(&pair.client.line, USMP_HELLO) <= 9);
    PAIR_UNTIL(&pair, both_open(), 9000);
    pair_free(&pair);

    /* Frames before their time. */
    pair_begin(&pair, &options);
    uint8_t payload[64], frame[100];
    pattern(payload, sizeof payload, 1);
    for (unsigned type = USMP_DATA; type <= USMP_REKEY; type++) {
        size_t size = make_frame(frame, type, 0, payload, 60);
        pair_inject(&pair, &pair.client, frame, size, 1);
        pair_inject(&pair, &pair.server, frame, size, 1);
    }
    pair_inject(&pair, &pair.client, frame, make_frame(frame, USMP_SESSION_OK, 0, payload, 48), 1);
    pair_inject(&pair, &pair.client, frame, make_frame(frame, USMP_HELLO, 0, payload, 38), 1);
    pair_inject(&pair, &pair.client, frame, make_frame(frame, USMP_CHALLENGE, 0, payload, 63), 1);
    pair_inject(&pair, &pair.server, frame, make_frame(frame, USMP_CHALLENGE, 0, payload, 64), 1);
    pair_inject(&pair, &pair.server, frame, make_frame(frame, USMP_HELLO_RETRY, 0, payload, 16), 1);
    PAIR_UNTIL(&pair, both_open(), 9000);
    pair_free(&pair);
}

static void how_a_client_ends_without_an_answer(void)
{
    pair_options_t options = near();
    options.loses = 100;
    pair_begin(&pair, &options);
    pair_advance(&pair, 10000);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_HANDSHAKE_TIMEOUT);
    pair_free(&pair);

    pair_begin(&pair, &options);
    end_drain(&pair, &pair.client);
    usmp_handle_end(pair.client.usmp);
    end_drain(&pair, &pair.client);
    CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_UNREACHABLE);
    pair_free(&pair);

    for (unsigned breaks = 0; breaks < 2; breaks++) {
        options = near();
        options.endpoint = true;
        options.path = path_losing;
        pair_begin(&pair, &options);
        pair.type = USMP_CHALLENGE;
        pair.counter = UINT32_MAX;
        pair_advance(&pair, 100);
        if (breaks) usmp_handle_end(pair.client.usmp);
        pair_advance(&pair, 9900);
        CHECK_ERROR(end_closed(&pair.client), breaks ? USMP_ERROR_CONNECTION_LOST : USMP_ERROR_TURNED_AWAY);
        pair_free(&pair);
    }
}

/** Peers need not fill in the checksum of handshake frames: what comes twice in the same way was not damaged (§9.3). */
static unsigned without_checksums(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    unsigned type = frame_type(with, frame);
    (void)from;
    (void)length;
    if (type == USMP_CHALLENGE || type == USMP_SESSION_OK || type == USMP_HELLO_ACK) frame[10] = frame[11] = 0x77;
    return 1;
}

static void missing_checksums_cost_a_repeat(void)
{
    pair_options_t options = near();
    options.path = without_checksums;
    pair_begin(&pair, &options);
    PAIR_UNTIL(&pair, both_open(), 6000);
    CHECK(pair.time > 40);
    pair_free(&pair);
}

/* ── REKEY ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned losing_rekey_utacks(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    bool picked = length == 15 && frame[0] == 0xAC && frame[2] == USMP_REKEY && from == end_number(with->type);
    if (!picked || with->counter == 0) return 1;
    with->counter--;
    return 0;
}

static unsigned losing_rekeys(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)length;
    if (frame_type(with, frame) != USMP_REKEY || from != end_number(with->type) || with->counter == 0) return 1;
    with->counter--;
    return 0;
}

static void rekeys_survive_losses(void)
{
    static path_t *const PATHS[] = {losing_rekey_utacks, losing_rekeys};
    static const unsigned TIMES[] = {1, 2, 3, 5};
    for (unsigned i = 0; i < 2 * COUNT(TIMES) * 2 * 3; i++) {
        unsigned loser = i % 2, crossing = i / 2 % 3;
        pair_options_t options = near();
        pair_open(&pair, &options);
        pair.options.path = PATHS[i / 6 % 2];
        pair.type = loser;
        pair.counter = TIMES[i / 12];
        test_context("loser %u, way %u, path %u, %u times", loser, crossing, i / 6 % 2, TIMES[i / 12]);
        for (unsigned j = 0; j < 2; j++) {
            if (crossing == 2 || crossing == j) CHECK_OK(usmp_rekey(end_number(j)->usmp, true));
        }
        pair_advance(&pair, 12000);
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
        CHECK_NUMBER(end_count(&pair.server, USMP_EVENT_REKEYED), 1);
        check_works();
        for (unsigned j = 0; j < 2; j++) CHECK_OK(usmp_rekey(end_number(j)->usmp, true));
        pair_advance(&pair, 3000);
        check_works();
        pair_free(&pair);
    }
}

/** A released responder checks with the new key as soon as it has read REKEY. */
static void frames_under_the_old_key_are_acknowledged_twice(void)
{
    uint8_t frame[50], text[10] = {1}, mac[8];
    open_near();
    pair.options.path = swallowing;
    CHECK_OK(usmp_record_seal(&pair.server.usmp->layer.record, USMP_DATA, text, sizeof text, frame));
    CHECK_OK(usmp_rekey(pair.client.usmp, false));
    end_drain(&pair, &pair.client);
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_REKEY), 1);
    for (unsigned i = 0; i < 2; i++) {
        end_input(&pair, &pair.client, frame, sizeof frame);
        if (!CHECK_NUMBER(take_ready(&pair.client), 2)) continue;
        CHECK_NUMBER(ready_lengths[0], 15);
        CHECK(usmp_record_verify_utack(&pair.server.usmp->layer.record, ready[0] + 7, ready[0]));
        CHECK(usmp_record_utack_mac(&pair.client.usmp->layer.record, mac, ready[1], false));
        CHECK_BYTES(ready[1] + 7, ready_lengths[1] - 7, mac, sizeof mac);
        CHECK_BYTES(ready[1], 7, ready[0], 7);
    }
    CHECK_NUMBER(messages_of(&pair.client), 1);
    pair_free(&pair);
}

static void rekey_is_a_barrier(void)
{
    for (unsigned i = 0; i < 2; i++) {
        end_t *initiator = end_number(i), *responder = end_number(1 - i);
        open_near();
        /* Its first DATA is lost: REKEY waits for the repeat. */
        pair.options.path = path_losing;
        pair.type = USMP_DATA;
        pair.counter = 1;
        end_send_pattern(&pair, initiator, 1, 10);
        CHECK_OK(usmp_rekey(initiator->usmp, false));
        CHECK(!usmp_can_send(initiator->usmp, 10));
        pair_advance(&pair, 90);
        CHECK_NUMBER(line_count_type(&initiator->line, USMP_REKEY), 0);
        PAIR_UNTIL(&pair, line_count_type(&initiator->line, USMP_REKEY) > 0, 2000);
        CHECK_NUMBER(messages_of(responder), 1);
        CHECK(!usmp_can_send(initiator->usmp, 10));
        pair_advance(&pair, 2000);
        CHECK_NUMBER(end_count(initiator, USMP_EVENT_REKEYED), 1);
        check_works();
        pair_free(&pair);
    }
}

/** What the responder had under way goes on, and it begins nothing new: no PONG either (§9.5). */
static void who_is_held_back_by_rekey_begins_nothing(void)
{
    open_near();
    for (unsigned i = 0; i < 6; i++) send_in_turn(&pair.server, i, 10);
    pair_advance(&pair, 200);
    pair.options.path = swallowing;
    rogue_count = 0;
    unsigned ping = rogue_seal(USMP_PING, 0, 0), rekey = rogue_seal(USMP_REKEY, 1, 32);
    end_send_pattern(&pair, &pair.server, 7, 10);
    CHECK_NUMBER(take_ready(&pair.server), 1);
    uint32_t next = pair.server.usmp->layer.record.tx_seq;
    CHECK_NUMBER(rogue_give(rekey), 0);
    CHECK_NUMBER(rogue_give(ping), 1);
    CHECK_OK(usmp_ping(pair.server.usmp));
    CHECK_NUMBER(take_ready(&pair.server), 0);
    CHECK_NUMBER(pair.server.usmp->layer.record.tx_seq, next);
    CHECK_NUMBER(pair.server.usmp->pongs_owed, 1);
    pair_free(&pair);
}

static void rekey_waits_for_the_responder(void)
{
    for (unsigned i = 0; i < 2; i++) {
        end_t *initiator = end_number(i), *responder = end_number(1 - i);
        open_near();
        end_send_pattern(&pair, responder, 1, USMP_MAX_MESSAGE);
        CHECK_OK(usmp_rekey(initiator->usmp, false));
        pair_advance(&pair, 5000);
        CHECK(end_has_message(initiator, 0, 1, USMP_MAX_MESSAGE));
        CHECK_NUMBER(end_count(initiator, USMP_EVENT_REKEYED), 1);
        check_works();
        pair_free(&pair);
    }
}

static void rekey_becomes_unsafe(void)
{
    open_near();
    for (unsigned i = 0; i < 63; i++) {
        send_in_turn(&pair.client, i, 5);
    }
    pair_advance(&pair, 1000);
    CHECK_OK(usmp_rekey(pair.client.usmp, false));
    pair_advance(&pair, 1000);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
    for (unsigned i = 0; i < 64; i++) send_in_turn(&pair.client, i, 5);
    pair_advance(&pair, 1000);
    CHECK_ERROR(usmp_rekey(pair.client.usmp, false), USMP_ERROR_REKEY_UNSAFE);
    check_works();
    CHECK_OK(usmp_rekey(pair.client.usmp, true));
    pair_advance(&pair, 1000);
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 2);
    /* Also under new keys. */
    CHECK_ERROR(usmp_rekey(pair.client.usmp, false), USMP_ERROR_REKEY_UNSAFE);
    check_works();
    pair_free(&pair);
}

static void one_that_becomes_unsafe_is_refused_by_an_event(void)
{
    open_near();
    for (unsigned i = 0; i < 63; i++) send_in_turn(&pair.client, i, 5);
    PAIR_UNTIL(&pair, usmp_can_send(pair.client.usmp, 5), 1000);
    end_send_pattern(&pair, &pair.client, 63, 5);
    usmp_error_t error = usmp_rekey(pair.client.usmp, false);
    pair_advance(&pair, 1000);
    if (error == USMP_OK) {
        const usmp_event_t *refused = end_event(&pair.client, USMP_EVENT_REKEY_REFUSED, 0);
        if (CHECK(refused != NULL)) CHECK_ERROR(refused->error, USMP_ERROR_REKEY_UNSAFE);
    } else {
        CHECK_ERROR(error, USMP_ERROR_REKEY_UNSAFE);
    }
    CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 0);
    check_works();
    pair_free(&pair);
}

/** REKEY that comes once and never again holds the responder back for 13 s, and then nobody has to wake it. */
static unsigned rekey_once(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)length;
    if (from == &with->client && frame_type(with, frame) == USMP_REKEY) return with->counter++ == 0 ? 1 : 0;
    if (from == &with->client) with->more_delay[0] = 40;
    return 1;
}

static void a_rekey_that_is_not_repeated_holds_back_for_a_while(void)
{
    open_near();
    pair.options.path = rekey_once;
    CHECK_OK(usmp_rekey(pair.client.usmp, false));
    end_drain(&pair, &pair.client);
    end_send_pattern(&pair, &pair.server, 1, 10);
    pair_advance(&pair, 100);
    CHECK(!usmp_can_send(pair.server.usmp, 10));
    /* The initiator gives up at 12.5 s, which is before the responder goes on. */
    uint64_t begin = pair.time;
    PAIR_UNTIL(&pair, usmp_can_send(pair.server.usmp, 10) || usmp_state(pair.server.usmp) != USMP_STATE_OPEN, 14000);
    CHECK(pair.time - begin < 13100);
    pair_free(&pair);
}

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void close_brings_all_out(void)
{
    for (uint32_t seed = 1; seed <= 10; seed++) {
        pair_options_t options = near();
        options.seed = seed;
        options.least_delay = 5;
        options.most_delay = 40;
        pair_open(&pair, &options);
        pair.options.loses = 20;
        unsigned sent = 0;
        for (; sent < 5; sent++) send_in_turn(&pair.client, sent, sent == 4 ? USMP_MAX_MESSAGE : 20);
        usmp_close(pair.client.usmp, pair_now(&pair));
        end_drain(&pair, &pair.client);
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CLOSED);
        CHECK(usmp_lingers(pair.client.usmp));
        PAIR_UNTIL(&pair, is_over(&pair.client), 25000);
        CHECK_NUMBER(messages_of(&pair.server), sent);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
        pair_free(&pair);
    }
}

static void bye_is_repeated_for_a_while(void)
{
    open_near();
    pair.client.line.silent = true;
    usmp_close(pair.client.usmp, pair_now(&pair));
    end_drain(&pair, &pair.client);
    pair_advance(&pair, 2999);
    CHECK(usmp_lingers(pair.client.usmp));
    pair_advance(&pair, 1);
    CHECK(is_over(&pair.client));
    CHECK(line_count_type(&pair.client.line, USMP_BYE) >= 3);
    CHECK_NUMBER(usmp_poll_timeout(pair.client.usmp, pair_now(&pair)), USMP_NEVER);
    pair_free(&pair);
}

static void close_towards_nobody_ends_with_what_was_sent(void)
{
    open_near();
    pair.client.line.silent = true;
    end_send_pattern(&pair, &pair.client, 1, 10);
    usmp_close(pair.client.usmp, pair_now(&pair));
    pair_advance(&pair, 12500);
    CHECK(is_over(&pair.client));
    CHECK_NUMBER(line_count_type(&pair.client.line, USMP_BYE), 0);
    CHECK_NUMBER(pair.client.event_count, 1);
    pair_free(&pair);
}

static void close_with_rekey_in_the_way(void)
{
    for (unsigned crossing = 0; crossing < 2; crossing++) {
        open_near();
        end_send_pattern(&pair, &pair.server, 7, 10);
        end_drain(&pair, &pair.server);
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        if (crossing) CHECK_OK(usmp_rekey(pair.server.usmp, false));
        end_drain(&pair, &pair.client);
        usmp_close(pair.client.usmp, pair_now(&pair));
        pair_advance(&pair, 20000);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_CLOSED);
        CHECK_NUMBER(pair.client.event_count, 1);
        CHECK(is_over(&pair.client) && is_over(&pair.server));
        pair_free(&pair);
    }
}

static unsigned losing_bye_utacks(pair_t *with, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    if (length != 15 || frame[0] != 0xAC || frame[2] != USMP_BYE) return 1;
    if (with->counter++ > 0) return memcmp(frame, with->client.line.partial + 100, 15) == 0 && with->counter > 3 ? 1 : 0;
    memcpy(with->client.line.partial + 100, frame, 15);
    return 0;
}

static void repeats_of_bye_are_answered(void)
{
    for (unsigned endpoint = 0; endpoint < 2; endpoint++) {
        pair_options_t options = near();
        options.endpoint = endpoint == 1;
        pair_open(&pair, &options);
        pair.options.path = losing_bye_utacks;
        usmp_close(pair.client.usmp, pair_now(&pair));
        pair_advance(&pair, 5000);
        CHECK(is_over(&pair.client) && is_over(&pair.server));
        CHECK_NUMBER(pair.counter, 4);
        CHECK_ERROR(end_closed(&pair.server), USMP_ERROR_BYE);
        pair_free(&pair);
    }
}

void datagram_connection_suite(void)
{
    test("a damaged frame gets no UTACK, its repeat is accepted", damaged_frames_get_no_utack);
    test("a datagram that is longer than its frame is dropped, also one that would open or be waited for",
         datagrams_longer_than_their_frame_are_dropped);
    test("a frame that comes again is acknowledged again and delivered once", repeats_are_acknowledged_and_dropped);
    test("a repeat is no sign of life", repeats_are_no_sign_of_life);
    test("a message that had to wait is not left where it waited", what_was_held_is_overwritten);
    test("what comes out of order is delivered in order; what finds no room is not acknowledged",
         other_orders_are_put_right);
    test("a gap is given up after 13 s, and what fills it then gets no UTACK", gaps_are_given_up);
    test("the 13 s of a gap run from the arrival of what is behind it", the_time_of_a_gap_runs_from_what_is_behind_it);
    test("a gap that the window has passed is given up at once", gaps_that_the_window_passes_are_given_up);
    test("a message with a part in a gap is dropped, and the next one is whole", a_message_with_a_hole_is_dropped);
    test("what is before a gap and what is behind it make no message, also where REKEY or BYE ends the gap",
         parts_before_a_gap_are_dropped_by_rekey_and_bye);
    test("what opens and breaks a rule is acknowledged, and costs the unfinished message alone",
         what_breaks_rules_costs_the_parts);
    test("a message that is too long for this device is dropped, and the next one is whole", longer_messages_are_dropped);
    test("who is closing acknowledges no message, and takes BYE", who_is_closing_acknowledges_no_message);
    test("who is over without BYE answers nothing", who_is_over_answers_nothing);
    test("a gap in front of BYE does not hold it up, and repeats of BYE are answered", bye_does_not_wait_behind_a_gap);
    test("a peer that pings and does not read is owed eight PONGs", few_pongs_are_owed);
    test("a message that is never acknowledged ends the session at exactly 12.5 s", given_up_after_its_time);
    test("a line that is dead for some seconds costs time, not the session", outages_cost_time);
    test("forged UTACKs acknowledge nothing", forged_utacks_acknowledge_nothing);
    test("UTACKs of another size acknowledge nothing", utacks_of_another_size_acknowledge_nothing);
    test("handshake frames that come again are acknowledged, and answered as before, whatever UTACKs say",
         handshake_repeats_are_answered);
    test("HELLO_RETRY is taken by a client that waits for CHALLENGE, once, and by nobody else", hello_retry_has_its_place);
    test("a handshake with a long time repeats its frame once a second to the end", a_long_handshake_repeats_at_leisure);
    test("a handshake needs two round trips, and one for the cookie", two_round_trips);
    test("a handshake is over in time on a line that loses a third", opens_over_a_bad_line);
    test("a lost SESSION_OK is sent again for a repeated HELLO_ACK, and for no other", a_lost_session_ok_is_answered_again);
    test("the server sends no session frame until the client has SESSION_OK", the_server_waits_for_the_client);
    test("a SESSION_OK that is never acknowledged ends the session after 12.5 s, and a close of it too",
         session_ok_is_given_up);
    test("forged datagrams do not stall a handshake", forged_datagrams_do_not_stall);
    test("how a client ends without an answer tells how far it had come", how_a_client_ends_without_an_answer);
    test("handshake frames without a checksum are taken the second time", missing_checksums_cost_a_repeat);
    test("REKEY survives the loss of itself and of its UTACK, crossing or not", rekeys_survive_losses);
    test("frames under the old key are acknowledged under both keys while our REKEY is under way",
         frames_under_the_old_key_are_acknowledged_twice);
    test("REKEY waits until what was sent before is acknowledged, and nothing leaves until it is itself",
         rekey_is_a_barrier);
    test("who is held back by REKEY of the peer begins nothing new, no PONG either", who_is_held_back_by_rekey_begins_nothing);
    test("REKEY waits for the end of a message of the responder", rekey_waits_for_the_responder);
    test("REKEY is refused after 64 frames, unless it is forced", rekey_becomes_unsafe);
    test("REKEY that becomes unsafe before its turn is refused by an event", one_that_becomes_unsafe_is_refused_by_an_event);
    test("REKEY that is not repeated holds the responder back for a while, and nobody has to wake it",
         a_rekey_that_is_not_repeated_holds_back_for_a_while);
    test("close brings out all that was sent before, and BYE behind it", close_brings_all_out);
    test("close towards a peer that is gone repeats BYE for 3 s", bye_is_repeated_for_a_while);
    test("close with frames under way towards a peer that is gone is over when they are given up",
         close_towards_nobody_ends_with_what_was_sent);
    test("close with REKEY under way and frames of the peer in its way is orderly", close_with_rekey_in_the_way);
    test("repeats of BYE are answered by the same UTACK", repeats_of_bye_are_answered);
}

#else

void datagram_connection_suite(void)
{
}

#endif
