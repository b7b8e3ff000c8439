/**
 * Bytes that are anything: as a stream, as blocks of a serial line, as datagrams, and the pure functions underneath compared with
 * others that are written another way. A verdict does not depend on how the bytes were cut (spec/protocol.md §2.4, §10).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "usmp/frame.h"
#include "usmp/serial_endpoint.h"
#include "usmp/utack.h"

#include "ends.h"

#define LONGEST_ENCODED 508u

/* ── The same, slowly ────────────────────────────────────────────────────────────────────────────────────────────── */

/** CRC-16/MODBUS bit by bit. */
static uint16_t slow_crc(const uint8_t *bytes, size_t length)
{
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < length * 8; i++) {
        unsigned bit = (bytes[i / 8] >> i % 8 ^ crc) & 1u;
        crc = (uint16_t)(crc >> 1 ^ (bit != 0 ? 0xA001u : 0u));
    }
    return crc;
}

/** COBS as its definition says it: groups, each with the zero that it stands for, but the last. @return length, or 0 */
static size_t slow_decode(const uint8_t *block, size_t length, uint8_t *out)
{
    size_t at = 0;
    size_t count = 0;
    while (at < length) {
        size_t code = block[at];
        if (code == 0 || at + code > length) return 0;
        for (size_t i = 1; i < code; i++) out[count++] = block[at + i];
        at += code;
        if (code != 0xFF && at < length) out[count++] = 0;
    }
    return count;
}

/** The verdict on the beginning of a stream, by the table of §2.1 and the order of §2.4. */
static usmp_error_t slow_verdict(const uint8_t *bytes, size_t length)
{
    if (length >= 1 && bytes[0] != 0xCD) return USMP_ERROR_BAD_MAGIC;
    if (length >= 2 && bytes[1] != 0xAB) return USMP_ERROR_BAD_MAGIC;
    if (length >= 3 && bytes[2] == 1) return USMP_ERROR_VERSION_1;
    if (length >= 3 && bytes[2] != 2) return USMP_ERROR_UNSUPPORTED_VERSION;
    if (length >= 4 && (bytes[3] == 0 || bytes[3] > 11)) return USMP_ERROR_BAD_TYPE;
    if (length >= 10 && bytes[8] + bytes[9] * 256u > 480) return USMP_ERROR_BAD_LENGTH;
    return USMP_OK;
}

/* ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void try_functions(const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length + 1);
    uint8_t decoded[600];
    size_t size;
    memcpy(exact, bytes, length);

    REQUIRE(usmp_crc16(exact, length, 0xFFFF) == slow_crc(bytes, length), "the checksum is CRC-16/MODBUS");
    for (size_t available = 0; available <= length && available <= USMP_HEADER_LENGTH; available++) {
        usmp_error_t error = usmp_frame_measure(exact, available, &size);
        REQUIRE(error == slow_verdict(bytes, available), "a header is judged by magic, version, type and length");
        REQUIRE(error != USMP_OK || (size >= USMP_HEADER_LENGTH && size <= USMP_MAX_FRAME), "a frame has at most 492 bytes");
    }
    if (usmp_utack_is(exact, length)) (void)usmp_utack_fits(exact, length);

    if (length <= 510 && memchr(bytes, 0, length) == NULL) {
        size_t expected = slow_decode(bytes, length, decoded);
        REQUIRE(usmp_cobs_decode(exact, length) == expected, "a block decodes as COBS says, or not at all");
        REQUIRE(same(exact, decoded, expected), "a block decodes to what was encoded");
    }
    free(exact);
}

static void try_encoding(const uint8_t *bytes, size_t length)
{
    if (length == 0 || length > LONGEST_ENCODED) return;
    uint8_t *line = malloc(length + USMP_COBS_OVERHEAD);
    memcpy(line + USMP_COBS_LEAD, bytes, length);
    size_t size = usmp_cobs_encode(line, length);
    REQUIRE(size <= length + USMP_COBS_OVERHEAD, "COBS adds at most four bytes");
    REQUIRE(line[0] == 0 && line[size - 1] == 0 && memchr(line + 1, 0, size - 2) == NULL, "zeros stand around a block only");
    REQUIRE(usmp_cobs_decode(line + 1, size - 2) == length && same(line + 1, bytes, length), "what was encoded is decoded");
    free(line);
}

/* ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct verdict {
    usmp_state_t state;
    usmp_error_t error;
    size_t sent;
    unsigned events;
} verdict_t;

static world_t world;

/** What becomes of a server that gets these bytes in pieces. */
static verdict_t feed(const uint8_t *bytes, size_t length, size_t piece)
{
    end_t *server = SERVER(&world);
    verdict_t verdict = {0};
    watch_begin(1);
    watch_end(&server->usmp);
    end_accept(&world, server);
    for (size_t at = 0, rounds = 0; at < length; rounds++) {
        REQUIRE(rounds < 4 * length + 16, "bytes are taken in the end");
        size_t count = length - at < piece ? length - at : piece;
        size_t taken = end_input(&world, server, bytes + at, count);
        at += taken;
        unsigned events = end_poll_events(&world, server, MAX_ROUNDS);
        REQUIRE(taken > 0 || events > 0, "bytes are left over only where an event waits");
        verdict.events += events;
    }
    verdict.state = usmp_state(&server->usmp);
    verdict.error = server->error;
    verdict.sent = usmp_pending_transmit(&server->usmp);
    usmp_wipe(&server->usmp);
    return verdict;
}

static void try_cuts(const uint8_t *bytes, size_t length, size_t piece)
{
    verdict_t whole = feed(bytes, length, length + 1);
    verdict_t single = feed(bytes, length, 1);
    verdict_t cut = feed(bytes, length, piece);
    REQUIRE(memcmp(&whole, &single, sizeof whole) == 0 && memcmp(&whole, &cut, sizeof whole) == 0,
            "a verdict does not depend on how the bytes were cut");
    REQUIRE(whole.state != USMP_STATE_OPEN, "nobody without the key is let in");
}

static usmp_serial_endpoint_t line;

static void try_line(const uint8_t *bytes, size_t length, size_t piece)
{
    uint32_t strays = 0;
    for (unsigned round = 0; round < 2; round++) {
        watch_begin(1);
        REQUIRE(usmp_serial_endpoint_begin(&line, &SERVER(&world)->settings, 0) == USMP_OK, "a line can begin");
        for (size_t at = 0, rounds = 0; at < length; rounds++) {
            REQUIRE(rounds < 4 * length + 16, "bytes are taken in the end");
            size_t count = length - at < piece ? length - at : piece;
            uint8_t *exact = malloc(count);
            memcpy(exact, bytes + at, count);
            size_t taken = usmp_serial_endpoint_handle_input(&line, exact, count, 0);
            free(exact);
            REQUIRE(taken <= count, "no more is taken than was given");
            at += taken;
            usmp_event_t event;
            for (unsigned i = 0; i < 2; i++) {
                while (usmp_poll_event(&line.peers[i], &event)) {
                    REQUIRE(event.type != USMP_EVENT_OPEN, "nobody without the key is let in");
                    if (event.type == USMP_EVENT_KEYS_WANTED) usmp_provide_keys(&line.peers[i], event.data, NULL, 0, 0);
                }
            }
        }
        if (round == 0) strays = line.strays;
        REQUIRE(strays == line.strays, "a line counts the same however its bytes are cut");
        piece = 1;
        usmp_wipe(&line.peers[0]);
        usmp_wipe(&line.peers[1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t BEGINNING[4];
    script_t script = {data, data + size};
    script_t beginning = {BEGINNING, BEGINNING + sizeof BEGINNING};
    uint8_t choice = script_byte(&script);
    const uint8_t *bytes = script.at;
    size_t length = (size_t)(script.end - script.at);
    size_t piece = 2u + (choice >> 4) * 3u;

    watch_begin(1);
    world_begin(&world, (choice & 5) != 0 ? USMP_TRANSPORT_SERIAL : USMP_TRANSPORT_STREAM, &beginning);
    world.tainted = true;
    switch (choice % 4) {
    case 0: try_functions(bytes, length); break;
    case 1: try_encoding(bytes, length); break;
    case 2: try_cuts(bytes, length, piece); break;
    default: try_line(bytes, length, piece); break;
    }
    return 0;
}
