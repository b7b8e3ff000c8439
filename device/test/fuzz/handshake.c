#include "handshake.h"

#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"

#include "ends.h"

#define STORE_SIZE 16u
#define MAX_LINE (USMP_MAX_FRAME + USMP_COBS_OVERHEAD)
#define MAX_OUTPUT 4096u

/** What was once on the line in one direction, to be passed, changed and repeated: over serial lines without its encoding. */
typedef struct seen {
    uint8_t bytes[USMP_MAX_FRAME];
    size_t length;
} seen_t;

static world_t world;
static end_t *victim;
static end_t *honest;
/** Frames of the honest end. */
static seen_t store[STORE_SIZE];
static unsigned stored;
/** The honest end has the same key, and anything of it was handed over. */
static bool may_open;


/** Bytes of the victim on the way to the honest end, as they are. */
static uint8_t from_victim[MAX_OUTPUT];
static size_t from_victim_length;

/* ── Between the ends ────────────────────────────────────────────────────────────────────────────────────────────── */

/** Cuts frames out of what an end writes, and keeps those of the honest one. */
static void keep(const uint8_t *bytes, size_t length)
{
    uint8_t copy[MAX_OUTPUT];
    memcpy(copy, bytes, length);
    for (size_t at = 0; at < length;) {
        uint8_t *frame = copy + at;
        size_t size = length - at;
        if (world.transport == USMP_TRANSPORT_SERIAL) {
            const uint8_t *end = memchr(frame + 1, 0, size - 1);
            at += (size_t)(end - frame) + 1;
            size = usmp_cobs_decode(frame + 1, (size_t)(end - frame) - 1);
            frame++;
        } else {
            if (world.transport == USMP_TRANSPORT_STREAM) (void)usmp_frame_measure(frame, size, &size);
            at += size;
        }
        seen_t *seen = &store[stored++ % STORE_SIZE];
        memcpy(seen->bytes, frame, size);
        seen->length = size;
    }
}

static void drain(end_t *end)
{
    size_t length;
    const uint8_t *bytes;
    (void)end_poll_events(&world, end, MAX_ROUNDS);
    for (unsigned i = 0; (bytes = end_poll_transmit(&world, end, &length)) != NULL; i++) {
        REQUIRE(i < 100, "output comes to an end");
        if (end == honest) {
            keep(bytes, length);
        } else {
            /* Datagrams go on their own; of more than there is room for, the last one counts. */
            if (world.transport == USMP_TRANSPORT_DATAGRAM || from_victim_length + length > sizeof from_victim) from_victim_length = 0;
            memcpy(from_victim + from_victim_length, bytes, length);
            from_victim_length += length;
        }
        usmp_transmitted(&end->usmp, length, world.now);
    }
    end_check_over(end);
}

/** A frame, or anything else, comes in at the victim. */
static void hand_over(const uint8_t *bytes, size_t length)
{
    uint8_t line[MAX_LINE];
    const uint8_t *from = bytes;
    if (world.transport == USMP_TRANSPORT_SERIAL && length > 0) {
        memcpy(line + USMP_COBS_LEAD, bytes, length);
        length = usmp_cobs_encode(line, length);
        from = line;
    }
    for (unsigned i = 0; i < 4 && length > 0; i++) {
        size_t taken = end_input(&world, victim, from, length);
        from += taken;
        length -= taken;
        drain(victim);
        if (world.transport == USMP_TRANSPORT_DATAGRAM) break;
    }
    REQUIRE(may_open || usmp_state(&victim->usmp) != USMP_STATE_OPEN, "nobody without the key gets a session");
}

static void pass_to_honest(size_t most)
{
    size_t count = from_victim_length < most ? from_victim_length : most;
    if (count == 0) return;
    size_t taken = end_input(&world, honest, from_victim, count);
    if (world.transport == USMP_TRANSPORT_DATAGRAM) taken = from_victim_length;
    memmove(from_victim, from_victim + taken, from_victim_length - taken);
    from_victim_length -= taken;
    drain(honest);
}

/* ── What the attacker does ──────────────────────────────────────────────────────────────────────────────────────── */

static void pass(script_t *script, bool changed)
{
    if (stored == 0) return;
    unsigned first = stored > STORE_SIZE ? stored - STORE_SIZE : 0;
    seen_t seen = store[(first + script_byte(script) % (stored - first)) % STORE_SIZE];
    if (changed) {
        size_t at = script_number(script);
        uint8_t mask = script_byte(script);
        seen.bytes[at % seen.length] ^= mask;
        if ((at & 0x8000) != 0 && usmp_load16(seen.bytes + 8) + USMP_HEADER_LENGTH == seen.length) {
            usmp_frame_write_checksum(seen.bytes);
        }
    }
    hand_over(seen.bytes, seen.length);
}

/** The last frame of the honest end, whole or cut. */
static void pass_last(size_t most)
{
    if (stored == 0) return;
    const seen_t *seen = &store[(stored - 1) % STORE_SIZE];
    hand_over(seen->bytes, seen->length < most ? seen->length : most);
}

static void make_up(script_t *script)
{
    uint8_t frame[USMP_MAX_FRAME];
    uint8_t type = script_byte(script);
    uint32_t seq = script_byte(script);
    size_t length = script_byte(script) % 100;
    uint8_t filling = script_byte(script);
    size_t own = script_byte(script) % 40;
    memset(frame, filling, sizeof frame);
    for (size_t i = 0; i < own; i++) frame[USMP_HEADER_LENGTH + i] = script_byte(script);
    usmp_frame_write_header(frame, type, seq, length);
    usmp_frame_write_checksum(frame);
    hand_over(frame, USMP_HEADER_LENGTH + length);
}

static void babble(script_t *script)
{
    uint8_t bytes[128];
    size_t length = script_byte(script) % sizeof bytes;
    for (size_t i = 0; i < length; i++) bytes[i] = script_byte(script);
    hand_over(bytes, length);
}

static void act(uint8_t action, script_t *script)
{
    trace("%u: action %u\n", world.now, action & 15);
    switch (action & 15) {
    case 0: pass_last(SIZE_MAX); break;
    case 1: pass_last(script_byte(script)); break;
    case 2: pass(script, false); break;
    case 3: pass(script, true); break;
    case 4: make_up(script); break;
    case 5: babble(script); break;
    case 6: pass_to_honest(SIZE_MAX); break;
    case 7: pass_to_honest(script_byte(script)); break;
    case 8:
        world_advance(&world, (uint32_t)script_byte(script) * 50, NULL);
        drain(victim);
        drain(honest);
        break;
    case 9:
        pass_to_honest(SIZE_MAX);
        pass_last(SIZE_MAX);
        end_be_timely(&world, victim);
        drain(victim);
        break;
    case 10: usmp_handle_end(&victim->usmp); break;
    case 11: end_provide_keys(&world, victim->is_server ? victim : honest); break;
    case 12: end_send(&world, victim, 5); break;
    case 13: end_close(&world, victim); break;
    case 14: watch_fail(1 + script_byte(script) % 16); break;
    default:
        if (!victim->is_server) {
            (void)!usmp_prepare(&victim->usmp);
            end_connect(&world, victim);
        } else {
            end_accept(&world, victim);
        }
        from_victim_length = 0;
        drain(victim);
        break;
    }
    end_check_over(victim);
}

void attack_handshake(const uint8_t *data, size_t size, int victim_is_server)
{
    static const usmp_transport_t TRANSPORTS[] = {USMP_TRANSPORT_STREAM, USMP_TRANSPORT_SERIAL, USMP_TRANSPORT_DATAGRAM};
    static const uint8_t STRANGER[] = "what the attacker has for a key";
    script_t script = {data, data + (size < 1024 ? size : 1024)};
    uint8_t choice = script_byte(&script);
    watch_begin(choice);
    world_begin(&world, TRANSPORTS[choice % 3], &script);
    world.tainted = world.may_lose = world.unaccountable = true;
    victim = victim_is_server ? SERVER(&world) : CLIENT(&world);
    honest = victim->peer;
    stored = 0;
    from_victim_length = 0;
    may_open = (choice & 0x80) == 0;
    if (!may_open) {
        /* The other end is an attacker that knows everything but the key. */
        end_t *client = CLIENT(&world);
        end_t *server = SERVER(&world);
        if (victim_is_server) {
            client->settings.psk = STRANGER;
            client->settings.psk_length = sizeof STRANGER;
        } else {
            server->keys[0] = (usmp_key_t){STRANGER, sizeof STRANGER};
            server->key_count = 1;
        }
    }
    end_accept(&world, SERVER(&world));
    end_connect(&world, CLIENT(&world));
    drain(CLIENT(&world));
    drain(SERVER(&world));
    for (unsigned i = 0; i < 100 && script.at < script.end; i++) act(script_byte(&script), &script);
    world_finish(&world);
}
