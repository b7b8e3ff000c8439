/** The vectors of spec/vectors that show whole conversations over a stream: both roles live through them. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "scripted.h"
#include "seam.h"
#include "tap.h"

#include "usmp/frame.h"

/** How frames arrive. AHEAD brings the beginning of the next frame along with each. */
typedef enum way { WHOLE, BYTE_BY_BYTE, AHEAD, WAYS } way_t;

static const char *const WAY_NAMES[] = {"whole", "byte by byte", "ahead"};

/** Bytes of the next frame that come along: all of a header but its last. */
#define AHEAD_LENGTH 11u

/** What may stand behind a frame in the same piece: garbage, and a frame that would be good at any other point. */
static const char *trailer(unsigned number)
{
    const char *const trailers[] = {"", "ff", "cdab0205", SESSIONS[0].messages[0].frames[0]};
    return trailers[number];
}

#define TRAILERS 4u

static const role_t ROLES[] = {CLIENT, SERVER};

/* ── Feeding ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define MAX_FRAMES 64u

/** Hands over frames one after the other, or each with the first bytes of the next. */
typedef struct feeder {
    scripted_t *end;
    way_t way;
    const char *frames[MAX_FRAMES];
    size_t count, next, ahead;
} feeder_t;

static void feeder_add(feeder_t *feeder, const char *frame)
{
    if (feeder->count == MAX_FRAMES) abort();
    feeder->frames[feeder->count++] = frame;
}

static void feed(feeder_t *feeder)
{
    uint8_t bytes[600], following[600];
    if (feeder->next >= feeder->count) abort();
    size_t length = unhex(bytes, sizeof bytes, feeder->frames[feeder->next++]) - feeder->ahead;
    memmove(bytes, bytes + feeder->ahead, length);
    feeder->ahead = 0;
    if (feeder->way == AHEAD && feeder->next < feeder->count) {
        (void)unhex(following, sizeof following, feeder->frames[feeder->next]);
        feeder->ahead = AHEAD_LENGTH;
        memcpy(bytes + length, following, AHEAD_LENGTH);
        length += AHEAD_LENGTH;
    }
    scripted_input(feeder->end, bytes, length, feeder->way == BYTE_BY_BYTE ? 1 : 0);
}

/* ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct talk {
    role_t from;
    /** A message, else a control frame. */
    const message_vector_t *message;
    const control_vector_t *control;
} talk_t;

static size_t all_of(const session_vector_t *session, role_t role, talk_t *talk)
{
    size_t count = 0;
    for (size_t i = 0; i < session->message_count; i++) {
        talk[count++] = (talk_t){session->messages[i].from, &session->messages[i], NULL};
    }
    for (size_t i = 0; i < session->control_count; i++) {
        talk[count++] = (talk_t){session->control[i].from, NULL, &session->control[i]};
    }
    for (size_t i = 0; i < session->receive_only_count; i++) {
        if (session->receive_only[i].from != role)
            talk[count++] = (talk_t){other_role(role), &session->receive_only[i], NULL};
    }
    return count;
}

static void take_part(feeder_t *feeder, const talk_t *part)
{
    if (part->control != NULL) {
        feed(feeder);
        return;
    }
    for (size_t i = 0; i < part->message->frame_count; i++) feed(feeder);
}

static void send_part(scripted_t *end, const talk_t *part)
{
    if (part->message != NULL) {
        if (!scripted_send(end, part->message->plaintext)) return;
        for (size_t i = 0; i < part->message->frame_count; i++) scripted_has_sent(end, part->message->frames[i]);
        return;
    }
    if (part->control->type == USMP_PING) CHECK_OK(usmp_ping(&end->usmp));
    if (part->control->type == USMP_BYE) usmp_close(&end->usmp, 0);
    scripted_has_sent(end, part->control->frame);
}

static void replay(const session_vector_t *session, role_t role, way_t way, const handshake_frames_t *handshake,
                   bool agrees_late)
{
    static scripted_t end;
    feeder_t feeder = {&end, way, {NULL}, 0, 0, 0};
    talk_t talk[MAX_FRAMES];
    const char *expected[MAX_FRAMES];
    size_t count = all_of(session, role, talk), expected_count = 0;
    unsigned pongs = 0;
    usmp_error_t error = USMP_OK;

    feeder_add(&feeder, incoming(handshake, role, 0));
    feeder_add(&feeder, incoming(handshake, role, 1));
    for (size_t i = 0; i < count; i++) {
        if (talk[i].from == role) continue;
        if (talk[i].control != NULL) feeder_add(&feeder, talk[i].control->frame);
        for (size_t j = 0; talk[i].message != NULL && j < talk[i].message->frame_count; j++) {
            feeder_add(&feeder, talk[i].message->frames[j]);
        }
    }
    scripted_begin(&end, session, role, NULL);
    end.agrees_late = agrees_late;
    if (role == CLIENT) scripted_has_sent(&end, session->hello);
    feed(&feeder);
    scripted_has_sent(&end, role == CLIENT ? session->hello_ack : session->challenge);
    scripted_be_timely(&end);
    feed(&feeder);
    if (role == SERVER) scripted_has_sent(&end, session->session_ok);
    if (role == SERVER) CHECK_HEX(end.device_id, 6, session->device_id);
    CHECK_NUMBER(end.opened, 1);
    CHECK_HEX(end.session_id, 16, session->session_id);

    for (size_t i = 0; i < count; i++) {
        const talk_t *part = &talk[i];
        if (part->from == role) send_part(&end, part);
        else take_part(&feeder, part);
        bool is_bye = part->control != NULL ? part->control->type == USMP_BYE : part->message->plaintext == NULL;
        if (is_bye) error = part->from == role ? USMP_ERROR_CLOSED : USMP_ERROR_BYE;
        if (part->from == role) continue;
        if (part->message != NULL && part->message->plaintext != NULL) expected[expected_count++] = part->message->plaintext;
        if (part->control != NULL && part->control->type == USMP_PONG) pongs++;
    }
    CHECK_NUMBER(scripted_take_all(&end), 0);
    scripted_has_received(&end, expected, expected_count);
    CHECK_NUMBER(end.pongs, pongs);
    CHECK_NUMBER(end.closed, error != USMP_OK);
    CHECK_ERROR(end.error, error);
    if (seam_violation() != NULL) FAIL("%s", seam_violation());
    usmp_wipe(&end.usmp);
}

static void sessions(void)
{
    for (size_t i = 0; i < SESSIONS_COUNT; i++) {
        const session_vector_t *session = &SESSIONS[i];
        handshake_frames_t handshake = handshake_of(session);
        for (size_t j = 0; j < 2; j++) {
            for (way_t way = WHOLE; way < WAYS; way++) {
                const char *name = WAY_NAMES[way];
                test_begin("session %s: the %s sends exactly these bytes, input %s", session->name, role_name(ROLES[j]),
                           name);
                replay(session, ROLES[j], way, &handshake, false);
                test_end();
            }
            test_begin("session %s: the %s checks neither number nor CRC of handshake frames", session->name,
                       role_name(ROLES[j]));
            replay(session, ROLES[j], WHOLE, &session->unchecked, false);
            test_end();
        }
        test_begin("session %s: the client may agree on the secret only when SESSION_OK is there", session->name);
        for (way_t way = WHOLE; way < WAYS; way++) replay(session, CLIENT, way, &handshake, true);
        test_end();
    }
}

/** All message frames of one side, in hexadecimal. */
static void frames_from(const session_vector_t *session, role_t from, char *out, const char **plaintexts, size_t *count)
{
    out[0] = '\0';
    *count = 0;
    for (size_t i = 0; i < session->message_count; i++) {
        const message_vector_t *message = &session->messages[i];
        if (message->from != from) continue;
        plaintexts[(*count)++] = message->plaintext;
        for (size_t j = 0; j < message->frame_count; j++) strcat(out, message->frames[j]);
    }
}

static void trailers_get_their_own_verdict(void)
{
    static const struct {
        const char *bytes;
        usmp_error_t error;
    } BEHIND[] = {{"ff", USMP_ERROR_BAD_MAGIC}, {"cdab01", USMP_ERROR_VERSION_1}, {"cdab02ff", USMP_ERROR_BAD_TYPE}};
    static scripted_t end;
    static char frames[32768];
    const char *expected[MAX_FRAMES];
    size_t count;
    for (size_t i = 0; i < SESSIONS_COUNT * 2 * COUNT(BEHIND); i++) {
        const session_vector_t *session = &SESSIONS[i / 2 / COUNT(BEHIND)];
        role_t role = ROLES[i / COUNT(BEHIND) % 2];
        test_context("%s, %s, %s", session->name, role_name(role), BEHIND[i % COUNT(BEHIND)].bytes);
        if (!scripted_open(&end, session, role, NULL)) return;
        frames_from(session, other_role(role), frames, expected, &count);
        strcat(frames, BEHIND[i % COUNT(BEHIND)].bytes);
        scripted_input_hex(&end, frames, 0);
        scripted_has_received(&end, expected, count);
        CHECK_ERROR(end.error, BEHIND[i % COUNT(BEHIND)].error);
    }
}

static void nothing_is_read_behind_bye(void)
{
    static scripted_t end;
    static char frames[32768];
    const char *expected[MAX_FRAMES];
    size_t count;
    for (size_t i = 0; i < 2; i++) {
        const session_vector_t *session = &SESSIONS[i];
        role_t from = session->control[session->control_count - 1].from;
        if (!scripted_open(&end, session, other_role(from), NULL)) return;
        frames_from(session, from, frames, expected, &count);
        for (size_t j = 0; j < session->control_count; j++) {
            if (session->control[j].from == from) strcat(frames, session->control[j].frame);
        }
        strcat(frames, "ffffffff");
        scripted_input_hex(&end, frames, 0);
        CHECK_ERROR(end.error, USMP_ERROR_BYE);
        CHECK_NUMBER(end.closed, 1);
    }
}

/* ── Changes of keys ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** What a walk has seen. */
typedef struct walk {
    unsigned char completed[32];
    size_t completed_count;
} walk_t;

/** The message that begins at a step of a view. */
static void whole_message(const rekey_vector_t *script, const rekey_side_t *side, size_t step, char *digits)
{
    digits[0] = '\0';
    for (; step < side->view_length; step++) {
        const rekey_frame_t *frame = &script->frames[side->view[step]];
        strcat(digits, frame->plaintext);
        if (frame->type == USMP_DATA) return;
    }
}

/** Walks through the first `steps` entries of a side's view of a script. */
static void walk_script(feeder_t *feeder, const rekey_vector_t *script, role_t role, size_t steps, walk_t *walk)
{
    static char digits[2 * 1808 + 1];
    scripted_t *end = feeder->end;
    const rekey_side_t *side = &script->sides[role];
    bool inside = false, sent = true;
    for (size_t step = 0; step < steps; step++) {
        const rekey_frame_t *frame = &script->frames[side->view[step]];
        unsigned rekeyed = end->rekeyed;
        if (frame->from != role) {
            feed(feeder);
            if (end->rekeyed > rekeyed) walk->completed[walk->completed_count++] = side->view[step];
            continue;
        }
        const rekey_frame_t *previous = step > 0 ? &script->frames[side->view[step - 1]] : NULL;
        bool behind_rekey = previous != NULL && previous->type == USMP_REKEY && previous->from == role;
        if (frame->type == USMP_REKEY) CHECK_OK(usmp_rekey(&end->usmp, false));
        if (frame->type == USMP_PING && !behind_rekey) CHECK_OK(usmp_ping(&end->usmp));
        if (frame->type == USMP_DATA || frame->type == USMP_DATA_FRAG) {
            if (!inside) {
                whole_message(script, side, step, digits);
                sent = scripted_send(end, digits);
            }
            inside = frame->type == USMP_DATA_FRAG;
            if (!sent) continue;
        }
        scripted_has_sent(end, frame->frame);
    }
}

static void feed_view(feeder_t *feeder, const rekey_vector_t *script, role_t role)
{
    const rekey_side_t *side = &script->sides[role];
    for (size_t i = 0; i < side->view_length; i++) {
        const rekey_frame_t *frame = &script->frames[side->view[i]];
        if (frame->from != role) feeder_add(feeder, frame->frame);
    }
}

static void replay_rekey(const rekey_vector_t *script, role_t role, way_t way)
{
    static scripted_t end;
    const rekey_side_t *side = &script->sides[role];
    feeder_t feeder = {&end, way, {NULL}, 0, 0, 0};
    walk_t walk = {{0}, 0};
    if (!scripted_open(&end, session_named(script->session), role, script)) return;
    feed_view(&feeder, script, role);
    walk_script(&feeder, script, role, side->view_length, &walk);
    scripted_has_received(&end, side->received, side->received_count);
    CHECK_BYTES(walk.completed, walk.completed_count, side->completed, side->completed_count);
    CHECK_ERROR(end.error, USMP_OK);
    CHECK_NUMBER(scripted_take_all(&end), 0);
    if (seam_violation() != NULL) FAIL("%s", seam_violation());
    usmp_wipe(&end.usmp);
}

static void rekeys(void)
{
    for (size_t i = 0; i < REKEYS_COUNT; i++) {
        for (size_t j = 0; j < 2; j++) {
            if (REKEYS[i].sides[ROLES[j]].view_length == 0) continue;
            for (way_t way = WHOLE; way < WAYS; way++) {
                test_begin("%s: as %s, input %s", REKEYS[i].name, role_name(ROLES[j]), WAY_NAMES[way]);
                replay_rekey(&REKEYS[i], ROLES[j], way);
                test_end();
            }
        }
    }
}

/* ── What must be refused ────────────────────────────────────────────────────────────────────────────────────────── */

/** By a session: frame_test.c has the parser alone. */
static void judge_by_connection(const uint8_t *bytes, size_t length, size_t piece, const char *error)
{
    static scripted_t end;
    if (!scripted_open(&end, &SESSIONS[0], SERVER, NULL)) return;
    scripted_input(&end, bytes, length, piece);
    CHECK_TEXT(usmp_error_code(end.error), error == NULL ? "ok" : error);
    CHECK_NUMBER(end.events, error == NULL ? 0 : 1);
    CHECK_NUMBER(scripted_take_all(&end), 0);
    usmp_wipe(&end.usmp);
}

static void streams(void)
{
    static const size_t PIECES[] = {0, 1, 2, 7, 11, 13};
    uint8_t bytes[1200];
    for (size_t i = 0; i < INVALID_STREAMS_COUNT; i++) {
        const stream_vector_t *vector = &INVALID_STREAMS[i];
        test_begin("a stream with %s: %s", vector->name, vector->error == NULL ? "neither frame nor error" : vector->error);
        size_t length = unhex(bytes, sizeof bytes, vector->bytes);
        for (size_t j = 0; j < COUNT(PIECES); j++) {
            test_context("pieces of %zu", PIECES[j]);
            judge_by_connection(bytes, length, PIECES[j], vector->error);
            if (vector->error == NULL) continue;
            judge_by_connection(bytes, vector->at, PIECES[j], vector->error);
            judge_by_connection(bytes, vector->at - 1, PIECES[j], NULL);
        }
        for (unsigned j = 0; vector->error != NULL && j < TRAILERS; j++) {
            length = unhex(bytes + vector->at, sizeof bytes - vector->at, trailer(j)) + vector->at;
            judge_by_connection(bytes, length, 0, vector->error);
        }
        test_end();
    }
}

/** Brings an end to where the bytes come. @return false when that is not possible */
typedef bool prepare_t(scripted_t *end, const void *vector);

/** The same verdict whole, byte by byte, and with anything behind it; and nothing is delivered or answered. */
static void refuses(const char *bytes, const char *error, role_t role, prepare_t *prepare, const void *vector)
{
    static scripted_t end;
    /* A client takes CHALLENGE with such a point first, and refuses it when it computes the secret (§3.3). */
    bool late = role == CLIENT && strcmp(error, "low_order_point") == 0;
    for (unsigned i = 0; i < 2 * TRAILERS; i++) {
        test_context("trailer %u, %s", i / 2, i % 2 == 0 ? "whole" : "byte by byte");
        if (!prepare(&end, vector)) return;
        if (!CHECK_ERROR(end.error, USMP_OK)) return;
        (void)scripted_take_all(&end);
        end.events = 0;
        char digits[4096];
        (void)snprintf(digits, sizeof digits, "%s%s", bytes, late ? "" : trailer(i / 2));
        scripted_input_hex(&end, digits, i % 2);
        if (late) {
            CHECK_NUMBER(end.events, 0);
            scripted_be_timely(&end);
            scripted_input_hex(&end, trailer(i / 2), i % 2);
        }
        CHECK_NUMBER(end.closed, 1);
        CHECK_NUMBER(end.events, 1);
        CHECK_TEXT(usmp_error_code(end.error), error);
        CHECK_NUMBER(scripted_take_all(&end), 0);
        if (seam_finds_secret(&end.usmp, sizeof end.usmp)) FAIL("a secret is left");
        if (seam_live_keys() > 0) FAIL("a key was not released");
    }
}

static bool prepare_handshake(scripted_t *end, const void *given)
{
    const invalid_vector_t *vector = given;
    scripted_begin(end, session_named(vector->session), vector->role, NULL);
    for (size_t i = 0; vector->frames[i] != NULL; i++) {
        scripted_input_hex(end, vector->frames[i], 0);
        scripted_be_timely(end);
    }
    return true;
}

static bool prepare_session(scripted_t *end, const void *given)
{
    const invalid_vector_t *vector = given;
    if (!scripted_open(end, session_named(vector->session), vector->role, NULL)) return false;
    for (size_t i = 0; vector->frames[i] != NULL; i++) scripted_input_hex(end, vector->frames[i], 0);
    return true;
}

static bool prepare_rekey(scripted_t *end, const void *given)
{
    const invalid_rekey_vector_t *vector = given;
    const rekey_vector_t *script = rekey_named(vector->script);
    feeder_t feeder = {end, WHOLE, {NULL}, 0, 0, 0};
    walk_t walk = {{0}, 0};
    if (!scripted_open(end, session_named(script->session), vector->role, script)) return false;
    feed_view(&feeder, script, vector->role);
    walk_script(&feeder, script, vector->role, vector->steps, &walk);
    return true;
}

static void refusals(void)
{
    for (size_t i = 0; i < INVALID_HANDSHAKES_COUNT; i++) {
        const invalid_vector_t *vector = &INVALID_HANDSHAKES[i];
        test_begin("handshake, %s: %s: %s", role_name(vector->role), vector->name, vector->error);
        refuses(vector->bytes, vector->error, vector->role, prepare_handshake, vector);
        test_end();
    }
    for (size_t i = 0; i < INVALID_SESSIONS_COUNT; i++) {
        const invalid_vector_t *vector = &INVALID_SESSIONS[i];
        test_begin("session, %s: %s: %s", role_name(vector->role), vector->name, vector->error);
        refuses(vector->bytes, vector->error, vector->role, prepare_session, vector);
        test_end();
    }
    for (size_t i = 0; i < INVALID_REKEYS_COUNT; i++) {
        const invalid_rekey_vector_t *vector = &INVALID_REKEYS[i];
        test_begin("rekey, %s: %s: %s, %s after %zu", role_name(vector->role), vector->name, vector->error, vector->script,
                   vector->steps);
        refuses(vector->bytes, vector->error, vector->role, prepare_rekey, vector);
        test_end();
    }
}

void vectors_suite(void)
{
    sessions();
    test("a message is delivered whatever stands behind its last frame, and the trailer gets its own verdict",
         trailers_get_their_own_verdict);
    test("what stands behind BYE is not looked at", nothing_is_read_behind_bye);
    rekeys();
    streams();
    refusals();
}
