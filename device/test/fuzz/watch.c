#include "watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"

#define MAX_NONCES 8192u /* a power of two, four times what a script can seal */
#define MAX_KEYS 32u
#define MAX_SECRETS 256u
#define MAX_ENDS 8u

/** A key that is ready for use, by the memory that it was prepared in. */
typedef struct ready {
    const usmp_aead_t *aead;
    uint64_t key;
} ready_t;

typedef struct known {
    uint8_t key[32];
    const usmp_t *by;
} known_t;

typedef struct watched {
    const usmp_t *usmp;
    uint8_t last_type;
    unsigned byes;
} watched_t;

static struct {
    uint64_t chance;
    unsigned fail_in;
    bool failed;
    bool forging;
    uint64_t nonces[MAX_NONCES];
    unsigned nonce_count;
    ready_t ready[MAX_KEYS];
    known_t known[MAX_SECRETS];
    unsigned known_count;
    uint8_t secrets[MAX_SECRETS][32];
    unsigned secret_count;
    watched_t ends[MAX_ENDS];
    unsigned end_count;
} watch;

_Noreturn void broken(const char *promise, const char *file, int line)
{
    (void)fprintf(stderr, "BROKEN: %s (%s:%d)\n", promise, file, line);
    abort();
}

void trace(const char *format, ...)
{
    static int wanted = -1;
    va_list arguments;
    if (wanted < 0) wanted = getenv("USMP_TRACE") != NULL;
    if (wanted == 0) return;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* ── For the targets ─────────────────────────────────────────────────────────────────────────────────────────────── */

void watch_begin(uint64_t seed)
{
    memset(&watch, 0, sizeof watch);
    watch.chance = seed;
}

static watched_t *watched_by(const void *memory)
{
    for (unsigned i = 0; i < watch.end_count; i++) {
        uintptr_t offset = (uintptr_t)memory - (uintptr_t)watch.ends[i].usmp;
        if (offset < sizeof(usmp_t)) return &watch.ends[i];
    }
    return NULL;
}

void watch_end(const usmp_t *usmp)
{
    if (watched_by(usmp) != NULL) return;
    REQUIRE(watch.end_count < MAX_ENDS, "the watch has room for all ends");
    watch.ends[watch.end_count++].usmp = usmp;
}

void watch_restart(const usmp_t *usmp)
{
    watched_t *end = watched_by(usmp);
    if (end != NULL) *end = (watched_t){.usmp = usmp};
}

void watch_forging(bool on)
{
    watch.forging = on;
}

void watch_fail(unsigned n)
{
    watch.fail_in = n;
}

bool watch_has_failed(void)
{
    return watch.failed;
}

bool watch_knows_key(const uint8_t key[32], const usmp_t *by)
{
    for (unsigned i = 0; i < watch.known_count; i++) {
        if (watch.known[i].by == by && same(watch.known[i].key, key, 32)) return true;
    }
    return false;
}

static void add_secret(const uint8_t *secret)
{
    if (watch.secret_count < MAX_SECRETS) memcpy(watch.secrets[watch.secret_count++], secret, 32);
}

/** Any 8 bytes of a secret at a multiple of 8 in it, wherever they are now. */
static bool finds_secret(const uint8_t *memory, size_t length)
{
    uint64_t filter[16] = {0};
    for (unsigned i = 0; i < watch.secret_count; i++) {
        for (unsigned j = 0; j < 32; j += 8) {
            uint8_t low = watch.secrets[i][j];
            uint8_t high = watch.secrets[i][j + 1];
            unsigned bit = (low ^ (unsigned)high << 2) & 1023;
            filter[bit / 64] |= (uint64_t)1 << bit % 64;
        }
    }
    for (size_t at = 0; at + 8 <= length; at++) {
        unsigned bit = (memory[at] ^ (unsigned)memory[at + 1] << 2) & 1023;
        if ((filter[bit / 64] >> bit % 64 & 1) == 0) continue;
        for (unsigned i = 0; i < watch.secret_count; i++) {
            for (unsigned j = 0; j < 32; j += 8) {
                if (same(memory + at, watch.secrets[i] + j, 8)) return true;
            }
        }
    }
    return false;
}

void watch_over(const usmp_t *usmp)
{
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        uintptr_t offset = (uintptr_t)watch.ready[i].aead - (uintptr_t)usmp;
        REQUIRE(watch.ready[i].aead == NULL || offset >= sizeof *usmp, "an end that is over has released its keys");
    }
    REQUIRE(!finds_secret((const uint8_t *)usmp, sizeof *usmp), "an end that is over keeps no secret");
}

/* ── Between core and seam ───────────────────────────────────────────────────────────────────────────────────────── */

bool __real_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __real_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __real_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool __real_usmp_aead_prepare(usmp_aead_t *aead, const uint8_t *key);
bool __real_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
bool __real_usmp_aead_open(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
void __real_usmp_aead_release(usmp_aead_t *aead);

bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key);
bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order);
bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool __wrap_usmp_aead_prepare(usmp_aead_t *aead, const uint8_t *key);
bool __wrap_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
bool __wrap_usmp_aead_open(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length);
void __wrap_usmp_aead_release(usmp_aead_t *aead);

static bool fails(void)
{
    if (watch.fail_in == 0 || --watch.fail_in > 0) return false;
    watch.failed = true;
    return true;
}

static uint64_t next_chance(void)
{
    /* SplitMix64 */
    uint64_t x = watch.chance += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

bool usmp_crypto_random(uint8_t *out, size_t length)
{
    if (fails()) return false;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = next_chance();
        memcpy(out + i, &word, length - i < 8 ? length - i : 8);
    }
    return true;
}

bool __wrap_usmp_crypto_x25519_public_key(uint8_t *public_key, const uint8_t *private_key)
{
    add_secret(private_key);
    return !fails() && __real_usmp_crypto_x25519_public_key(public_key, private_key);
}

bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *private_key, const uint8_t *peer, bool *low_order)
{
    if (fails()) return false;
    bool agreed = __real_usmp_crypto_x25519_agree(secret, private_key, peer, low_order);
    if (agreed) add_secret(secret);
    return agreed;
}

bool __wrap_usmp_crypto_hmac_sha256(uint8_t *mac, const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    return !fails() && __real_usmp_crypto_hmac_sha256(mac, key, key_length, data, length);
}

static ready_t *find_ready(const usmp_aead_t *aead)
{
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        if (watch.ready[i].aead == aead) return &watch.ready[i];
    }
    return NULL;
}

static uint64_t digest(uint64_t state, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) state = (state ^ bytes[i]) * 0x100000001B3u;
    return state ^ state >> 32;
}

bool __wrap_usmp_aead_prepare(usmp_aead_t *aead, const uint8_t *key)
{
    REQUIRE(find_ready(aead) == NULL, "no key is prepared over one that was not released");
    add_secret(key);
    if (watch.known_count < MAX_SECRETS) {
        const watched_t *end = watched_by(aead);
        memcpy(watch.known[watch.known_count].key, key, 32);
        watch.known[watch.known_count++].by = end == NULL ? NULL : end->usmp;
    }
    if (fails()) return false;
    ready_t *free_slot = find_ready(NULL);
    REQUIRE(free_slot != NULL, "no key is left unreleased");
    free_slot->aead = aead;
    free_slot->key = digest(0xCBF29CE484222325u, key, 32);
    return __real_usmp_aead_prepare(aead, key);
}

static void use_nonce(uint64_t key, const uint8_t *nonce)
{
    uint64_t used = digest(key, nonce, USMP_NONCE_LENGTH) | 1;
    unsigned at = (unsigned)(used >> 16) % MAX_NONCES;
    for (; watch.nonces[at] != 0; at = (at + 1) % MAX_NONCES) {
        REQUIRE(watch.nonces[at] != used, "no nonce seals twice under one key");
    }
    REQUIRE(++watch.nonce_count < MAX_NONCES, "the watch has room for all nonces");
    watch.nonces[at] = used;
}

static void judge_type(const usmp_aead_t *aead, uint8_t type)
{
    watched_t *end = watched_by(aead);
    if (end == NULL) return;
    bool inside = end->last_type == USMP_DATA_FRAG;
    end->last_type = watch.forging ? 0 : type;
    if (watch.forging) return;
    REQUIRE(!inside || type == USMP_DATA_FRAG || type == USMP_DATA, "nothing stands between the parts of a message");
    if (usmp_state(end->usmp) != USMP_STATE_CLOSED) return;
    REQUIRE(type == USMP_BYE, "an end that has closed seals nothing but BYE");
    REQUIRE(++end->byes == 1, "an end says BYE once");
}

bool __wrap_usmp_aead_seal(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length)
{
    const ready_t *ready = find_ready(aead);
    REQUIRE(ready != NULL, "nothing is sealed by a key that is not ready");
    REQUIRE(usmp_load32(nonce) <= USMP_MAX_SEQUENCE, "the last number is never sent");
    trace("  seals type %u number %u, %zu bytes, key %04x\n", aad[3], usmp_load32(nonce), length, (unsigned)(ready->key & 0xFFFF));
    judge_type(aead, aad[3]);
    if (fails()) return false;
    use_nonce(ready->key, nonce);
    return __real_usmp_aead_seal(aead, nonce, aad, aad_length, text, length);
}

bool __wrap_usmp_aead_open(usmp_aead_t *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length, uint8_t *text,
                           size_t length)
{
    REQUIRE(find_ready(aead) != NULL, "nothing is opened by a key that is not ready");
    return !fails() && __real_usmp_aead_open(aead, nonce, aad, aad_length, text, length);
}

void __wrap_usmp_aead_release(usmp_aead_t *aead)
{
    ready_t *ready = find_ready(aead);
    if (ready != NULL) memset(ready, 0, sizeof *ready);
    __real_usmp_aead_release(aead);
}
