/** Frames: header, checksum, and what of it is acceptable. */
#include "suites.h"

#include <string.h>

#include "pair.h"
#include "tap.h"
#include "vectors.h"

#include "usmp/frame.h"

static void frames_are_as_specified(void)
{
    static const uint8_t payload[] = {0xAA, 0xBB};
    uint8_t frame[14];
    usmp_frame_write_header(frame, USMP_DATA, 0x01020304, sizeof payload);
    memcpy(USMP_PAYLOAD(frame), payload, sizeof payload);
    usmp_frame_write_checksum(frame);
    CHECK_HEX(frame, sizeof frame, "cdab02050403020102000296aabb");
    CHECK(usmp_frame_checksum_fits(frame));
}

static void checksums_cover_all_but_themselves(void)
{
    uint8_t frame[40];
    size_t length = make_frame(frame, USMP_DATA, 7, (const uint8_t *)"twenty-eight bytes of payload", 28);
    CHECK(usmp_frame_checksum_fits(frame));
    for (size_t i = 0; i < length; i++) {
        /* A length that grows would be read beyond the frame, and is known before. */
        if (i == 8 || i == 9) continue;
        frame[i] ^= 0x04;
        CHECK(!usmp_frame_checksum_fits(frame));
        frame[i] ^= 0x04;
    }
}

static void handshake_types_are_told_apart(void)
{
    for (unsigned type = USMP_HELLO; type <= USMP_REKEY; type++) {
        CHECK_NUMBER(usmp_is_handshake_type((uint8_t)type), type <= USMP_SESSION_OK || type == USMP_HELLO_RETRY);
    }
}

static void every_value_of_every_byte_gets_its_verdict(void)
{
    uint8_t frame[12];
    size_t size;
    for (unsigned value = 0; value < 256; value++) {
        (void)make_frame(frame, USMP_DATA, 0, NULL, 0);
        frame[0] = (uint8_t)value;
        CHECK_ERROR(usmp_frame_measure(frame, 1, &size), value == 0xCD ? USMP_OK : USMP_ERROR_BAD_MAGIC);
        frame[0] = 0xCD;
        frame[1] = (uint8_t)value;
        CHECK_ERROR(usmp_frame_measure(frame, 2, &size), value == 0xAB ? USMP_OK : USMP_ERROR_BAD_MAGIC);
        frame[1] = 0xAB;
        frame[2] = (uint8_t)value;
        usmp_error_t error = value == 1 ? USMP_ERROR_VERSION_1 : value == 2 ? USMP_OK : USMP_ERROR_UNSUPPORTED_VERSION;
        CHECK_ERROR(usmp_frame_measure(frame, 3, &size), error);
        frame[2] = 2;
        frame[3] = (uint8_t)value;
        CHECK_ERROR(usmp_frame_measure(frame, 4, &size), value >= 1 && value <= 11 ? USMP_OK : USMP_ERROR_BAD_TYPE);
    }
}

static void lengths_have_a_limit(void)
{
    uint8_t frame[12];
    size_t size;
    (void)make_frame(frame, USMP_DATA, 0, NULL, 0);
    for (unsigned length = 0; length < 0x10000; length++) {
        frame[8] = (uint8_t)length;
        frame[9] = (uint8_t)(length >> 8);
        usmp_error_t error = length <= 480 ? USMP_OK : USMP_ERROR_BAD_LENGTH;
        if (usmp_frame_measure(frame, 12, &size) != error || (error == USMP_OK && size != 12 + length)) {
            FAIL("length %u", length);
            return;
        }
    }
    for (size_t available = 0; available < 10; available++) {
        CHECK_OK(usmp_frame_measure(frame, available, &size));
        CHECK_NUMBER(size, 12);
    }
    CHECK_ERROR(usmp_frame_measure(frame, 10, &size), USMP_ERROR_BAD_LENGTH);
}

/** What the parser says of a stream that comes in pieces. */
static void judge(const uint8_t *bytes, size_t length, size_t piece, const char *error)
{
    usmp_error_t found = USMP_OK;
    uint8_t held[1200];
    size_t size = 0, have = 0;
    if (piece == 0) piece = length;
    for (size_t start = 0; start < length && found == USMP_OK; start += piece) {
        size_t count = piece < length - start ? piece : length - start;
        memcpy(held + have, bytes + start, count);
        have += count;
        found = usmp_frame_measure(held, have, &size);
        if (found != USMP_OK || have < USMP_HEADER_LENGTH || have < size) continue;
        if (!usmp_is_handshake_type(held[3]) && !usmp_frame_checksum_fits(held)) found = USMP_ERROR_BAD_CRC;
        else FAIL("a frame, in pieces of %zu", piece);
    }
    CHECK_TEXT(usmp_error_code(found), error == NULL ? "ok" : error);
}

static void streams_of_the_vectors(void)
{
    static const size_t PIECES[] = {0, 1, 2, 7, 11, 13};
    uint8_t bytes[1200];
    for (size_t i = 0; i < INVALID_STREAMS_COUNT; i++) {
        const stream_vector_t *vector = &INVALID_STREAMS[i];
        test_context("%s", vector->name);
        size_t length = unhex(bytes, sizeof bytes, vector->bytes);
        for (size_t j = 0; j < COUNT(PIECES); j++) {
            judge(bytes, vector->error == NULL ? length : vector->at, PIECES[j], vector->error);
            if (vector->error != NULL) judge(bytes, vector->at - 1, PIECES[j], NULL);
        }
    }
}

void frame_suite(void)
{
    test("a frame is the header of the specification, its checksum and the payload", frames_are_as_specified);
    test("a checksum covers all of a frame but itself", checksums_cover_all_but_themselves);
    test("types of the handshake are told from those of the session", handshake_types_are_told_apart);
    test("every value of every byte of a header gets its verdict, as soon as it is there",
         every_value_of_every_byte_gets_its_verdict);
    test("a payload of 480 bytes is taken and one of more is not", lengths_have_a_limit);
    test("streams of the vectors are refused after exactly so many bytes, however they are cut", streams_of_the_vectors);
}
