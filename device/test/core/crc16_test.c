#include "suites.h"

#include "pair.h"
#include "tap.h"
#include "vectors.h"

#include "usmp/frame.h"

static void vectors_fit(void)
{
    uint8_t bytes[2000];
    for (size_t i = 0; i < CRCS_COUNT; i++) {
        size_t length = unhex(bytes, sizeof bytes, CRCS[i].bytes);
        CHECK_NUMBER(usmp_crc16(bytes, length, 0xFFFF), CRCS[i].crc);
    }
}

static void the_check_value(void)
{
    CHECK_NUMBER(usmp_crc16((const uint8_t *)"123456789", 9, 0xFFFF), 0x4B37);
}

static void goes_on_anywhere(void)
{
    uint8_t bytes[300];
    chance_t chance = {4};
    chance_fill(&chance, bytes, sizeof bytes);
    uint16_t whole = slow_crc16(bytes, sizeof bytes, 0xFFFF);
    for (size_t i = 0; i <= sizeof bytes; i++) {
        CHECK_NUMBER(usmp_crc16(bytes + i, sizeof bytes - i, usmp_crc16(bytes, i, 0xFFFF)), whole);
    }
}

void crc16_suite(void)
{
    test("checksums are those of the vectors", vectors_fit);
    test("the check value of 123456789 is 0x4B37", the_check_value);
    test("a checksum goes on from where another one has ended", goes_on_anywhere);
}
