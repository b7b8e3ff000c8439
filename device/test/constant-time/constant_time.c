/**
 * No jump and no address depends on a secret. Run by valgrind's memcheck, which reports a jump or an index that depends on
 * memory that was never written: secrets are declared to be such memory, the method of ctgrind (Langley, 2010). What the core
 * makes public is declared written again at the place where it becomes public, and only there:
 *
 *   - a public key, when it has been computed
 *   - ciphertext and tag, when a frame has been sealed
 *   - the MAC that an end sends, not the one that it compares with
 *   - whether two MACs are equal, whether a tag fits, whether a point was of low order: the answer is told by what is done next
 *   - a message, when the application has it
 *
 * The linker leads the functions of the seam through here (`--wrap`); what is watched is the core and the seam over BearSSL, with
 * the BearSSL of this machine.
 *
 *   constant_time PART…   runs these parts: equal, mac, schedule, record, x25519, stream, serial, datagram
 *   constant_time leak    compares as nobody should: must be reported
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "usmp/frame.h"
#include "usmp/usmp.h"

#define SECRET(memory, length) ((void)VALGRIND_MAKE_MEM_UNDEFINED(memory, length))
#define PUBLIC(memory, length) ((void)VALGRIND_MAKE_MEM_DEFINED(memory, length))

#define REQUIRE(condition) ((condition) ? (void)0 : give_up(#condition, __LINE__))

static void give_up(const char *what, int line)
{
    (void)fprintf(stderr, "line %d: %s does not hold\n", line, what);
    exit(2);
}

/** Whether any of it is secret. Where valgrind is not there, it is said to be. */
static bool is_secret(const uint8_t *memory, size_t length)
{
    uint8_t bits[64];
    if (RUNNING_ON_VALGRIND == 0) return true;
    REQUIRE(length <= sizeof bits && VALGRIND_GET_VBITS(memory, bits, length) == 1);
    for (size_t i = 0; i < length; i++) {
        if (bits[i] != 0) return true;
    }
    return false;
}

/* ── Where secrets begin and end ─────────────────────────────────────────────────────────────────────────────────── */

/** Who computes now: what one end sends is what the other compares with. */
static bool server_acts;

bool __real_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __real_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __real_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool __real_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
bool __real_usmp_crypto_equal(const uint8_t *a, const uint8_t *b, size_t length);
uint32_t __real_br_gcm_check_tag(br_gcm_context *gcm, const void *tag);

bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool __wrap_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
bool __wrap_usmp_crypto_equal(const uint8_t *a, const uint8_t *b, size_t length);
uint32_t __wrap_br_gcm_check_tag(br_gcm_context *gcm, const void *tag);

/** Not secret: whatever of it has to be is declared where it is used. */
bool usmp_crypto_random(uint8_t *out, size_t length)
{
    static uint8_t next;
    for (size_t i = 0; i < length; i++) out[i] = next = (uint8_t)(next * 5 + 113);
    return true;
}

bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key)
{
    SECRET(private_key, USMP_KEY_LENGTH);
    bool done = __real_usmp_crypto_x25519_public_key(public_key, private_key);
    PUBLIC(public_key, USMP_KEY_LENGTH);
    return done;
}

bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order)
{
    REQUIRE(is_secret(private_key, USMP_KEY_LENGTH));
    bool done = __real_usmp_crypto_x25519_agree(secret, private_key, peer, low_order);
    REQUIRE(is_secret(secret, USMP_KEY_LENGTH));
    return done;
}

bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    uint8_t head[4];
    memcpy(head, data, sizeof head);
    PUBLIC(head, sizeof head);
    uint8_t type = head[0] == USMP_MAGIC_LOW && head[1] == USMP_MAGIC_HIGH ? head[3] : 0;
    bool done = __real_usmp_crypto_hmac_sha256(mac, key, key_length, data, length);
    if (type == (server_acts ? USMP_SESSION_OK : USMP_HELLO_ACK)) PUBLIC(mac, USMP_MAC_LENGTH);
    return done;
}

bool __wrap_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length)
{
    bool done = __real_usmp_aead_seal(aead, nonce, aad, aad_length, text, length);
    PUBLIC(text, length + USMP_TAG_LENGTH);
    return done;
}

bool __wrap_usmp_crypto_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
    bool equal = __real_usmp_crypto_equal(a, b, length);
    PUBLIC(&equal, sizeof equal);
    return equal;
}

uint32_t __wrap_br_gcm_check_tag(br_gcm_context *gcm, const void *tag)
{
    uint32_t fits = __real_br_gcm_check_tag(gcm, tag);
    PUBLIC(&fits, sizeof fits);
    return fits;
}

/* ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void fill(uint8_t *out, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++) out[i] = (uint8_t)(seed = seed * 1103515245u + 12345u);
}

static void try_equal(void)
{
    uint8_t a[32];
    uint8_t b[32];
    fill(a, sizeof a, 1);
    for (unsigned at = 0; at <= sizeof a; at++) {
        memcpy(b, a, sizeof b);
        if (at < sizeof a) b[at] ^= 0x10;
        SECRET(a, sizeof a);
        SECRET(b, sizeof b);
        REQUIRE(usmp_crypto_equal(a, b, sizeof a) == (at == sizeof a));
        PUBLIC(a, sizeof a);
        PUBLIC(b, sizeof b);
    }
}

/** Keys shorter and longer than a block of the hash. */
static void try_mac(void)
{
    uint8_t key[80];
    uint8_t transcript[USMP_TRANSCRIPT_LENGTH];
    uint8_t identity[16] = {1};
    uint8_t mac[USMP_MAC_LENGTH];
    fill(transcript, sizeof transcript, 3);
    for (size_t length = USMP_MIN_PSK; length <= sizeof key; length += 8) {
        fill(key, sizeof key, 4);
        SECRET(key, sizeof key);
        REQUIRE(usmp_handshake_mac(mac, USMP_HELLO_ACK, key, length, identity, transcript));
        REQUIRE(usmp_handshake_mac(mac, USMP_SESSION_OK, key, length, identity, transcript));
    }
    uint8_t received[USMP_MAC_LENGTH] = {0};
    REQUIRE(!usmp_crypto_equal(mac, received, sizeof mac));
}

static void try_schedule(void)
{
    uint8_t secret[32];
    uint8_t keys[USMP_TRAFFIC_KEYS_LENGTH];
    uint8_t salt[32];
    uint8_t transcript[USMP_TRANSCRIPT_LENGTH];
    uint8_t session_id[16] = {7};
    fill(secret, sizeof secret, 5);
    fill(salt, sizeof salt, 6);
    fill(transcript, sizeof transcript, 7);
    SECRET(secret, sizeof secret);
    SECRET(salt, sizeof salt);
    REQUIRE(usmp_derive_session_keys(keys, secret, transcript));
    usmp_swap_keys(keys);
    REQUIRE(usmp_derive_rekey_keys(keys, keys, salt, session_id));
    REQUIRE(is_secret(keys, sizeof keys));
}

/** Every length of a block and around it, and a record that does not open. */
static void try_record(void)
{
    static usmp_record_t tx;
    static usmp_record_t rx;
    uint8_t keys[USMP_TRAFFIC_KEYS_LENGTH];
    uint8_t session_id[16] = {9};
    uint8_t text[USMP_MAX_PLAINTEXT];
    uint8_t frame[USMP_MAX_FRAME];
    fill(keys, sizeof keys, 8);
    SECRET(keys, sizeof keys);
    REQUIRE(usmp_record_begin(&tx, session_id, keys));
    usmp_swap_keys(keys);
    REQUIRE(usmp_record_begin(&rx, session_id, keys));
    for (size_t length = 0; length <= sizeof text; length += length < 48 ? 1 : 101) {
        fill(text, length, 9);
        SECRET(text, length);
        REQUIRE(usmp_record_seal(&tx, USMP_DATA, text, length, frame) == USMP_OK);
        frame[USMP_HEADER_LENGTH + USMP_NONCE_LENGTH + length] ^= 0x01;
        REQUIRE(usmp_record_open(&rx, frame, length + USMP_RECORD_OVERHEAD) == USMP_ERROR_BAD_TAG);
        PUBLIC(frame, sizeof frame);
        frame[USMP_HEADER_LENGTH + USMP_NONCE_LENGTH + length] ^= 0x01;
        REQUIRE(usmp_record_open(&rx, frame, length + USMP_RECORD_OVERHEAD) == USMP_OK);
    }
    usmp_record_wipe(&tx);
    usmp_record_wipe(&rx);
}

static void try_x25519(void)
{
    uint8_t mine[32];
    uint8_t yours[32];
    uint8_t my_public[32];
    uint8_t your_public[32];
    uint8_t secret[32];
    uint8_t zero[32] = {0};
    bool low_order;
    fill(mine, sizeof mine, 10);
    fill(yours, sizeof yours, 11);
    REQUIRE(usmp_crypto_x25519_public_key(my_public, mine));
    REQUIRE(usmp_crypto_x25519_public_key(your_public, yours));
    REQUIRE(usmp_crypto_x25519_agree(secret, mine, your_public, &low_order));
    REQUIRE(!usmp_crypto_x25519_agree(secret, mine, zero, &low_order) && low_order);
}

/** What the whole test rests on: this has to be reported. */
__attribute__((noinline)) static bool leaky_equal(const volatile uint8_t *a, const volatile uint8_t *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

static void leak(void)
{
    uint8_t a[32];
    uint8_t b[32];
    fill(a, sizeof a, 12);
    fill(b, sizeof b, 13);
    SECRET(a, sizeof a);
    if (leaky_equal(a, b, sizeof a)) (void)puts("equal");
}

/* ── Conversations ───────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct end {
    usmp_t usmp;
    usmp_settings_t settings;
    uint8_t queue[16384];
    size_t lengths[64];
    size_t count, bytes;
    unsigned messages, pongs, rekeyed;
    bool open;
    usmp_error_t error;
} end_t;

static end_t ends[2];
static uint8_t psk[24];
static uint8_t decoy[32];
static uint32_t now;

static void act_as(const end_t *end)
{
    server_acts = end == &ends[1];
}

static void drain(end_t *end)
{
    usmp_event_t event;
    size_t length;
    const uint8_t *bytes;
    /* Stays where it is until the session is open. */
    static const usmp_key_t key = {psk, sizeof psk};
    act_as(end);
    while (usmp_poll_timeout(&end->usmp, now) == 0) usmp_handle_timeout(&end->usmp, now);
    while (usmp_poll_event(&end->usmp, &event)) {
        if (event.type == USMP_EVENT_KEYS_WANTED) usmp_provide_keys(&end->usmp, event.data, &key, 1, now);
        end->open |= event.type == USMP_EVENT_OPEN;
        end->messages += event.type == USMP_EVENT_MESSAGE;
        end->pongs += event.type == USMP_EVENT_PONG;
        end->rekeyed += event.type == USMP_EVENT_REKEYED;
        if (event.type == USMP_EVENT_CLOSED) end->error = event.error;
    }
    while ((bytes = usmp_poll_transmit(&end->usmp, now, &length)) != NULL) {
        REQUIRE(end->bytes + length <= sizeof end->queue && end->count < 64);
        memcpy(end->queue + end->bytes, bytes, length);
        /* The MAC of a UTACK is sent as it is; everything else was declared public when it was made. */
        if (bytes[0] == 0xAC) PUBLIC(end->queue + end->bytes, length);
        REQUIRE(VALGRIND_CHECK_MEM_IS_DEFINED(end->queue + end->bytes, length) == 0);
        end->lengths[end->count++] = length;
        end->bytes += length;
        usmp_transmitted(&end->usmp, length, now);
    }
}

static void settle(void)
{
    for (unsigned round = 0; round < 200; round++) {
        drain(&ends[0]);
        drain(&ends[1]);
        if (ends[0].count + ends[1].count == 0) return;
        for (unsigned e = 0; e < 2; e++) {
            end_t *from = &ends[e];
            end_t *to = &ends[1 - e];
            uint8_t *bytes = from->queue;
            for (size_t i = 0; i < from->count; i++) {
                for (size_t left = from->lengths[i]; left > 0;) {
                    act_as(to);
                    size_t taken = usmp_handle_input(&to->usmp, bytes, left, now);
                    bytes += taken;
                    left -= taken;
                    drain(to);
                }
            }
            from->count = from->bytes = 0;
        }
    }
    give_up("the conversation comes to rest", __LINE__);
}

static void send_from(end_t *end, size_t length)
{
    uint8_t message[USMP_MAX_MESSAGE];
    fill(message, length, 14);
    SECRET(message, length);
    act_as(end);
    REQUIRE(usmp_send(&end->usmp, message, length, now) == USMP_OK);
    settle();
}

/** Everything once: handshake, messages of one frame and of several, PING, REKEY of each side and both at once, damage, BYE. */
static void converse(usmp_transport_t transport)
{
    fill(psk, sizeof psk, 15);
    fill(decoy, sizeof decoy, 16);
    SECRET(psk, sizeof psk);
    SECRET(decoy, sizeof decoy);
    memset(ends, 0, sizeof ends);
    for (unsigned e = 0; e < 2; e++) ends[e].settings.transport = transport;
    ends[0].settings.psk = psk;
    ends[0].settings.psk_length = sizeof psk;
    ends[1].settings.decoy_key = decoy;
    server_acts = true;
    REQUIRE(usmp_accept(&ends[1].usmp, &ends[1].settings, now) == USMP_OK);
    server_acts = false;
    REQUIRE(usmp_connect(&ends[0].usmp, &ends[0].settings, now) == USMP_OK);
    settle();
    REQUIRE(ends[0].open && ends[1].open);
    for (unsigned e = 0; e < 2; e++) {
        send_from(&ends[e], 0);
        send_from(&ends[e], 100);
        send_from(&ends[e], USMP_MAX_MESSAGE);
        (void)usmp_ping(&ends[e].usmp);
        settle();
        REQUIRE(usmp_rekey(&ends[e].usmp, true) == USMP_OK);
        settle();
        send_from(&ends[e], 7);
    }
    for (unsigned e = 0; e < 2; e++) REQUIRE(usmp_rekey(&ends[e].usmp, true) == USMP_OK);
    settle();
    send_from(&ends[0], 11);
    for (unsigned e = 0; e < 2; e++) REQUIRE(ends[e].messages >= 4 && ends[e].rekeyed == 3 && ends[e].pongs >= 2);
    act_as(&ends[0]);
    usmp_close(&ends[0].usmp, now);
    settle();
    REQUIRE(ends[0].error == USMP_ERROR_CLOSED && ends[1].error == USMP_ERROR_BYE);
    usmp_wipe(&ends[0].usmp);
    usmp_wipe(&ends[1].usmp);
}

/** A server that refuses a wrong key, with decoys in the place of what is missing. */
static void refuse(void)
{
    uint8_t wrong[sizeof psk];
    fill(psk, sizeof psk, 15);
    fill(wrong, sizeof wrong, 17);
    fill(decoy, sizeof decoy, 16);
    SECRET(psk, sizeof psk);
    SECRET(wrong, sizeof wrong);
    SECRET(decoy, sizeof decoy);
    memset(ends, 0, sizeof ends);
    ends[0].settings.psk = wrong;
    ends[0].settings.psk_length = sizeof wrong;
    ends[1].settings.decoy_key = decoy;
    server_acts = true;
    REQUIRE(usmp_accept(&ends[1].usmp, &ends[1].settings, now) == USMP_OK);
    server_acts = false;
    REQUIRE(usmp_connect(&ends[0].usmp, &ends[0].settings, now) == USMP_OK);
    settle();
    REQUIRE(ends[1].error == USMP_ERROR_WRONG_KEY);
}

static void stream(void)
{
    refuse();
    converse(USMP_TRANSPORT_STREAM);
}

static void serial(void)
{
    converse(USMP_TRANSPORT_SERIAL);
}

static void datagram(void)
{
    converse(USMP_TRANSPORT_DATAGRAM);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } PARTS[] = {
        {"equal", try_equal}, {"mac", try_mac}, {"schedule", try_schedule}, {"record", try_record}, {"x25519", try_x25519},
        {"stream", stream},   {"serial", serial}, {"datagram", datagram},   {"leak", leak},
    };
    for (int i = 1; i < count; i++) {
        size_t part = 0;
        while (part < sizeof PARTS / sizeof PARTS[0] && strcmp(arguments[i], PARTS[part].name) != 0) part++;
        if (part == sizeof PARTS / sizeof PARTS[0]) return 2;
        PARTS[part].run();
        (void)printf("%s is through\n", PARTS[part].name);
    }
    return count < 2 ? 2 : 0;
}
