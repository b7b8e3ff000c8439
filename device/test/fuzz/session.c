/**
 * Two ends over a stream or a serial line, driven by a script of actions in any order: output is taken in pieces, bytes arrive
 * cut anywhere, events wait, deadlines pass; the line can change, lose, repeat and invent bytes, and a peer that has
 * authenticated can break the rules. As long as nothing was changed on the way, everything arrives or the session ends.
 */
#include <stdint.h>
#include <string.h>

#include "usmp/frame.h"

#include "ends.h"

#define LINE_SIZE 12000u

/** Bytes on their way. */
typedef struct line {
    uint8_t bytes[LINE_SIZE];
    size_t length;
} line_t;

static world_t world;
/** By the end that writes. */
static line_t lines[2];

static line_t *line_from(const end_t *end)
{
    return &lines[end->is_server];
}

/* ── Driving ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @return how many bytes went onto the line */
static size_t pump(end_t *end, size_t most)
{
    line_t *line = line_from(end);
    size_t length;
    const uint8_t *bytes = end_poll_transmit(&world, end, &length);
    if (bytes == NULL) return 0;
    size_t count = length < most ? length : most;
    if (count > LINE_SIZE - line->length) count = LINE_SIZE - line->length;
    memcpy(line->bytes + line->length, bytes, count);
    line->length += count;
    usmp_transmitted(&end->usmp, count, world.now);
    return count;
}

static void remove_bytes(line_t *line, size_t at, size_t count)
{
    memmove(line->bytes + at, line->bytes + at + count, line->length - at - count);
    line->length -= count;
}

/** @return how many bytes have arrived at the peer of `from` */
static size_t deliver(end_t *from, size_t most)
{
    line_t *line = line_from(from);
    size_t count = line->length < most ? line->length : most;
    if (count == 0) return 0;
    size_t taken = end_input(&world, from->peer, line->bytes, count);
    REQUIRE(taken == count || from->peer->usmp.events != 0, "bytes are left over only where an event waits");
    remove_bytes(line, 0, taken);
    return taken;
}

/** A stream that one end has closed ends for the other one, too. */
static size_t close_stream(end_t *end)
{
    bool over = end->closed && !usmp_lingers(&end->usmp) && line_from(end)->length == 0;
    usmp_state_t state = usmp_state(&end->peer->usmp);
    if (!over || world.transport != USMP_TRANSPORT_STREAM) return 0;
    if (state == USMP_STATE_IDLE || state == USMP_STATE_CLOSED) return 0;
    usmp_handle_end(&end->peer->usmp);
    return 1;
}

static void settle(void)
{
    size_t moved = 1;
    for (unsigned i = 0; moved > 0; i++) {
        REQUIRE(i < MAX_ROUNDS, "two ends come to rest");
        moved = 0;
        for (unsigned e = 0; e < 2; e++) {
            end_t *end = &world.ends[e];
            moved += end_poll_events(&world, end, MAX_ROUNDS);
            if (end->keys_asked && end->keys_later) {
                end->keys_asked = false;
                end_provide_keys(&world, end);
            }
            moved += pump(end, LINE_SIZE);
            moved += deliver(end, LINE_SIZE);
            end_be_timely(&world, end);
            end_check_over(end);
        }
        if (moved == 0) moved = close_stream(CLIENT(&world)) + close_stream(SERVER(&world));
    }
}

static void drain_events(world_t *of)
{
    for (unsigned e = 0; e < 2; e++) (void)end_poll_events(of, &of->ends[e], MAX_ROUNDS);
}

/* ── What the line and the peer can do ───────────────────────────────────────────────────────────────────────────── */

static void flip(line_t *line, script_t *script)
{
    size_t at = script_number(script);
    uint8_t mask = script_byte(script);
    if (line->length == 0 || mask == 0) return;
    line->bytes[at % line->length] ^= mask;
    world.tainted = true;
}

static void lose(line_t *line, script_t *script)
{
    size_t at = script_number(script);
    size_t count = script_byte(script);
    if (line->length == 0) return;
    at %= line->length;
    if (count > line->length - at) count = line->length - at;
    remove_bytes(line, at, count);
    world.tainted |= count > 0;
}

static void insert(line_t *line, size_t at, const uint8_t *bytes, size_t count)
{
    if (count > LINE_SIZE - line->length) return;
    memmove(line->bytes + at + count, line->bytes + at, line->length - at);
    memmove(line->bytes + at, bytes, count);
    line->length += count;
    world.tainted |= count > 0;
}

static void repeat(line_t *line, script_t *script)
{
    uint8_t copy[1024];
    size_t at = script_number(script);
    size_t count = (size_t)script_byte(script) * 4;
    if (line->length == 0) return;
    at %= line->length;
    if (count > line->length - at) count = line->length - at;
    memcpy(copy, line->bytes + at, count);
    insert(line, at, copy, count);
}

static void invent(line_t *line, script_t *script)
{
    uint8_t bytes[32];
    size_t at = script_number(script);
    size_t count = script_byte(script) % sizeof bytes;
    for (size_t i = 0; i < count; i++) bytes[i] = script_byte(script);
    insert(line, line->length == 0 ? 0 : at % line->length, bytes, count);
}

static void forge(end_t *end, script_t *script)
{
    uint8_t frame[USMP_COBS_LEAD + USMP_MAX_FRAME + USMP_COBS_OVERHEAD];
    uint8_t *start = frame + (world.transport == USMP_TRANSPORT_SERIAL ? USMP_COBS_LEAD : 0);
    uint8_t type = (uint8_t)(USMP_DATA + script_byte(script) % 7);
    size_t length = script_number(script) % (USMP_MAX_PLAINTEXT + 1);
    if (type == USMP_HELLO_RETRY) return;
    while (pump(end, LINE_SIZE) > 0) continue;
    if (usmp_pending_transmit(&end->usmp) > 0 || LINE_SIZE - line_from(end)->length < sizeof frame) return;
    bool tainted = world.tainted;
    length = end_forge(&world, end, type, length, start);
    if (length == 0) return;
    if (world.transport == USMP_TRANSPORT_SERIAL) length = usmp_cobs_encode(frame, length);
    insert(line_from(end), line_from(end)->length, frame, length);
    world.tainted = tainted;
}

/** Both ends come near the end of the numbers of one direction, as if they had talked for long. */
static void spend_numbers(end_t *end, uint8_t left)
{
    usmp_record_t *tx = &end->usmp.layer.record;
    usmp_record_t *rx = &end->peer->usmp.layer.record;
    bool open = usmp_state(&end->usmp) == USMP_STATE_OPEN && usmp_state(&end->peer->usmp) == USMP_STATE_OPEN;
    if (!open || !tx->rekey_complete || !rx->rekey_complete || tx->tx_seq != rx->filter.expected) return;
    if (tx->tx_seq > USMP_MAX_SEQUENCE / 2) return;
    tx->tx_seq = rx->filter.expected = USMP_MAX_SEQUENCE + 1 - left % 8;
}

static void begin_again(void)
{
    lines[0].length = lines[1].length = 0;
    world.hostile = world.late = false;
    end_accept(&world, SERVER(&world));
    end_connect(&world, CLIENT(&world));
}

static void act(uint8_t action, script_t *script)
{
    static const uint16_t LENGTHS[] = {0, 1, 451, 452, 453, 904, 905, 1808};
    end_t *end = &world.ends[action >> 7];
    line_t *line = line_from(end);
    trace("%u: action %u of the %s\n", world.now, action & 31, end->is_server ? "server" : "client");
    switch (action & 31) {
    case 0: (void)pump(end, script_number(script)); break;
    case 1: (void)pump(end, LINE_SIZE); break;
    case 2: (void)deliver(end, script_byte(script)); break;
    case 3: (void)deliver(end, script_number(script)); break;
    case 4: (void)end_poll_events(&world, end, script_byte(script) % 3); break;
    case 5: (void)end_poll_events(&world, end, MAX_ROUNDS); break;
    case 6: end_send(&world, end, LENGTHS[action >> 5 & 3]); break;
    case 7: end_send(&world, end, LENGTHS[4 + (action >> 5 & 3)]); break;
    case 8: end_send(&world, end, script_number(script) % (USMP_MAX_MESSAGE + 2)); break;
    case 9: (void)usmp_ping(&end->usmp); break;
    case 10: (void)!usmp_rekey(&end->usmp, false); break;
    case 11: end_close(&world, end); break;
    case 12: settle(); break;
    case 13: end_be_timely(&world, end); break;
    case 14: world_advance(&world, (uint32_t)script_byte(script) * 100, drain_events); break;
    case 15: world_advance(&world, (uint32_t)script_byte(script) * 400, NULL); break;
    case 16: world_jump(&world, script_number(script)); break;
    case 17: flip(line, script); break;
    case 18: lose(line, script); break;
    case 19: repeat(line, script); break;
    case 20: invent(line, script); break;
    case 21:
    case 22: forge(end, script); break;
    case 23: spend_numbers(end, script_byte(script)); break;
    case 24: usmp_handle_end(&end->usmp); break;
    case 25:
        if (end->keys_asked) end_provide_keys(&world, end);
        break;
    case 26: watch_fail(1 + script_byte(script) % 32); break;
    case 27: begin_again(); break;
    case 28:
        if (usmp_state(&CLIENT(&world)->usmp) == USMP_STATE_CLOSED) (void)!usmp_prepare(&CLIENT(&world)->usmp);
        break;
    case 29: (void)usmp_poll_timeout(&end->usmp, world.now); break;
    case 30:
        for (unsigned i = script_byte(script) % 24; i > 0; i--) (void)usmp_ping(&end->usmp), (void)pump(end, LINE_SIZE);
        break;
    default: (void)deliver(end, LINE_SIZE); break;
    }
    for (unsigned e = 0; e < 2; e++) end_check_over(&world.ends[e]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script_t script = {data, data + (size < 1024 ? size : 1024)};
    uint8_t choice = script_byte(&script);
    watch_begin(choice);
    world_begin(&world, (choice & 1) != 0 ? USMP_TRANSPORT_SERIAL : USMP_TRANSPORT_STREAM, &script);
    begin_again();
    if ((choice & 2) != 0) settle();
    for (unsigned i = 0; i < 200 && script.at < script.end; i++) act(script_byte(&script), &script);
    settle();
    world_check_quiet(&world);
    world_finish(&world);
    return 0;
}
