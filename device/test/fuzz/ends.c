#include "ends.h"

#include <stdlib.h>
#include <string.h>

#include "usmp/frame.h"

static const uint8_t PSK[] = "the key of the device";
static const uint8_t OLD_PSK[] = "the key that it had before";
static const uint8_t OTHER_PSK[] = "a key of somebody else";
static const uint8_t DECOY[32] = "nobody has this key, nobody had";

/* ── Script ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

uint8_t script_byte(script_t *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

uint16_t script_number(script_t *script)
{
    uint8_t low = script_byte(script);
    return (uint16_t)(low | script_byte(script) << 8);
}

/* ── Beginning ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void begin_end(world_t *world, end_t *end, bool is_server, uint8_t times)
{
    static const uint32_t INTERVALS[] = {0, USMP_NEVER, 400, 7000};
    memset(end, 0, sizeof *end);
    end->is_server = is_server;
    end->direction = is_server;
    end->settings.transport = world->transport;
    end->settings.keepalive_interval = INTERVALS[times & 3];
    end->settings.keepalive_timeout = (times & 4) != 0 ? 900 : 0;
    end->settings.idle_timeout = INTERVALS[times >> 3 & 3];
    end->settings.handshake_timeout = (times & 32) != 0 ? 3000 : 0;
    if (is_server) {
        end->settings.decoy_key = DECOY;
    } else {
        end->settings.psk = PSK;
        end->settings.psk_length = sizeof PSK - 1;
        memcpy(end->settings.device_id, "device", 6);
    }
    watch_end(&end->usmp);
}

void world_begin(world_t *world, usmp_transport_t transport, script_t *script)
{
    static const uint32_t CLOCKS[] = {0, 1000000, 0x7FFFFF00, 0xFFFFF000};
    uint8_t choice = script_byte(script);
    world->tainted = world->hostile = world->late = world->may_lose = world->unaccountable = false;
    world->now = CLOCKS[choice & 3];
    world->transport = transport;
    begin_end(world, CLIENT(world), false, script_byte(script));
    begin_end(world, SERVER(world), true, script_byte(script));
    CLIENT(world)->peer = SERVER(world);
    SERVER(world)->peer = CLIENT(world);

    static const usmp_key_t RIGHT = {PSK, sizeof PSK - 1};
    static const usmp_key_t OLD = {OLD_PSK, sizeof OLD_PSK - 1};
    static const usmp_key_t SHORT = {PSK, USMP_MIN_PSK - 1};
    static const usmp_key_t OTHER = {OTHER_PSK, sizeof OTHER_PSK - 1};
    end_t *server = SERVER(world);
    server->keys_later = (choice & 4) != 0;
    switch (choice >> 3 & 7) {
    case 5:
        server->key_count = 2;
        server->keys[0] = OLD;
        server->keys[1] = RIGHT;
        break;
    case 6:
        server->key_count = 2;
        server->keys[0] = SHORT;
        server->keys[1] = OTHER;
        break;
    case 7: server->key_count = 0; break;
    default:
        server->key_count = 1;
        server->keys[0] = RIGHT;
        break;
    }
}

void end_forget(end_t *end)
{
    watch_restart(&end->usmp);
    end->opened = end->closed = end->closed_by_us = end->keys_asked = end->found_over = false;
    end->error = USMP_OK;
    end->messages = end->dropped = end->rekeyed = end->sent_count = end->taken_from_peer = 0;
    end->forged_parts = end->forged_length = 0;
    end->peer->taken_from_peer = 0;
}

void end_connect(world_t *world, end_t *end)
{
    end_forget(end);
    usmp_error_t error = usmp_connect(&end->usmp, &end->settings, world->now);
    REQUIRE(error == USMP_OK || (error == USMP_ERROR_CRYPTO_FAILED && watch_has_failed()), "a client can begin at any time");
}

void end_accept(world_t *world, end_t *end)
{
    end_forget(end);
    REQUIRE(usmp_accept(&end->usmp, &end->settings, world->now) == USMP_OK, "a server can begin at any time");
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

void message_fill(uint8_t *out, uint8_t direction, unsigned number, size_t from, size_t length)
{
    for (size_t i = from; i < from + length; i++) {
        uint8_t byte = (uint8_t)(i * (2 * number + 1) + (i >> 8) * 13 + number * 37 + direction * 101u);
        if (i == 0) byte = (uint8_t)number;
        if (i == 1) byte = (uint8_t)((unsigned)direction << 7 | number >> 8);
        *out++ = byte;
    }
}

static bool is_message(const sent_t *sent, uint8_t direction, const uint8_t *bytes, size_t length)
{
    uint8_t expected[USMP_MAX_MESSAGE];
    if (sent->overlong || sent->length != length) return false;
    message_fill(expected, direction, sent->number, 0, length);
    return same(bytes, expected, length);
}

/** Over streams the next one has to come; over datagrams one may be missing, but none comes late or twice. */
static void take_message(const world_t *world, end_t *end, const uint8_t *bytes, size_t length)
{
    const end_t *peer = end->peer;
    /* An end that has closed is given what it has acknowledged, whatever is missing in front of it. */
    bool may_miss = world->may_lose || watch_has_failed() || usmp_state(&end->usmp) == USMP_STATE_CLOSED;
    bool in_order = world->transport != USMP_TRANSPORT_DATAGRAM || !may_miss;
    end->messages++;
    if (world->unaccountable) return;
    while (end->taken_from_peer < peer->sent_count) {
        const sent_t *next = &peer->sent[end->taken_from_peer++];
        if (is_message(next, peer->direction, bytes, length)) return;
        REQUIRE(!in_order, "messages arrive in order, once, unaltered, and none is left out");
    }
    broken("no message is invented, and none arrives twice", __FILE__, __LINE__);
}

static void drop_message(const world_t *world, end_t *end)
{
    end->dropped++;
    if (world->transport == USMP_TRANSPORT_DATAGRAM) {
        bool goes_on = usmp_state(&end->peer->usmp) == USMP_STATE_OPEN;
        REQUIRE(world->may_lose || watch_has_failed() || !goes_on, "over datagrams no message is dropped while its sender goes on");
        return;
    }
    if (world->tainted) return;
    REQUIRE(end->taken_from_peer < end->peer->sent_count && end->peer->sent[end->taken_from_peer].overlong,
            "over streams only a message that is too long is dropped");
    end->taken_from_peer++;
}

static sent_t *new_sent(end_t *end, size_t length)
{
    sent_t *sent = &end->sent[end->sent_count];
    /* One that can be neither sent nor forged while the account is full. */
    if (end->sent_count == MAX_SENT) return NULL;
    sent->number = (uint16_t)end->sent_count;
    sent->length = (uint16_t)length;
    sent->overlong = length > USMP_MAX_MESSAGE;
    return sent;
}

void end_send(world_t *world, end_t *end, size_t length)
{
    uint8_t message[USMP_MAX_MESSAGE + 1];
    const sent_t *sent = new_sent(end, length);
    if (sent == NULL || end->forged_parts > 0) return;
    if (length > sizeof message) length = sizeof message;
    message_fill(message, end->direction, sent->number, 0, length);
    bool can = usmp_can_send(&end->usmp, length);
    usmp_state_t state = usmp_state(&end->usmp);
    uint8_t *exact = malloc(length + 1);
    memcpy(exact, message, length);
    usmp_error_t error = usmp_send(&end->usmp, exact, length, world->now);
    free(exact);
    switch (error) {
    case USMP_OK:
        REQUIRE(can, "what cannot be sent is not taken");
        end->sent_count++;
        return;
    case USMP_ERROR_BUSY: REQUIRE(!can && state == USMP_STATE_OPEN, "what can be sent is not refused"); return;
    case USMP_ERROR_NOT_CONNECTED: REQUIRE(state != USMP_STATE_OPEN, "an open session is connected"); return;
    case USMP_ERROR_MESSAGE_TOO_LARGE: REQUIRE(length > USMP_MAX_MESSAGE, "the longest message is not too large"); return;
    case USMP_ERROR_SEQUENCE_SPENT: REQUIRE(usmp_state(&end->usmp) == USMP_STATE_CLOSED, "a spent session closes"); return;
    default: REQUIRE(error == USMP_ERROR_CRYPTO_FAILED && watch_has_failed(), "usmp_send fails only as it says"); return;
    }
}

void end_close(world_t *world, end_t *end)
{
    bool open = usmp_state(&end->usmp) == USMP_STATE_OPEN;
    usmp_close(&end->usmp, world->now);
    end->closed_by_us |= open && usmp_state(&end->usmp) == USMP_STATE_CLOSED;
}

/* ── Forged frames of a peer that has authenticated ──────────────────────────────────────────────────────────────── */

/** What the receiver makes of the parts. @return whether they are within the rules */
static bool count_part(end_t *end, bool last, size_t length)
{
    end->forged_length += (unsigned)length;
    if (!last) return ++end->forged_parts < USMP_MAX_PARTS;
    sent_t *sent = new_sent(end, end->forged_length);
    end->forged_parts = end->forged_length = 0;
    if (sent == NULL) return false;
    end->sent_count++;
    return true;
}

size_t end_forge(world_t *world, end_t *end, uint8_t type, size_t length, uint8_t *frame)
{
    uint8_t text[USMP_MAX_PLAINTEXT];
    bool is_part = type == USMP_DATA || type == USMP_DATA_FRAG;
    if (usmp_state(&end->usmp) != USMP_STATE_OPEN || !end->usmp.has_record || end->sent_count == MAX_SENT) return 0;
    if (type == USMP_REKEY && length == USMP_REKEY_SALT_LENGTH) length--;
    message_fill(text, end->direction, end->sent_count, is_part ? end->forged_length : 0, length);
    watch_forging(true);
    usmp_error_t error = usmp_record_seal(&end->usmp.layer.record, type, text, length, frame);
    watch_forging(false);
    if (error != USMP_OK) {
        world->tainted = true;
        return 0;
    }
    bool breaks_rule = is_part ? !count_part(end, type == USMP_DATA, length) : true;
    /* Whatever the end itself says now stands between parts. */
    world->hostile |= breaks_rule || end->forged_parts > 0;
    return length + USMP_RECORD_OVERHEAD;
}

/* ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What can end a conversation of two ends that keep to the rules, over a line that changes nothing. */
static bool is_honest_end(const world_t *world, const end_t *end, usmp_error_t error)
{
    switch (error) {
    case USMP_ERROR_BYE:
    case USMP_ERROR_CLOSED:
    case USMP_ERROR_CONNECTION_LOST:
    case USMP_ERROR_HANDSHAKE_TIMEOUT:
    case USMP_ERROR_IDLE_TIMEOUT:
    case USMP_ERROR_SEQUENCE_SPENT: return true;
    case USMP_ERROR_REFUSED:
    case USMP_ERROR_TURNED_AWAY: return !end->is_server;
    case USMP_ERROR_WRONG_KEY: return end->is_server && (end->key_count == 0 || end->keys[0].length == USMP_MIN_PSK - 1);
    case USMP_ERROR_NOT_ACKNOWLEDGED: return world->transport == USMP_TRANSPORT_DATAGRAM;
    case USMP_ERROR_UNREACHABLE: return world->transport == USMP_TRANSPORT_DATAGRAM && !end->is_server;
    case USMP_ERROR_CRYPTO_FAILED: return watch_has_failed();
    /* A client that begins anew: `usmp_serial_endpoint_t` sees to that, which is not here (endpoint.c has it). */
    case USMP_ERROR_UNEXPECTED_FRAME: return world->transport == USMP_TRANSPORT_SERIAL && end->is_server && !end->opened;
    default: return false;
    }
}

static bool is_hostile_end(usmp_error_t error)
{
    return error == USMP_ERROR_UNEXPECTED_FRAME || error == USMP_ERROR_BAD_LENGTH || error == USMP_ERROR_MESSAGE_TOO_LONG;
}

static void on_closed(const world_t *world, end_t *end, usmp_error_t error)
{
    const end_t *peer = end->peer;
    end->closed = true;
    end->error = error;
    REQUIRE(error != USMP_OK, "an end says why it has closed");
    REQUIRE(usmp_state(&end->usmp) == USMP_STATE_CLOSED, "an end that has told of its close is closed");
    REQUIRE(error != USMP_ERROR_CRYPTO_FAILED || watch_has_failed(), "cryptography fails only where it has failed");
    if (world->tainted || watch_has_failed()) return;
    REQUIRE(is_honest_end(world, end, error) || (world->hostile && is_hostile_end(error)),
            "a conversation ends for a reason that there was");
    if (error != USMP_ERROR_BYE || world->may_lose || world->hostile) return;
    REQUIRE(end->taken_from_peer == peer->sent_count, "BYE comes after all messages that were sent before it");
}

void end_provide_keys(world_t *world, end_t *end)
{
    usmp_provide_keys(&end->usmp, end->asked_for, end->keys, end->key_count, world->now);
}

static void on_event(world_t *world, end_t *end, const usmp_event_t *event)
{
    static const char *const NAMES[] = {"KEYS_WANTED", "OPEN", "REKEYED", "REKEY_REFUSED", "MESSAGE", "DROPPED", "PONG", "CLOSED"};
    trace("  %s is told %s (%s, %zu bytes)\n", end->is_server ? "server" : "client", NAMES[event->type],
          usmp_error_code(event->error), event->length);
    REQUIRE(!end->closed, "nothing is told after CLOSED");
    switch (event->type) {
    case USMP_EVENT_KEYS_WANTED:
        REQUIRE(end->is_server && event->length == USMP_DEVICE_ID_LENGTH, "a server asks for keys by the device's id");
        end->keys_asked = true;
        memcpy(end->asked_for, event->data, sizeof end->asked_for);
        if (!end->keys_later) end_provide_keys(world, end);
        break;
    case USMP_EVENT_OPEN:
        REQUIRE(!end->opened && event->length == USMP_SESSION_ID_LENGTH, "a session opens once");
        end->opened = true;
        if (end->is_server || watch_has_failed() || usmp_state(&end->usmp) != USMP_STATE_OPEN) break;
        if (!end->usmp.layer.record.rekey_complete) break;
        REQUIRE(watch_knows_key(end->usmp.layer.record.keys, &end->peer->usmp), "a client opens with the keys of its server");
        break;
    case USMP_EVENT_MESSAGE:
        REQUIRE(end->opened && event->length <= USMP_MAX_MESSAGE, "a message fits, and comes in a session");
        take_message(world, end, event->data, event->length);
        break;
    case USMP_EVENT_MESSAGE_DROPPED:
        REQUIRE(end->opened, "a message is dropped in a session");
        drop_message(world, end);
        break;
    case USMP_EVENT_REKEYED: end->rekeyed++; break;
    case USMP_EVENT_CLOSED: on_closed(world, end, event->error); break;
    default: break;
    }
}

unsigned end_poll_events(world_t *world, end_t *end, unsigned most)
{
    usmp_event_t event;
    unsigned count = 0;
    memset(&event, 0, sizeof event);
    while (count < most && usmp_poll_event(&end->usmp, &event)) {
        on_event(world, end, &event);
        REQUIRE(++count < MAX_ROUNDS, "events come to an end");
    }
    return count;
}

/* ── Driving ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t end_input(world_t *world, end_t *end, const uint8_t *bytes, size_t length)
{
    usmp_state_t before = usmp_state(&end->usmp);
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    if (length > 0) memcpy(exact, bytes, length);
    size_t taken = usmp_handle_input(&end->usmp, exact, length, world->now);
    free(exact);
    REQUIRE(taken <= length, "no more is taken than was given");
    REQUIRE(usmp_state(&end->usmp) >= before || before == USMP_STATE_IDLE, "states go forward");
    return taken;
}

const uint8_t *end_poll_transmit(world_t *world, end_t *end, size_t *length)
{
    bool over = usmp_state(&end->usmp) == USMP_STATE_CLOSED && !usmp_lingers(&end->usmp);
    const uint8_t *bytes = usmp_poll_transmit(&end->usmp, world->now, length);
    if (bytes == NULL) return NULL;
    const uint8_t *start = (const uint8_t *)&end->usmp;
    REQUIRE(!over, "an end that is over sends nothing");
    REQUIRE(*length > 0 && bytes >= start && bytes + *length <= start + sizeof end->usmp, "what is to be sent is in the connection");
    REQUIRE(world->transport != USMP_TRANSPORT_DATAGRAM || *length <= USMP_MAX_FRAME, "a datagram holds one frame");
    return bytes;
}

void end_be_timely(world_t *world, end_t *end)
{
    for (unsigned i = 0; usmp_poll_timeout(&end->usmp, world->now) == 0; i++) {
        REQUIRE(i < 8, "what is due is done by usmp_handle_timeout");
        usmp_handle_timeout(&end->usmp, world->now);
    }
}

void world_advance(world_t *world, uint32_t milliseconds, void (*drain)(world_t *world))
{
    for (unsigned i = 0; i < MAX_ROUNDS; i++) {
        uint32_t step = milliseconds;
        for (unsigned e = 0; e < 2; e++) {
            end_be_timely(world, &world->ends[e]);
            if (drain != NULL) drain(world);
        }
        for (unsigned e = 0; e < 2; e++) {
            uint32_t in = usmp_poll_timeout(&world->ends[e].usmp, world->now);
            if (in < step) step = in;
        }
        world->now += step;
        milliseconds -= step;
        if (milliseconds == 0) break;
    }
    world->now += milliseconds;
    world->late |= milliseconds > 0;
}

void world_jump(world_t *world, uint32_t milliseconds)
{
    world->now += milliseconds;
    world->late = true;
}

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void check_open_pair(world_t *world)
{
    end_t *client = CLIENT(world);
    end_t *server = SERVER(world);
    const usmp_record_t *a = &client->usmp.layer.record;
    const usmp_record_t *b = &server->usmp.layer.record;
    REQUIRE(same(a->session_id, b->session_id, sizeof a->session_id), "both ends are in the same session");
    REQUIRE(a->rekey_complete && b->rekey_complete, "a change of keys is completed");
    REQUIRE(same(a->keys, b->keys + USMP_KEY_LENGTH, USMP_KEY_LENGTH) &&
                same(a->keys + USMP_KEY_LENGTH, b->keys, USMP_KEY_LENGTH),
            "both ends have the same keys");
    REQUIRE(a->tx_seq == b->filter.expected && b->tx_seq == a->filter.expected, "both ends expect what the other sends next");
    REQUIRE(client->taken_from_peer == server->sent_count && server->taken_from_peer == client->sent_count,
            "everything that was sent has arrived");
}

void world_check_quiet(world_t *world)
{
    end_t *client = CLIENT(world);
    end_t *server = SERVER(world);
    if (world->tainted || world->hostile || watch_has_failed()) return;
    if (usmp_state(&client->usmp) != USMP_STATE_OPEN || usmp_state(&server->usmp) != USMP_STATE_OPEN) return;
    if (client->forged_parts > 0 || server->forged_parts > 0) return;
    check_open_pair(world);
}

void end_check_over(end_t *end)
{
    if (end->found_over || usmp_state(&end->usmp) != USMP_STATE_CLOSED || usmp_lingers(&end->usmp)) return;
    end->found_over = true;
    watch_over(&end->usmp);
}

void world_finish(world_t *world)
{
    for (unsigned e = 0; e < 2; e++) {
        end_t *end = &world->ends[e];
        end_check_over(end);
        usmp_wipe(&end->usmp);
        watch_over(&end->usmp);
        REQUIRE(usmp_state(&end->usmp) == USMP_STATE_IDLE, "an end that was wiped is idle");
    }
}
