/** Session records: sealing, opening, and the change of keys. */
#include "suites.h"

#include <string.h>

#include "bytes.h"
#include "pair.h"
#include "seam.h"
#include "tap.h"

#include "usmp/bytes.h"
#include "usmp/frame.h"
#include "usmp/record.h"

static const uint8_t SESSION_ID[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static usmp_record_t a, b;

/** A frame and how long it is. */
typedef struct sealed {
    uint8_t bytes[492];
    size_t size;
} sealed_t;

static void begin(void)
{
    uint8_t keys[64];
    seam_reset(1);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    pattern(keys, 32, 1);
    pattern(keys + 32, 32, 9);
    CHECK(usmp_record_begin(&a, SESSION_ID, keys));
    usmp_swap_keys(keys);
    CHECK(usmp_record_begin(&b, SESSION_ID, keys));
}

static void finish(void)
{
    usmp_record_wipe(&a);
    usmp_record_wipe(&b);
    CHECK_NUMBER(seam_live_keys(), 0);
    if (seam_violation() != NULL) FAIL("%s", seam_violation());
}

static sealed_t seal_as(usmp_record_t *from, unsigned type, unsigned number, size_t length)
{
    uint8_t text[452];
    sealed_t sealed;
    pattern(text, length, number);
    CHECK_OK(usmp_record_seal(from, (uint8_t)type, text, length, sealed.bytes));
    sealed.size = length + 40;
    return sealed;
}

static sealed_t seal(usmp_record_t *from, unsigned number, size_t length)
{
    return seal_as(from, USMP_DATA, number, length);
}

/** Opens a copy. */
static usmp_error_t open(usmp_record_t *to, sealed_t sealed)
{
    return usmp_record_open(to, sealed.bytes, sealed.size);
}

static void check_opens(usmp_record_t *to, sealed_t sealed, unsigned number)
{
    uint8_t text[452];
    pattern(text, sealed.size - 40, number);
    if (CHECK_OK(usmp_record_open(to, sealed.bytes, sealed.size))) {
        CHECK_BYTES(USMP_TEXT(sealed.bytes), sealed.size - 40, text, sealed.size - 40);
    }
}

/** With another number, type or payload, and a checksum that fits. */
static sealed_t forged(sealed_t frame, uint32_t seq)
{
    (void)make_frame(frame.bytes, frame.bytes[3], seq, frame.bytes + 12, frame.size - 12);
    return frame;
}

static void what_one_seals_the_other_opens(void)
{
    static const size_t SIZES[] = {0, 1, 15, 16, 17, 451, 452};
    begin();
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        sealed_t frame = seal(&a, 1, SIZES[i]);
        CHECK(usmp_frame_checksum_fits(frame.bytes));
        check_opens(&b, frame, 1);
        check_opens(&a, seal(&b, 2, SIZES[i]), 2);
    }
    finish();
}

static void nothing_is_written_beside_a_frame(void)
{
    uint8_t room[4 + 43 + 4];
    begin();
    memset(room, 0xA5, sizeof room);
    CHECK_OK(usmp_record_seal(&a, USMP_DATA, (const uint8_t *)"abc", 3, room + 4));
    for (size_t i = 0; i < 4; i++) CHECK(room[i] == 0xA5 && room[47 + i] == 0xA5);
    finish();
}

static void numbers_are_counted(void)
{
    begin();
    for (uint32_t seq = 0; seq < 300; seq++) {
        sealed_t frame = seal(&a, 0, 0);
        const uint8_t nonce[12] = {(uint8_t)seq, (uint8_t)(seq >> 8), 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
        CHECK_BYTES(frame.bytes + 4, 4, nonce, 4);
        CHECK_BYTES(frame.bytes + 12, 12, nonce, 12);
    }
    CHECK_NUMBER(usmp_record_sealable(&a), 0xFFFFFFFFu - 300);
    finish();
}

static void numbers_end(void)
{
    sealed_t frame = {{0}, 0};
    begin();
    a.tx_seq = b.filter.expected = 0xFFFFFFFDu;
    check_opens(&b, seal(&a, 1, 5), 1);
    CHECK_NUMBER(usmp_record_sealable(&a), 1);
    check_opens(&b, seal(&a, 2, 5), 2);
    CHECK_NUMBER(usmp_record_sealable(&a), 0);
    CHECK_ERROR(usmp_record_seal(&a, USMP_BYE, NULL, 0, frame.bytes), USMP_ERROR_SEQUENCE_SPENT);
    CHECK_NUMBER(a.tx_seq, 0xFFFFFFFFu);
    sealed_t last = seal(&b, 0, 0);
    CHECK_ERROR(open(&a, forged(last, 0xFFFFFFFFu)), USMP_ERROR_SEQUENCE_SPENT);
    finish();
}

static void order_is_kept(void)
{
    begin();
    sealed_t frames[3];
    for (unsigned i = 0; i < 3; i++) frames[i] = seal(&a, i, 3);
    CHECK_ERROR(open(&b, frames[1]), USMP_ERROR_BAD_SEQUENCE);
    check_opens(&b, frames[0], 0);
    CHECK_ERROR(open(&b, frames[0]), USMP_ERROR_BAD_SEQUENCE);
    CHECK_ERROR(open(&b, frames[2]), USMP_ERROR_BAD_SEQUENCE);
    check_opens(&b, frames[1], 1);
    CHECK_ERROR(open(&b, forged(frames[0], 2)), USMP_ERROR_BAD_NONCE);
    check_opens(&b, frames[2], 2);
    finish();
}

static void changed_frames_do_not_open(void)
{
    begin();
    sealed_t frame = seal(&a, 1, 20);
    for (size_t i = 12; i < frame.size; i++) {
        sealed_t changed = frame;
        changed.bytes[i] ^= 0x01;
        CHECK_ERROR(open(&b, changed), i < 24 ? USMP_ERROR_BAD_NONCE : USMP_ERROR_BAD_TAG);
    }
    sealed_t other = frame;
    other.bytes[3] = USMP_DATA_FRAG;
    CHECK_ERROR(open(&b, other), USMP_ERROR_BAD_TAG);
    other = frame;
    other.size--;
    other.bytes[8]--;
    CHECK_ERROR(open(&b, other), USMP_ERROR_BAD_TAG);
    for (size_t length = 0; length < 28; length++) {
        other = frame;
        other.size = 12 + length;
        CHECK_ERROR(open(&b, other), USMP_ERROR_BAD_LENGTH);
    }
    CHECK_ERROR(open(&a, frame), USMP_ERROR_BAD_TAG);
    check_opens(&b, frame, 1);
    finish();
}

/* ── Changes of keys ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** REKEY from one side: sealed under the old key, then the switch. */
static sealed_t start_rekey(usmp_record_t *from, uint8_t salt)
{
    uint8_t bytes[32];
    sealed_t sealed;
    pattern(bytes, sizeof bytes, salt);
    CHECK_OK(usmp_record_seal(from, USMP_REKEY, bytes, sizeof bytes, sealed.bytes));
    sealed.size = sizeof bytes + 40;
    CHECK(usmp_record_rekey(from, USMP_REKEY_INITIATOR, bytes, false));
    return sealed;
}

static void respond(usmp_record_t *to, sealed_t rekey)
{
    if (CHECK_OK(usmp_record_open(to, rekey.bytes, rekey.size))) {
        CHECK(usmp_record_rekey(to, USMP_REKEY_RESPONDER, USMP_TEXT(rekey.bytes), false));
    }
}

static void a_change_starts_anew(void)
{
    begin();
    for (unsigned i = 0; i < 5; i++) check_opens(&b, seal(&a, i, 1), i);
    respond(&b, start_rekey(&a, 1));
    CHECK(!a.rekey_complete && !b.rekey_complete);
    sealed_t from_a = seal(&a, 1, 1), from_b = seal(&b, 2, 1);
    CHECK_HEX(from_a.bytes + 4, 4, "00000000");
    CHECK_HEX(from_b.bytes + 4, 4, "00000000");
    check_opens(&b, from_a, 1);
    check_opens(&a, from_b, 2);
    CHECK(a.rekey_complete && b.rekey_complete);
    finish();
}

static void old_frames_stay_readable_for_the_initiator(void)
{
    begin();
    check_opens(&a, seal(&b, 0, 1), 0);
    sealed_t rekey = start_rekey(&a, 1);
    sealed_t first = seal(&b, 1, 1), second = seal(&b, 2, 1), late = seal(&b, 3, 1);
    respond(&b, rekey);
    check_opens(&a, first, 1);
    check_opens(&a, second, 2);
    CHECK(!a.rekey_complete);
    check_opens(&a, seal(&b, 4, 1), 4);
    CHECK(a.rekey_complete);
    CHECK_ERROR(open(&a, late), USMP_ERROR_BAD_SEQUENCE);
    finish();
}

static void both_keys_are_tried(void)
{
    for (unsigned under_old = 0; under_old < 2; under_old++) {
        begin();
        sealed_t rekey = start_rekey(&a, 1);
        sealed_t old = seal(&b, 1, 300);
        respond(&b, rekey);
        if (under_old) check_opens(&a, old, 1);
        check_opens(&a, seal(&b, 2, 300), 2);
        CHECK_ERROR(open(&a, old), USMP_ERROR_BAD_SEQUENCE);
        finish();
    }
}

static void the_responder_refuses_the_old_key(void)
{
    uint8_t salt[32] = {1};
    begin();
    (void)seal_as(&a, USMP_REKEY, 0, 32);
    sealed_t old = seal(&a, 1, 1);
    b.filter.expected = 1;
    CHECK(usmp_record_rekey(&b, USMP_REKEY_RESPONDER, salt, false));
    CHECK_ERROR(open(&b, old), USMP_ERROR_BAD_SEQUENCE);
    CHECK_ERROR(open(&b, forged(old, 0)), USMP_ERROR_BAD_NONCE);
    static const uint8_t zeros[64];
    CHECK_BYTES(b.keys_before, sizeof b.keys_before, zeros, sizeof zeros);
    finish();
}

static void rekeys_cross(void)
{
    begin();
    sealed_t from_a = start_rekey(&a, 1), from_b = start_rekey(&b, 2);
    sealed_t early_a = seal(&a, 10, 1), early_b = seal(&b, 11, 1);
    respond(&a, from_b);
    respond(&b, from_a);
    CHECK(!a.rekey_complete && !b.rekey_complete);
    check_opens(&b, early_a, 10);
    check_opens(&a, early_b, 11);
    CHECK(a.rekey_complete && b.rekey_complete);
    check_opens(&b, seal(&a, 12, 1), 12);
    check_opens(&a, seal(&b, 13, 1), 13);
    CHECK_NUMBER(a.tx_seq, 2);
    /* The next one, from either side, agrees. */
    respond(&b, start_rekey(&a, 3));
    check_opens(&b, seal(&a, 14, 1), 14);
    check_opens(&a, seal(&b, 15, 1), 15);
    respond(&a, start_rekey(&b, 4));
    check_opens(&a, seal(&b, 16, 1), 16);
    check_opens(&b, seal(&a, 17, 1), 17);
    finish();
}

static void keys_are_wiped(void)
{
    for (unsigned point = 0; point < 4; point++) {
        begin();
        if (point == 1) respond(&b, start_rekey(&a, 1));
        if (point == 2) {
            sealed_t from_a = start_rekey(&a, 1), from_b = start_rekey(&b, 2);
            respond(&a, from_b);
            respond(&b, from_a);
        }
        if (point == 3) {
            (void)start_rekey(&a, 1);
            (void)start_rekey(&b, 2);
        }
        CHECK(seam_finds_secret(&a, sizeof a));
        usmp_record_wipe(&a);
        CHECK(!seam_finds_secret(&a, sizeof a));
        CHECK_NUMBER(usmp_record_sealable(&a), 0);
        uint8_t frame[40];
        CHECK_ERROR(usmp_record_seal(&a, USMP_PING, NULL, 0, frame), USMP_ERROR_SEQUENCE_SPENT);
        finish();
    }
}

static void a_failed_seal_leaves_no_plaintext(void)
{
    static const char text[] = "a text that nobody must see";
    uint8_t frame[100] = {0};
    begin();
    seam_fail(1, false);
    CHECK_ERROR(usmp_record_seal(&a, USMP_DATA, (const uint8_t *)text, sizeof text, frame), USMP_ERROR_CRYPTO_FAILED);
    for (size_t i = 0; i + sizeof text <= sizeof frame; i++) CHECK(memcmp(frame + i, text, sizeof text) != 0);
    CHECK_NUMBER(a.tx_seq, 1);
    finish();
}

/* ── Datagrams ───────────────────────────────────────────────────────────────────────────────────────────────────── */

#if USMP_DATAGRAM

/** Tries a copy. */
static bool authenticates(usmp_record_t *to, sealed_t sealed, usmp_opened_t *opened)
{
    sealed_t before = sealed;
    bool done = usmp_record_authenticate(to, sealed.bytes, sealed.size, opened);
    if (!done) CHECK_BYTES(sealed.bytes, sealed.size, before.bytes, before.size);
    return done;
}

/** Takes a frame that is new. */
static void check_takes(usmp_record_t *to, sealed_t sealed)
{
    usmp_opened_t opened;
    if (!CHECK(authenticates(to, sealed, &opened))) return;
    CHECK(!opened.repeat && !opened.under_old_key);
    usmp_record_confirm(to, usmp_load32(sealed.bytes + 4), opened);
}

/** Of a peer that has the key: number 0, `nonce`, and all the rest as it should be. */
static sealed_t seal_under(usmp_record_t *from, const uint8_t nonce[12])
{
    sealed_t sealed;
    usmp_frame_write_header(sealed.bytes, USMP_DATA, 0, 20 + 28);
    memcpy(USMP_PAYLOAD(sealed.bytes), nonce, 12);
    pattern(USMP_TEXT(sealed.bytes), 20, 3);
    CHECK(usmp_aead_seal(&from->tx, nonce, sealed.bytes, USMP_CHECKED_HEADER_LENGTH, USMP_TEXT(sealed.bytes), 20));
    usmp_frame_write_checksum(sealed.bytes);
    sealed.size = 20 + 40;
    return sealed;
}

static void other_nonces_are_not_taken(void)
{
    usmp_opened_t opened;
    begin();
    for (size_t i = 0; i < 12; i++) {
        uint8_t nonce[12] = {0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
        nonce[i] ^= 0x40;
        sealed_t frame = seal_under(&a, nonce);
        test_context("byte %zu", i);
        CHECK(!authenticates(&b, frame, &opened));
        CHECK_ERROR(open(&b, frame), USMP_ERROR_BAD_NONCE);
    }
    check_takes(&b, seal(&a, 1, 20));
    finish();
}

/** Who has heard the session knows number and nonce: what is too short for them to be all of it must not be opened. */
static void records_that_are_too_short_are_not_taken(void)
{
    usmp_opened_t opened;
    begin();
    sealed_t frame = seal(&a, 1, 20);
    for (size_t length = 0; length < 28; length++) {
        sealed_t shorter = frame;
        shorter.size = 12 + length;
        test_context("%zu bytes", length);
        CHECK(!authenticates(&b, forged(shorter, 0), &opened));
    }
    check_takes(&b, frame);
    finish();
}

/** Memory in which there is no key is zero. */
static void no_key_is_no_key_of_zeros(void)
{
    static const uint8_t zeros[64];
    static const uint8_t nonce[12] = {0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7};
    usmp_opened_t opened;
    usmp_record_t stranger;
    begin();
    memset(&stranger, 0, sizeof stranger);
    CHECK(usmp_record_begin(&stranger, SESSION_ID, zeros));
    sealed_t frame = seal_under(&stranger, nonce);
    for (unsigned rekeyed = 0; rekeyed < 2; rekeyed++) {
        CHECK(!authenticates(&b, frame, &opened));
        CHECK_ERROR(open(&b, frame), USMP_ERROR_BAD_TAG);
        if (rekeyed) break;
        respond(&b, start_rekey(&a, 1));
    }
    usmp_record_wipe(&stranger);
    finish();
}

/** Nor does a number that was given up before REKEY come back under the old key. */
static void what_was_given_up_stays_so_after_a_change(void)
{
    usmp_opened_t opened;
    uint8_t salt[32] = {1};
    begin();
    sealed_t first = seal(&b, 0, 5), missing = seal(&b, 1, 5), third = seal(&b, 2, 5), late = seal(&b, 3, 5);
    check_takes(&a, first);
    check_takes(&a, third);
    a.filter.next = 3;
    (void)seal_as(&a, USMP_REKEY, 0, 32);
    CHECK(usmp_record_rekey(&a, USMP_REKEY_INITIATOR, salt, true));
    CHECK(!authenticates(&a, missing, &opened));
    if (CHECK(authenticates(&a, third, &opened))) CHECK(opened.repeat && opened.under_old_key);
    if (CHECK(authenticates(&a, late, &opened))) CHECK(!opened.repeat && opened.under_old_key);
    finish();
}

/** The responder has let go of everything before REKEY, and the initiator had everything acknowledged (§9.5). */
static void the_old_key_opens_repeats_alone(void)
{
    usmp_opened_t opened;
    begin();
    sealed_t first = seal(&a, 0, 5), missing = seal(&a, 1, 5), rekey = seal_as(&a, USMP_REKEY, 2, 32);
    sealed_t late = seal(&a, 3, 5);
    uint8_t salt[32];
    pattern(salt, sizeof salt, 2);
    check_takes(&b, first);
    check_takes(&b, rekey);
    CHECK(usmp_record_rekey(&b, USMP_REKEY_RESPONDER, salt, true));
    CHECK(usmp_record_rekey(&a, USMP_REKEY_INITIATOR, salt, true));
    const sealed_t taken[] = {first, rekey};
    for (size_t i = 0; i < COUNT(taken); i++) {
        if (CHECK(authenticates(&b, taken[i], &opened))) CHECK(opened.repeat && opened.under_old_key);
    }
    CHECK(!authenticates(&b, missing, &opened));
    CHECK(!authenticates(&b, late, &opened));
    CHECK(!b.rekey_complete);
    check_takes(&b, seal(&a, 4, 5));
    CHECK(b.rekey_complete);
    for (size_t i = 0; i < COUNT(taken); i++) CHECK(!authenticates(&b, taken[i], &opened));
    finish();
}

#endif

void record_suite(void)
{
    test("what one side seals the other opens, both ways and at every size", what_one_seals_the_other_opens);
    test("a frame is written where it is told to and nowhere else", nothing_is_written_beside_a_frame);
    test("each frame takes the next number, and it stands in the header and in the nonce", numbers_are_counted);
    test("2^32 - 2 is the last number that is sealed, and 2^32 - 1 is not opened", numbers_end);
    test("a frame that was replayed, skipped or reordered is not opened", order_is_kept);
    test("a changed frame is not opened, and does not use up its number", changed_frames_do_not_open);
    test("a change of keys starts both directions anew at number 0", a_change_starts_anew);
    test("what the responder had under way stays readable until the first frame under the new key",
         old_frames_stay_readable_for_the_initiator);
    test("both keys are tried where both await number 0", both_keys_are_tried);
    test("the responder refuses the old key at once, and does not keep it", the_responder_refuses_the_old_key);
    test("after a crossing each side sends under its own salt, and the next change agrees", rekeys_cross);
    test("all keys are wiped, at whatever point it comes, and nothing can be sealed after that", keys_are_wiped);
    test("a seal that fails uses up its number and leaves no plaintext", a_failed_seal_leaves_no_plaintext);
#if USMP_DATAGRAM
    test("over datagrams, a record that is too short is not taken, whatever it begins with",
         records_that_are_too_short_are_not_taken);
    test("where there is no old key, one of zeros opens nothing", no_key_is_no_key_of_zeros);
    test("over datagrams, what was given up before a change of keys is refused after it",
         what_was_given_up_stays_so_after_a_change);
    test("over datagrams, a frame of the peer under another nonce is not taken", other_nonces_are_not_taken);
    test("over datagrams, a responder opens repeats under the old key, nothing new, and no more once REKEY is complete",
         the_old_key_opens_repeats_alone);
#endif
}
