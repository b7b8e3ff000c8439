/** Frames on a serial line: their encoding, and a line that is full of noise. */
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "pair.h"
#include "tap.h"
#include "vectors.h"

#include "usmp/cobs.h"

/** Decodes memory of exactly this size. */
static size_t decode(const uint8_t *block, size_t length, uint8_t *out)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    if (copy == NULL) abort();
    if (length > 0) memcpy(copy, block, length);
    size_t size = usmp_cobs_decode(copy, length);
    CHECK(size <= length);
    if (size > 0) memcpy(out, copy, size);
    free(copy);
    return size;
}

/** Encodes where it stands, in memory of exactly the size that is needed. @return length of the block between the zeros */
static size_t encode(const uint8_t *bytes, size_t length, uint8_t *block)
{
    uint8_t *line = malloc(length + USMP_COBS_OVERHEAD);
    if (line == NULL) abort();
    memcpy(line + USMP_COBS_LEAD, bytes, length);
    size_t size = usmp_cobs_encode(line, length);
    CHECK(size <= length + USMP_COBS_OVERHEAD);
    CHECK(line[0] == 0 && line[size - 1] == 0);
    for (size_t i = 1; i + 1 < size; i++) CHECK(line[i] != 0);
    memcpy(block, line + 1, size - 2);
    free(line);
    return size - 2;
}

static void blocks_of_the_vectors(void)
{
    uint8_t plain[600], block[600], out[600];
    for (size_t i = 0; i < COBS_BLOCKS_COUNT; i++) {
        size_t length = unhex(plain, sizeof plain, COBS_BLOCKS[i].decoded);
        size_t size = unhex(block, sizeof block, COBS_BLOCKS[i].encoded);
        test_context("%s", COBS_BLOCKS[i].name);
        CHECK_BYTES(out, decode(block, size, out), plain, length);
        if (length > 0 && length <= 508) CHECK_BYTES(out, encode(plain, length, out), block, size);
    }
    for (size_t i = 0; i < COBS_DECODE_ONLY_COUNT; i++) {
        size_t size = unhex(block, sizeof block, COBS_DECODE_ONLY[i].encoded);
        test_context("%s", COBS_DECODE_ONLY[i].name);
        CHECK_HEX(out, decode(block, size, out), COBS_DECODE_ONLY[i].decoded);
    }
}

static void blocks_that_do_not_decode(void)
{
    uint8_t block[600], out[600];
    for (size_t i = 0; i < COBS_INVALID_COUNT; i++) {
        test_context("%s", COBS_INVALID[i].name);
        size_t size = unhex(block, sizeof block, COBS_INVALID[i].encoded);
        /* A zero inside of a block cannot come from a line. */
        if (memchr(block, 0, size) == NULL) CHECK_NUMBER(decode(block, size, out), 0);
    }
}

static void any_bytes_come_back(void)
{
    uint8_t bytes[508], block[600], out[600];
    chance_t chance = {21};
    for (size_t length = 1; length <= sizeof bytes; length++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            chance_fill(&chance, bytes, length);
            for (size_t i = 0; i < length; i++) {
                if (kind == 0) bytes[i] = 0;
                if (kind == 1) bytes[i] = (uint8_t)(i % 255 + 1);
                if (kind == 2 && bytes[i] < 200) bytes[i] = 0;
            }
            size_t size = encode(bytes, length, block);
            CHECK(size <= length + (length + 253) / 254);
            CHECK_BYTES(out, decode(block, size, out), bytes, length);
        }
    }
}

static void any_block_decodes_within_its_bounds(void)
{
    uint8_t block[600], out[600];
    chance_t chance = {22};
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = chance_between(&chance, 0, 520);
        chance_fill(&chance, block, length);
        for (size_t j = 0; j < length; j++) {
            if (block[j] == 0 || (i % 2 == 0 && block[j] > 30)) block[j] = 1;
        }
        (void)decode(block, length, out);
    }
}

#if USMP_SERIAL && USMP_SERVER



static pair_t pair;

/** Noise around and inside of a conversation: what is no frame has no effect. */
static void noise_has_no_effect(void)
{
    static uint8_t line[4000];
    pair_options_t options = {0};
    chance_t chance = {23};
    options.transport = USMP_TRANSPORT_SERIAL;
    options.endpoint = true;
    for (unsigned round = 0; round < 30; round++) {
        options.seed = round + 1;
        pair_open(&pair, &options);
        for (unsigned i = 0; i < 10; i++) {
            size_t size = chance_between(&chance, 0, 452), length = 0;
            end_t *from = i % 2 == 0 ? &pair.client : &pair.server;
            end_t *to = pair_other(&pair, from);
            end_send_pattern(&pair, from, i, size);
            if (chance_percent(&chance, 70)) {
                length = chance_between(&chance, 0, 1500);
                chance_fill(&chance, line, length);
            }
            length += end_take_output(&pair, from, line + length, sizeof line - length);
            size_t piece = chance_between(&chance, 1, 300);
            for (size_t start = 0; start < length; start += piece) {
                end_input(&pair, to, line + start, piece < length - start ? piece : length - start);
            }
            CHECK(end_has_message(to, i / 2, i, size));
        }
        pair_free(&pair);
    }
}

/** A run of bytes without a zero, however long, costs no more than one block. */
static void endless_blocks_are_harmless(void)
{
    static uint8_t endless[70000];
    pair_options_t options = {0};
    options.transport = USMP_TRANSPORT_SERIAL;
    for (unsigned endpoint = 0; endpoint < 2; endpoint++) {
        options.endpoint = endpoint == 1;
        pair_open(&pair, &options);
        memset(endless, 0x55, sizeof endless);
        end_input(&pair, &pair.client, endless, sizeof endless);
        end_input(&pair, &pair.server, endless, sizeof endless);
        for (unsigned i = 0; i < 2; i++) {
            end_send_pattern(&pair, &pair.client, i, 452);
            end_send_pattern(&pair, &pair.server, i, 452);
            pair_settle(&pair);
            CHECK(end_has_message(&pair.client, i, i, 452));
            CHECK(end_has_message(&pair.server, i, i, 452));
        }
        pair_free(&pair);
    }
}

#endif

void cobs_suite(void)
{
    test("blocks of the vectors are encoded and decoded as the specification says", blocks_of_the_vectors);
    test("blocks whose groups do not fit are not decoded", blocks_that_do_not_decode);
    test("any bytes come back, without a zero in the block, in memory of exactly the size that is said",
         any_bytes_come_back);
    test("any block decodes without a step over its end", any_block_decodes_within_its_bounds);
#if USMP_SERIAL && USMP_SERVER
    test("noise between frames has no effect, however the line is cut", noise_has_no_effect);
    test("a block without end costs nothing, and the next frame is taken", endless_blocks_are_harmless);
#endif
}
