/**
 * What the core leaves behind on the stack: every call of a whole conversation runs on a stack of its own, which is looked through
 * afterwards for the secrets that have gone through the seam: private keys, shared secrets, keys, what HKDF makes in between, salts
 * of REKEY. The salts must not be in the connections either. Over the toy seam of test/fuzz, which leaves none of them
 * there itself; what BearSSL leaves is its own affair (bearssl.c says so).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "usmp/frame.h"
#include "usmp/usmp.h"

#define MAX_SECRETS 128u
#define LOOKED_FOR 16u

static uint8_t secrets[MAX_SECRETS][32];
static unsigned secret_count;
static uint8_t salts[MAX_SECRETS][32];
static unsigned salt_count;
static bool in_session;
static bool failed;

bool __real_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __real_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __real_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);

static void add(uint8_t (*list)[32], unsigned *count, const uint8_t *bytes)
{
    if (*count < MAX_SECRETS) memcpy(list[(*count)++], bytes, 32);
}

bool usmp_crypto_random(uint8_t *out, size_t length)
{
    static uint32_t state = 1;
    for (size_t i = 0; i < length; i++) out[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    /* In a session, nothing else takes 32 random bytes. */
    if (in_session && length == 32) add(salts, &salt_count, out);
    return true;
}

bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key)
{
    add(secrets, &secret_count, private_key);
    return __real_usmp_crypto_x25519_public_key(public_key, private_key);
}

bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order)
{
    bool agreed = __real_usmp_crypto_x25519_agree(secret, private_key, peer, low_order);
    add(secrets, &secret_count, secret);
    return agreed;
}

/** The MACs of handshake and UTACK are sent; what is left is HKDF. */
bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    bool of_handshake = data[0] == USMP_MAGIC_LOW && data[1] == USMP_MAGIC_HIGH;
    bool of_utack = length == USMP_UTACK_HEADER_LENGTH;
    bool done = __real_usmp_crypto_hmac_sha256(mac, key, key_length, data, length);
    if (!of_handshake && !of_utack) add(secrets, &secret_count, mac);
    return done;
}

/* ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void look(const char *what, const char *where, const uint8_t *memory, size_t length, uint8_t (*list)[32], unsigned count)
{
    for (size_t at = 0; at + LOOKED_FOR <= length && !failed; at++) {
        for (unsigned i = 0; i < count && !failed; i++) {
            if (memory[at] != list[i][0] && memory[at] != list[i][LOOKED_FOR]) continue;
            if (memcmp(memory + at, list[i], LOOKED_FOR) != 0 && memcmp(memory + at, list[i] + LOOKED_FOR, LOOKED_FOR) != 0) continue;
            printf("# after %s, %s holds a secret\n", what, where);
            failed = true;
        }
    }
}

/* ── Calls on a stack of their own ───────────────────────────────────────────────────────────────────────────────── */

typedef struct end {
    usmp_t usmp;
    usmp_settings_t settings;
    uint8_t queue[16384];
    size_t lengths[64], count, bytes;
    bool open;
} end_t;

static end_t ends[2];
static uint8_t psk[24] = "the key of this device";
static const usmp_key_t key = {psk, sizeof psk};
static uint8_t decoy[32] = "nobody has this key";

static uint8_t stack[65536];
static ucontext_t outside;
static ucontext_t inside;

static struct {
    enum { CONNECT, ACCEPT, KEYS, INPUT, TIMEOUT, EVENT, TRANSMIT, SEND, REKEY, CLOSE } what;
    end_t *end;
    uint8_t *bytes;
    size_t length;
    usmp_event_t event;
    const uint8_t *given;
    bool told;
} call;

static void do_call(void)
{
    usmp_t *usmp = &call.end->usmp;
    switch (call.what) {
    case CONNECT: (void)!usmp_connect(usmp, &call.end->settings, 0); break;
    case ACCEPT: (void)!usmp_accept(usmp, &call.end->settings, 0); break;
    case KEYS: usmp_provide_keys(usmp, call.event.data, &key, 1, 0); break;
    case INPUT: call.length = usmp_handle_input(usmp, call.bytes, call.length, 0); break;
    case TIMEOUT: usmp_handle_timeout(usmp, 0); break;
    case EVENT: call.told = usmp_poll_event(usmp, &call.event); break;
    case TRANSMIT: call.given = usmp_poll_transmit(usmp, 0, &call.length); break;
    case SEND: (void)!usmp_send(usmp, (const uint8_t *)"message", 7, 0); break;
    case REKEY: (void)!usmp_rekey(usmp, true); break;
    default: usmp_close(usmp, 0); break;
    }
}

static void perform(int what, end_t *end)
{
    static const char *const NAMES[] = {"usmp_connect",    "usmp_accept",        "usmp_provide_keys", "usmp_handle_input", "usmp_handle_timeout",
                                        "usmp_poll_event", "usmp_poll_transmit", "usmp_send",         "usmp_rekey",        "usmp_close"};
    call.what = what;
    call.end = end;
    memset(stack, 0, sizeof stack);
    (void)getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, do_call, 0);
    (void)swapcontext(&outside, &inside);
    look(NAMES[what], "the stack", stack, sizeof stack, secrets, secret_count);
    look(NAMES[what], "the stack", stack, sizeof stack, salts, salt_count);
    for (unsigned e = 0; e < 2; e++) {
        look(NAMES[what], "a connection", (const uint8_t *)&ends[e].usmp, sizeof ends[e].usmp, salts, salt_count);
    }
}

static void drain(end_t *end)
{
    while (usmp_poll_timeout(&end->usmp, 0) == 0) perform(TIMEOUT, end);
    for (perform(EVENT, end); call.told; perform(EVENT, end)) {
        end->open |= call.event.type == USMP_EVENT_OPEN;
        if (call.event.type == USMP_EVENT_KEYS_WANTED) perform(KEYS, end);
    }
    for (perform(TRANSMIT, end); call.given != NULL; perform(TRANSMIT, end)) {
        memcpy(end->queue + end->bytes, call.given, call.length);
        end->lengths[end->count++] = call.length;
        end->bytes += call.length;
        usmp_transmitted(&end->usmp, call.length, 0);
    }
}

static void settle(void)
{
    for (unsigned round = 0; round < 100; round++) {
        drain(&ends[0]);
        drain(&ends[1]);
        if (ends[0].count + ends[1].count == 0) return;
        for (unsigned e = 0; e < 2; e++) {
            end_t *from = &ends[e];
            uint8_t *bytes = from->queue;
            for (size_t i = 0; i < from->count; i++) {
                for (size_t left = from->lengths[i]; left > 0;) {
                    call.bytes = bytes;
                    call.length = left;
                    perform(INPUT, &ends[1 - e]);
                    bytes += call.length;
                    left -= call.length;
                    drain(&ends[1 - e]);
                }
            }
            from->count = from->bytes = 0;
        }
    }
    failed = true;
}

static void converse(usmp_transport_t transport)
{
    memset(ends, 0, sizeof ends);
    in_session = false;
    secret_count = salt_count = 0;
    ends[0].settings.transport = ends[1].settings.transport = transport;
    ends[0].settings.psk = psk;
    ends[0].settings.psk_length = sizeof psk;
    ends[1].settings.decoy_key = decoy;
    perform(ACCEPT, &ends[1]);
    perform(CONNECT, &ends[0]);
    settle();
    in_session = true;
    for (unsigned e = 0; e < 2; e++) {
        perform(SEND, &ends[e]);
        perform(REKEY, &ends[e]);
        settle();
    }
    perform(REKEY, &ends[0]);
    perform(REKEY, &ends[1]);
    settle();
    perform(SEND, &ends[1]);
    settle();
    perform(CLOSE, &ends[0]);
    settle();
    failed |= !ends[0].open || !ends[1].open || salt_count != 4 || usmp_state(&ends[1].usmp) != USMP_STATE_CLOSED;
    for (unsigned e = 0; e < 2; e++) {
        look("the end", "a connection", (const uint8_t *)&ends[e].usmp, sizeof ends[e].usmp, secrets, secret_count);
    }
}

int main(void)
{
    static const char *const NAMES[] = {"stream", "serial", "datagrams"};
    bool any = false;
    for (unsigned i = 0; i < 3; i++) {
        failed = false;
        converse((usmp_transport_t)i);
        printf("%s %u - %s: no secret is left on the stack, no salt in a connection\n", failed ? "not ok" : "ok", i + 1, NAMES[i]);
        any |= failed;
    }
    puts("1..3");
    return any ? 1 : 0;
}
