/** Messages in parts, put together in little memory: from the parts alone up to a peer that cuts them as it likes. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"
#include "usmp/message.h"
#include "usmp/record.h"

static void frames_are_counted(void)
{
    static const size_t COUNTS[][2] = {{0, 1},   {1, 1},    {452, 1},  {453, 2}, {904, 2},
                                       {905, 3}, {1356, 3}, {1357, 4}, {1808, 4}};
    for (size_t i = 0; i < COUNT(COUNTS); i++) CHECK_NUMBER(usmp_frame_count(COUNTS[i][0]), COUNTS[i][1]);
}

static uint8_t buffer[USMP_MESSAGE_BUFFER];

static void parts_make_one_message(void)
{
    static const char *const MESSAGES[][4] = {
        {"", NULL}, {"01", NULL}, {"", "", "", ""}, {"01", "", "0203", "04"}, {"aa", "bb", NULL}};
    usmp_message_t message = {0};
    for (size_t i = 0; i < COUNT(MESSAGES); i++) {
        char whole[20] = "";
        for (size_t j = 0; j < 4 && MESSAGES[i][j] != NULL; j++) {
            uint8_t part[4];
            size_t length = unhex(part, sizeof part, MESSAGES[i][j]);
            bool last = j == 3 || MESSAGES[i][j + 1] == NULL;
            CHECK_OK(usmp_message_add(&message, buffer, part, length, last));
            strcat(whole, MESSAGES[i][j]);
            CHECK(last || message.parts == j + 1);
        }
        CHECK_HEX(buffer, message.length, whole);
        CHECK(!message.overlong);
        (void)usmp_message_drop(&message);
    }
    CHECK(!usmp_message_drop(&message));
}

static void a_fourth_part_must_be_the_last(void)
{
    usmp_message_t message = {0};
    uint8_t part[1] = {0};
    for (unsigned i = 0; i < 3; i++) CHECK_OK(usmp_message_add(&message, buffer, part, 0, false));
    CHECK_ERROR(usmp_message_add(&message, buffer, part, 0, false), USMP_ERROR_MESSAGE_TOO_LONG);
}

static void what_does_not_fit_is_overlong(void)
{
    usmp_message_t message = {0};
    static uint8_t part[452];
    size_t length = 0;
    while (length + sizeof part <= USMP_MAX_MESSAGE) {
        bool last = length + sizeof part == 1808;
        CHECK_OK(usmp_message_add(&message, buffer, part, sizeof part, last));
        CHECK(!message.overlong);
        length += sizeof part;
        if (last) return;
    }
    CHECK_OK(usmp_message_add(&message, buffer, part, USMP_MAX_MESSAGE - length, false));
    CHECK(!message.overlong);
    CHECK_NUMBER(message.length, USMP_MAX_MESSAGE);
    CHECK_OK(usmp_message_add(&message, buffer, part, 1, true));
    CHECK(message.overlong);
    CHECK(usmp_message_drop(&message));
}

#if USMP_STREAM && USMP_SERVER

static pair_t pair;

/** Frames of the server, sealed by hand. */
static uint8_t frames[8000];
static size_t frames_length;

static void seal(unsigned type, const uint8_t *text, size_t length)
{
    CHECK_OK(usmp_record_seal(&pair.server.usmp->layer.record, (uint8_t)type, text, length, frames + frames_length));
    frames_length += length + 40;
    if (pair.options.transport != USMP_TRANSPORT_SERIAL) return;
    /* Into its encoding: the frame has to stand behind room for the first zero and code. */
    uint8_t *frame = frames + frames_length - (length + 40);
    memmove(frame + USMP_COBS_LEAD, frame, length + 40);
    frames_length += usmp_cobs_encode(frame, length + 40) - (length + 40);
}

/** A message of `pattern(number)` in these parts. */
static void seal_message(unsigned number, const size_t *parts, size_t count)
{
    uint8_t message[1808];
    size_t length = 0;
    for (size_t i = 0; i < count; i++) length += parts[i];
    pattern(message, length, number);
    length = 0;
    for (size_t i = 0; i < count; i++) {
        seal(i + 1 == count ? USMP_DATA : USMP_DATA_FRAG, message + length, parts[i]);
        length += parts[i];
    }
}

/** Hands over what was sealed, in pieces. */
static void hand_over(size_t piece)
{
    for (size_t start = 0; start < frames_length; start += piece) {
        end_input(&pair, &pair.client, frames + start, piece < frames_length - start ? piece : frames_length - start);
    }
    frames_length = 0;
}

/** Every message is delivered, or dropped with an event where it is too long for this device; the session goes on. */
static void check_messages(const size_t (*parts)[4], const size_t *counts, size_t messages, size_t piece)
{
    size_t delivered = 0, event = 0;
    for (size_t i = 0; i < messages; i++) {
        seal_message((unsigned)i, parts[i], counts[i]);
        hand_over(piece);
    }
    for (size_t i = 0; i < messages; i++) {
        size_t length = 0;
        for (size_t j = 0; j < counts[i]; j++) length += parts[i][j];
        if (!CHECK(event < pair.client.event_count)) return;
        if (length > USMP_MAX_MESSAGE) {
            CHECK_NUMBER(pair.client.events[event++].event.type, USMP_EVENT_MESSAGE_DROPPED);
        } else {
            CHECK_NUMBER(pair.client.events[event++].event.type, USMP_EVENT_MESSAGE);
            CHECK(end_has_message(&pair.client, delivered++, (unsigned)i, length));
        }
    }
    CHECK_NUMBER(pair.client.event_count, event);
    CHECK_NUMBER(usmp_state(pair.client.usmp), USMP_STATE_OPEN);
}

static void parts_of_any_size(usmp_transport_t transport)
{
    static const size_t PARTS[][4] = {
        {0, 0, 0, 0},         {452, 452, 452, 452}, {1, 0, 0, 451},         {452, 0, 0, 0},       {452, 0, 0, 1},
        {0, 0, 0, 452},       {451, 1, 0, 0},       {451, 0, 2, 0},         {1, 1, 1, 449},       {1, 1, 1, 450},
        {412, 1, 39, 0},      {412, 40, 0, 0},      {412, 41, 0, 0},        {440, 12, 0, 0},      {440, 13, 0, 0},
        {452, 452, 0, 0},     {452, 452, 452, 451}, {452, 452, 451, 452},   {226, 226, 0, 0},     {226, 227, 0, 0},
        {400, 452, 452, 452}, {0, 452, 0, 452},     {452, 452, 452, 0},     {449, 4, 0, 0},       {450, 4, 0, 0},
        {452, 4, 0, 0},       {448, 4, 452, 0},     {448, 5, 452, 452},     {3, 449, 1, 0},       {452, 452, 448, 4},
    };
    static const size_t PIECES[] = {1, 13, 10000};
    size_t counts[COUNT(PARTS)];
    for (size_t i = 0; i < COUNT(counts); i++) counts[i] = 4;
    pair_options_t options = {0};
    options.transport = transport;
    for (size_t i = 0; i < COUNT(PIECES); i++) {
        pair_open(&pair, &options);
        test_context("pieces of %zu", PIECES[i]);
        check_messages(PARTS, counts, COUNT(PARTS), PIECES[i]);
        pair_free(&pair);
    }
    chance_t chance = {17};
    const unsigned rounds = getenv("USMP_BRIEF") != NULL ? 4 : 40;
    for (unsigned round = 0; round < rounds; round++) {
        size_t parts[COUNT(PARTS)][4];
        for (size_t i = 0; i < COUNT(PARTS); i++) {
            counts[i] = chance_between(&chance, 1, 4);
            for (size_t j = 0; j < counts[i]; j++) {
                static const uint32_t MOST[] = {0, 2, 40, 150, 226, 452};
                parts[i][j] = chance_between(&chance, 0, MOST[chance_between(&chance, 0, COUNT(MOST) - 1)]);
            }
        }
        pair_open(&pair, &options);
        test_context("round %u", round);
        check_messages((const size_t(*)[4])parts, counts, COUNT(PARTS), chance_between(&chance, 1, 700));
        pair_free(&pair);
    }
}

static void parts_over_a_stream(void)
{
    parts_of_any_size(USMP_TRANSPORT_STREAM);
}

#if USMP_SERIAL
static void parts_over_a_line(void)
{
    parts_of_any_size(USMP_TRANSPORT_SERIAL);
}

/** What is not a frame is dropped as if it had not come (§10), as far as the memory for the parts of a message allows. */
static void noise_between_parts(void)
{
    static const size_t PARTS[] = {40, 2};
    static const uint8_t NOISE[] = {0x00, 0x05, 0x01, 0x02, 0x00, 0x00, 0xFF, 0xFE, 0x00};
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_SERIAL;
    pair_open(&pair, &options);
    for (unsigned i = 0; i < 10; i++) {
        seal_message(i, PARTS, 2);
        memmove(frames + 84 + sizeof NOISE, frames + 84, frames_length - 84);
        memcpy(frames + 84, NOISE, sizeof NOISE);
        frames_length += sizeof NOISE;
        hand_over(1 + i);
        CHECK(end_has_message(&pair.client, i, i, 42));
    }
    pair_free(&pair);
}
#endif

/** The kind of frame that stands between parts; what becomes of it (§5). */
static void nothing_stands_between_parts(void)
{
    static const struct {
        unsigned type;
        size_t length;
        usmp_error_t error;
    } CASES[] = {
        {USMP_PING, 0, USMP_ERROR_UNEXPECTED_FRAME},
        {USMP_PONG, 0, USMP_ERROR_UNEXPECTED_FRAME},
        {USMP_REKEY, 32, USMP_ERROR_UNEXPECTED_FRAME},
        {USMP_BYE, 0, USMP_ERROR_BYE},
        {USMP_PING, 1, USMP_ERROR_BAD_LENGTH},
        {USMP_BYE, 1, USMP_ERROR_BAD_LENGTH},
        {USMP_REKEY, 31, USMP_ERROR_BAD_LENGTH},
        {USMP_REKEY, 452, USMP_ERROR_BAD_LENGTH},
    };
    static const uint8_t text[452];
    static const size_t PARTS[] = {0, 1, 20, 440, 452};
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_STREAM;
    for (size_t i = 0; i < COUNT(CASES) * COUNT(PARTS); i++) {
        pair_open(&pair, &options);
        test_context("case %zu, part of %zu", i / COUNT(PARTS), PARTS[i % COUNT(PARTS)]);
        seal(USMP_DATA_FRAG, text, PARTS[i % COUNT(PARTS)]);
        seal(CASES[i / COUNT(PARTS)].type, text, CASES[i / COUNT(PARTS)].length);
        hand_over(10000);
        CHECK_ERROR(end_closed(&pair.client), CASES[i / COUNT(PARTS)].error);
        CHECK_NUMBER(pair.client.event_count, 1);
        pair_free(&pair);
    }
}

/** Of a peer that has the keys and seals what has no place in a session. */
static void handshake_frames_that_would_open_end_the_session(void)
{
    static const unsigned TYPES[] = {USMP_HELLO, USMP_CHALLENGE, USMP_HELLO_ACK, USMP_SESSION_OK, USMP_HELLO_RETRY};
    static const size_t LENGTHS[] = {0, 20, 452};
    static const uint8_t text[452];
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_STREAM;
    for (size_t i = 0; i < COUNT(TYPES) * COUNT(LENGTHS); i++) {
        pair_open(&pair, &options);
        test_context("type %u, %zu bytes", TYPES[i / COUNT(LENGTHS)], LENGTHS[i % COUNT(LENGTHS)]);
        seal(TYPES[i / COUNT(LENGTHS)], text, LENGTHS[i % COUNT(LENGTHS)]);
        hand_over(10000);
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_UNEXPECTED_FRAME);
        CHECK_NUMBER(pair.client.event_count, 1);
        pair_free(&pair);
    }
}

/** Also where the message is too long for this device. */
static void a_fourth_part_ends_the_session(void)
{
    static const uint8_t text[452];
    static const size_t PARTS[][4] = {
        {0, 0, 0, 0}, {1, 2, 3, 4}, {452, 452, 452, 0}, {452, 452, 452, 452}, {0, 0, 452, 452}};
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_STREAM;
    for (size_t i = 0; i < COUNT(PARTS); i++) {
        pair_open(&pair, &options);
        for (size_t j = 0; j < 4; j++) {
            CHECK_ERROR(end_closed(&pair.client), USMP_OK);
            seal(USMP_DATA_FRAG, text, PARTS[i][j]);
            hand_over(10000);
        }
        CHECK_ERROR(end_closed(&pair.client), USMP_ERROR_MESSAGE_TOO_LONG);
        CHECK_NUMBER(pair.client.event_count, 1);
        pair_free(&pair);
    }
}

/** A message straddles a REKEY of ours, as released peers let it (§7.2): the parts so far stay. */
static void parts_straddle_a_change_of_keys(void)
{
    uint8_t message[900], bytes[300];
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_STREAM;
    for (size_t first = 0; first <= 452; first += 113) {
        pattern(message, sizeof message, 7);
        pair_open(&pair, &options);
        test_context("%zu bytes before it", first);
        seal(USMP_DATA_FRAG, message, first);
        hand_over(50);
        CHECK_OK(usmp_rekey(pair.client.usmp, false));
        size_t length = end_take_output(&pair, &pair.client, bytes, sizeof bytes);
        end_input(&pair, &pair.server, bytes, length);
        seal(USMP_DATA, message + first, 452 - first);
        hand_over(50);
        CHECK(end_has_message(&pair.client, 0, 7, 452));
        CHECK_NUMBER(end_count(&pair.client, USMP_EVENT_REKEYED), 1);
        pair_free(&pair);
    }
}

#endif

void message_suite(void)
{
    test("a message takes as few frames as it can, and at least one", frames_are_counted);
    test("parts of any size make one message, and the next begins anew", parts_make_one_message);
    test("a fourth part that is not the last ends a message", a_fourth_part_must_be_the_last);
    test("a message that is longer than this device takes is marked by the byte too many", what_does_not_fit_is_overlong);
#if USMP_STREAM && USMP_SERVER
    test("over a stream, parts of any size make messages; what is too long is dropped, and the next one is intact",
         parts_over_a_stream);
#if USMP_SERIAL
    test("over a serial line, parts of any size make messages; what is too long is dropped, and the next one is intact",
         parts_over_a_line);
    test("noise between the parts of a message does no harm", noise_between_parts);
#endif
    test("PING, PONG and REKEY between parts are refused, BYE drops the parts", nothing_stands_between_parts);
    test("a handshake frame ends a session over a stream, also one that would open",
         handshake_frames_that_would_open_end_the_session);
    test("a fourth part that is DATA_FRAG ends the session, without waiting for a fifth", a_fourth_part_ends_the_session);
    test("a message may straddle a change of keys", parts_straddle_a_change_of_keys);
#endif
}
