/**
 * Two ends over datagrams, and between them a line that a script rules: it loses, doubles, reorders, damages, invents and replays
 * what it likes. While both ends are driven in time, nothing that was sent is lost unless the session ends; and nothing that
 * anybody on the path does changes what arrives.
 */
#include <stdint.h>
#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"

#include "ends.h"

#define MAX_QUEUED 24u
#define MAX_OLD 16u

typedef struct datagram {
    uint16_t length;
    uint8_t bytes[USMP_MAX_FRAME];
} datagram_t;

/** One direction: what is under way, and some of what was. */
typedef struct line {
    datagram_t queue[MAX_QUEUED];
    unsigned count;
    datagram_t old[MAX_OLD];
    unsigned passed;
} line_t;

static world_t world;
/** By the end that writes. */
static line_t lines[2];
/** While the clock goes on: what becomes of datagrams, bit by bit; and whose application takes no events. */
static uint32_t losses;
static bool starving[2];
static unsigned bursts;

/** Of so many messages each: enough for the window of a receiver to pass over what is missing. */
#define MAX_BURSTS 4u
#define BURST 80u

static line_t *line_from(const end_t *end)
{
    return &lines[end->is_server];
}

/** What happens in the handshake can spoil it (spec/protocol.md §12), and nothing else. */
static void tamper(void)
{
    world.tainted |= !CLIENT(&world)->opened || !SERVER(&world)->opened;
}

static void put(line_t *line, const uint8_t *bytes, size_t length)
{
    datagram_t *old = &line->old[line->passed++ % MAX_OLD];
    old->length = (uint16_t)length;
    memcpy(old->bytes, bytes, length);
    /* A full line loses what comes last. */
    if (line->count < MAX_QUEUED) line->queue[line->count++] = *old;
}

static void take_out(line_t *line, unsigned index)
{
    line->count--;
    memmove(&line->queue[index], &line->queue[index + 1], (line->count - index) * sizeof line->queue[0]);
}

/* ── Driving ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned pump(end_t *end, unsigned most)
{
    unsigned count = 0;
    size_t length;
    const uint8_t *bytes;
    while (count < most && (bytes = end_poll_transmit(&world, end, &length)) != NULL) {
        trace("  %s sends %s %u, %zu bytes\n", end->is_server ? "server" : "client", bytes[0] == 0xAC ? "UTACK of" : "type",
              bytes[0] == 0xAC ? bytes[2] : bytes[3], length);
        put(line_from(end), bytes, length);
        usmp_transmitted(&end->usmp, length, world.now);
        REQUIRE(++count < 300, "datagrams to send come to an end");
    }
    return count;
}

/** Hands over one datagram; it is lost where the peer does not take it. */
static void deliver(end_t *from, unsigned index)
{
    line_t *line = line_from(from);
    if (line->count == 0) return;
    index %= line->count;
    datagram_t datagram = line->queue[index];
    take_out(line, index);
    size_t taken = end_input(&world, from->peer, datagram.bytes, datagram.length);
    REQUIRE(taken == datagram.length || taken == 0, "a datagram is taken as a whole");
    bool waits = from->peer->usmp.events != 0 || from->peer->usmp.datagram.utack_lengths[0] > 0;
    REQUIRE(taken == datagram.length || waits, "a datagram is left over only where something waits");
}

static bool next_is_lost(void)
{
    bool lost = (losses & 1) != 0;
    losses = losses >> 1 | (uint32_t)lost << 31;
    return lost;
}

static void drain_events(world_t *of, end_t *end)
{
    if (!starving[end->is_server]) (void)end_poll_events(of, end, MAX_ROUNDS);
    if (!end->keys_asked || !end->keys_later) return;
    end->keys_asked = false;
    end_provide_keys(of, end);
}

/** As a driver does: events, output, and what has come, one after the other, losing some. */
static unsigned drain_once(world_t *of)
{
    unsigned moved = 0;
    for (unsigned e = 0; e < 2; e++) {
        end_t *end = &of->ends[e];
        drain_events(of, end);
        moved += pump(end, MAX_ROUNDS);
        for (unsigned left = line_from(end)->count; left > 0; left--) {
            if (next_is_lost()) {
                take_out(line_from(end), 0);
                continue;
            }
            deliver(end, 0);
            drain_events(of, end->peer);
            moved += pump(end->peer, MAX_ROUNDS);
        }
        end_check_over(end);
    }
    return moved;
}

static void drain(world_t *of)
{
    for (unsigned i = 0; drain_once(of) > 0; i++) REQUIRE(i < MAX_ROUNDS, "two ends come to rest");
}

static void pass_time(uint32_t milliseconds)
{
    world_advance(&world, milliseconds, drain);
    drain(&world);
}

/* ── What the line can do ────────────────────────────────────────────────────────────────────────────────────────── */

static void flip(line_t *line, script_t *script)
{
    unsigned index = script_byte(script);
    size_t at = script_number(script);
    uint8_t mask = script_byte(script);
    if (line->count == 0) return;
    datagram_t *datagram = &line->queue[index % line->count];
    if (datagram->length == 0) return;
    datagram->bytes[at % datagram->length] ^= mask;
    if ((at & 0x8000) != 0 && datagram->length >= USMP_HEADER_LENGTH && usmp_load16(datagram->bytes + 8) <= USMP_MAX_PAYLOAD &&
        usmp_load16(datagram->bytes + 8) + USMP_HEADER_LENGTH <= datagram->length) {
        usmp_frame_write_checksum(datagram->bytes);
    }
    tamper();
}

static void cut(line_t *line, script_t *script)
{
    unsigned index = script_byte(script);
    size_t length = script_number(script);
    if (line->count == 0) return;
    datagram_t *datagram = &line->queue[index % line->count];
    datagram->length = (uint16_t)(length % (datagram->length + 1u));
    tamper();
}

static void invent(line_t *line, script_t *script)
{
    uint8_t bytes[96];
    size_t count = script_byte(script) % sizeof bytes;
    for (size_t i = 0; i < count; i++) bytes[i] = script_byte(script);
    put(line, bytes, count);
    tamper();
}

/** A frame with header and checksum, but of anybody. */
static void invent_frame(line_t *line, script_t *script)
{
    uint8_t frame[USMP_HEADER_LENGTH + 64];
    uint8_t type = (uint8_t)(1 + script_byte(script) % 11);
    uint32_t seq = script_number(script);
    size_t length = script_byte(script) % 65;
    uint8_t filling = script_byte(script);
    memset(frame, filling, sizeof frame);
    if (seq >= 0xFF00) seq |= 0xFFFF0000;
    usmp_frame_write_header(frame, type, seq, length);
    usmp_frame_write_checksum(frame);
    put(line, frame, USMP_HEADER_LENGTH + length);
    tamper();
}

static void invent_utack(line_t *line, script_t *script)
{
    uint8_t utack[USMP_UTACK_LENGTH] = {0xAC, 0xAC};
    uint8_t type = script_byte(script);
    utack[2] = (uint8_t)(1 + type % 11);
    utack[3] = script_byte(script);
    put(line, utack, (type & 0x80) != 0 ? USMP_UTACK_HEADER_LENGTH : USMP_UTACK_LENGTH);
    tamper();
}

static void replay(line_t *line, script_t *script)
{
    unsigned index = script_byte(script) % MAX_OLD;
    if (index >= line->passed) return;
    datagram_t datagram = line->old[index];
    put(line, datagram.bytes, datagram.length);
}

/* ── What the ends can do ────────────────────────────────────────────────────────────────────────────────────────── */

static void forge(end_t *end, script_t *script)
{
    uint8_t frame[USMP_MAX_FRAME];
    uint8_t type = (uint8_t)(USMP_DATA + script_byte(script) % 7);
    size_t length = script_number(script) % (USMP_MAX_PLAINTEXT + 1);
    if (type == USMP_HELLO_RETRY) return;
    length = end_forge(&world, end, type, length, frame);
    if (length == 0) return;
    world.may_lose = world.hostile = true;
    world.unaccountable |= type == USMP_DATA_FRAG || end->usmp.datagram.window.count > 0;
    put(line_from(end), frame, length);
}

static void spend_numbers(end_t *end, uint8_t left)
{
    usmp_record_t *tx = &end->usmp.layer.record;
    usmp_replay_t *rx = &end->peer->usmp.layer.record.filter;
    if (usmp_state(&end->usmp) != USMP_STATE_OPEN || usmp_state(&end->peer->usmp) != USMP_STATE_OPEN) return;
    if (!tx->rekey_complete || !end->peer->usmp.layer.record.rekey_complete || tx->tx_seq > USMP_MAX_SEQUENCE / 2) return;
    if (tx->tx_seq != rx->expected || rx->next != rx->expected || end->usmp.datagram.window.count > 0) return;
    tx->tx_seq = rx->expected = rx->next = USMP_MAX_SEQUENCE + 1 - left % 80;
}

static void begin_again(void)
{
    lines[0].count = lines[1].count = lines[0].passed = lines[1].passed = 0;
    world.hostile = world.late = world.tainted = world.may_lose = world.unaccountable = false;
    end_accept(&world, SERVER(&world));
    end_connect(&world, CLIENT(&world));
}

static void act(uint8_t action, script_t *script)
{
    static const uint16_t LENGTHS[] = {0, 20, 452, 453};
    end_t *end = &world.ends[action >> 7];
    line_t *line = line_from(end);
    trace("%u: action %u of the %s\n", world.now, action & 31, end->is_server ? "server" : "client");
    switch (action & 31) {
    case 0: (void)pump(end, 1 + script_byte(script) % 4); break;
    case 1: (void)pump(end, MAX_ROUNDS); break;
    case 2: deliver(end, 0); break;
    case 3: deliver(end, script_byte(script)); break;
    case 4:
        while (line->count > 0) deliver(end, line->count - 1);
        break;
    case 5:
        if (line->count > 0) take_out(line, script_byte(script) % line->count);
        break;
    case 6: line->count = 0; break;
    case 7: (void)end_poll_events(&world, end, 1); break;
    case 8: (void)end_poll_events(&world, end, MAX_ROUNDS); break;
    case 9: end_send(&world, end, LENGTHS[action >> 5 & 3]); break;
    case 10: end_send(&world, end, script_number(script) % (USMP_MAX_MESSAGE + 2)); break;
    case 11: (void)usmp_ping(&end->usmp); break;
    case 12: (void)!usmp_rekey(&end->usmp, (action & 32) != 0); break;
    case 13: end_close(&world, end); break;
    case 14:
        losses = 0;
        pass_time(0);
        break;
    case 15:
        losses = (uint32_t)script_number(script) | (uint32_t)script_number(script) << 16;
        pass_time((uint32_t)script_byte(script) * 16);
        break;
    case 16:
        losses = (action & 32) != 0 ? UINT32_MAX : 0;
        pass_time((uint32_t)script_byte(script) * 80);
        break;
    case 17: starving[action >> 7] ^= 1; break;
    case 18:
        world_jump(&world, script_number(script));
        world.may_lose = true;
        break;
    case 19: flip(line, script); break;
    case 20: cut(line, script); break;
    case 21: invent(line, script); break;
    case 22: invent_frame(line, script); break;
    case 23: invent_utack(line, script); break;
    case 24: replay(line, script); break;
    case 25: forge(end, script); break;
    case 26: spend_numbers(end, script_byte(script)); break;
    case 27: usmp_handle_end(&end->usmp); break;
    case 28: watch_fail(1 + script_byte(script) % 32); break;
    case 29: begin_again(); break;
    case 30:
        if (++bursts > MAX_BURSTS) break;
        for (unsigned i = script_byte(script) % BURST; i > 0; i--) {
            end_send(&world, end, i % 9);
            losses = 0;
            drain(&world);
            if (end->sent_count > MAX_SENT - 8) (void)usmp_ping(&end->usmp);
        }
        break;
    default: end_be_timely(&world, end); break;
    }
    for (unsigned e = 0; e < 2; e++) end_check_over(&world.ends[e]);
}

/** From here on the line is good, and both applications take what comes. */
static void heal(void)
{
    losses = 0;
    starving[0] = starving[1] = false;
    pass_time(20000);
    if (usmp_state(&CLIENT(&world)->usmp) != USMP_STATE_OPEN || usmp_state(&SERVER(&world)->usmp) != USMP_STATE_OPEN) return;
    if (world.tainted || world.may_lose || watch_has_failed()) return;
    REQUIRE(usmp_pending_transmit(&CLIENT(&world)->usmp) == 0 && usmp_pending_transmit(&SERVER(&world)->usmp) == 0,
            "over a good line everything is acknowledged in the end");
    world_check_quiet(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script_t script = {data, data + (size < 1024 ? size : 1024)};
    uint8_t choice = script_byte(&script);
    watch_begin(choice);
    world_begin(&world, USMP_TRANSPORT_DATAGRAM, &script);
    starving[0] = starving[1] = false;
    losses = bursts = 0;
    begin_again();
    if ((choice & 2) != 0) pass_time(0);
    for (unsigned i = 0; i < 150 && script.at < script.end; i++) act(script_byte(&script), &script);
    heal();
    world_finish(&world);
    return 0;
}
