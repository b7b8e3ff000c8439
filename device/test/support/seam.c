#include "seam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usmp/crypto.h"

#include "bytes.h"

bool real_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32]);
bool real_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer[32], bool *low_order);
bool real_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length);
bool real_aead_prepare(usmp_aead_t *aead, const uint8_t key[32]);
bool real_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length);
bool real_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length);
void real_aead_release(usmp_aead_t *aead);

#define MAX_LIVE 64u
#define CHUNK 8u

typedef struct live {
    const usmp_aead_t *aead;
    uint8_t key[32];
} live_t;

static chance_t random_state;
static uint8_t scripted[1024];
static size_t scripted_start, scripted_end;

static unsigned fail_at, calls;
static bool stays_broken, has_failed;
static unsigned counts[SEAM_CALLS];

static live_t live[MAX_LIVE];
static unsigned live_count;

/** Hashes of key and nonce of everything sealed: open addressing, 0 is free. */
static uint64_t *sealed;
static size_t sealed_count, sealed_size;

/** Chunks of secrets, sorted into buckets by their first byte. */
static uint8_t (*secrets[256])[CHUNK];
static size_t secret_counts[256], secret_sizes[256];

static char violation[160];

static void violated(const char *what)
{
    if (violation[0] == '\0') (void)snprintf(violation, sizeof violation, "%s", what);
}

void seam_reset(uint32_t seed)
{
    random_state.state = seed;
    scripted_start = scripted_end = 0;
    fail_at = calls = 0;
    stays_broken = has_failed = false;
    memset(counts, 0, sizeof counts);
    live_count = 0;
    free(sealed);
    sealed = NULL;
    sealed_count = sealed_size = 0;
    for (size_t i = 0; i < 256; i++) {
        free(secrets[i]);
        secrets[i] = NULL;
        secret_counts[i] = secret_sizes[i] = 0;
    }
    violation[0] = '\0';
}

void seam_script(const char *digits)
{
    scripted_end += unhex(scripted + scripted_end, sizeof scripted - scripted_end, digits);
}

void seam_fail(unsigned n, bool broken)
{
    fail_at = n;
    calls = 0;
    stays_broken = broken;
    has_failed = false;
}

unsigned seam_calls(void)
{
    return calls;
}

unsigned seam_count(seam_call_t call)
{
    return counts[call];
}

bool seam_has_failed(void)
{
    return has_failed;
}

const char *seam_violation(void)
{
    return violation[0] == '\0' ? NULL : violation;
}

unsigned seam_live_keys(void)
{
    return live_count;
}

/* ── Secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A chunk of which every byte is the same would be found everywhere. */
static bool is_plain(const uint8_t *chunk)
{
    for (size_t i = 1; i < CHUNK; i++) {
        if (chunk[i] != chunk[0]) return false;
    }
    return true;
}

static bool is_known(const uint8_t *chunk)
{
    for (size_t i = 0; i < secret_counts[chunk[0]]; i++) {
        if (memcmp(secrets[chunk[0]][i], chunk, CHUNK) == 0) return true;
    }
    return false;
}

void seam_add_secret(const uint8_t *secret, size_t length)
{
    for (; length >= CHUNK; secret += CHUNK, length -= CHUNK) {
        uint8_t bucket = secret[0];
        if (is_plain(secret) || is_known(secret)) continue;
        if (secret_counts[bucket] == secret_sizes[bucket]) {
            secret_sizes[bucket] = secret_sizes[bucket] * 2 + 8;
            secrets[bucket] = realloc(secrets[bucket], secret_sizes[bucket] * CHUNK);
            if (secrets[bucket] == NULL) abort();
        }
        memcpy(secrets[bucket][secret_counts[bucket]++], secret, CHUNK);
    }
}

bool seam_finds_secret(const void *memory, size_t length)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i + CHUNK <= length; i++) {
        if (is_known(bytes + i)) return true;
    }
    return false;
}

/* ── Nonces and keys ─────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t fnv(uint64_t hash, const uint8_t *bytes, size_t length)
{
    while (length-- > 0) hash = (hash ^ *bytes++) * UINT64_C(0x100000001B3);
    return hash;
}

/** @return false when it was there already */
static bool insert(uint64_t hash)
{
    size_t at = (size_t)hash & (sealed_size - 1);
    while (sealed[at] != 0) {
        if (sealed[at] == hash) return false;
        at = (at + 1) & (sealed_size - 1);
    }
    sealed[at] = hash;
    sealed_count++;
    return true;
}

static void grow(void)
{
    uint64_t *old = sealed;
    size_t old_size = sealed_size;
    sealed_size = old_size == 0 ? 1024 : old_size * 4;
    sealed = calloc(sealed_size, sizeof *sealed);
    if (sealed == NULL) abort();
    sealed_count = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i] != 0) (void)insert(old[i]);
    }
    free(old);
}

static live_t *find_live(const usmp_aead_t *aead)
{
    for (unsigned i = 0; i < live_count; i++) {
        if (live[i].aead == aead) return &live[i];
    }
    return NULL;
}

/* ── The seam ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool fails(seam_call_t call)
{
    calls++;
    counts[call]++;
    if (fail_at == 0 || (calls != fail_at && !(stays_broken && calls > fail_at))) return false;
    has_failed = true;
    return true;
}

bool usmp_crypto_random(uint8_t *out, size_t length)
{
    if (fails(SEAM_RANDOM)) return false;
    if (scripted_end - scripted_start >= length) {
        memcpy(out, scripted + scripted_start, length);
        scripted_start += length;
    } else {
        chance_fill(&random_state, out, length);
    }
    return true;
}

bool usmp_crypto_x25519_public_key(uint8_t public_key[32], const uint8_t private_key[32])
{
    seam_add_secret(private_key, 32);
    if (fails(SEAM_PUBLIC_KEY)) return false;
    return real_x25519_public_key(public_key, private_key);
}

bool usmp_crypto_x25519_agree(uint8_t secret[32], const uint8_t private_key[32], const uint8_t peer_public_key[32],
                              bool *low_order)
{
    *low_order = false;
    if (fails(SEAM_AGREE)) return false;
    bool agreed = real_x25519_agree(secret, private_key, peer_public_key, low_order);
    if (agreed) seam_add_secret(secret, 32);
    return agreed;
}

/** The MACs of the handshake (§3.4) and of UTACKs (§9.1) are sent in clear; what else HMAC makes here are keys. */
static bool is_public_mac(const uint8_t *data, size_t length)
{
    return length == 7 || (length > 4 + 96 && data[0] == 0xCD && data[1] == 0xAB && data[2] == 0x02);
}

bool usmp_crypto_hmac_sha256(uint8_t mac[32], const uint8_t *key, size_t key_length, const uint8_t *data, size_t length)
{
    bool is_public = is_public_mac(data, length);
    if (fails(SEAM_HMAC)) return false;
    bool done = real_hmac_sha256(mac, key, key_length, data, length);
    if (done && !is_public) seam_add_secret(mac, 32);
    return done;
}

bool usmp_aead_prepare(usmp_aead_t *aead, const uint8_t key[32])
{
    if (find_live(aead) != NULL) violated("a key was prepared over one that was not released");
    seam_add_secret(key, 32);
    if (fails(SEAM_PREPARE)) return false;
    if (live_count == MAX_LIVE) abort();
    live[live_count].aead = aead;
    memcpy(live[live_count++].key, key, 32);
    return real_aead_prepare(aead, key);
}

bool usmp_aead_seal(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    const live_t *key = find_live(aead);
    if (key == NULL) {
        violated("sealed with a key that is not ready");
        return false;
    }
    /* Also what fails has used up its number (§4.2). */
    if (sealed_count * 2 >= sealed_size) grow();
    if (!insert(fnv(fnv(UINT64_C(0xCBF29CE484222325), key->key, 32), nonce, 12) | 1)) violated("a nonce was used twice");
    if (fails(SEAM_SEAL)) return false;
    return real_aead_seal(aead, nonce, aad, aad_length, text, length);
}

bool usmp_aead_open(usmp_aead_t *aead, const uint8_t nonce[12], const uint8_t *aad, size_t aad_length, uint8_t *text,
                    size_t length)
{
    if (find_live(aead) == NULL) {
        violated("opened with a key that is not ready");
        return false;
    }
    if (fails(SEAM_OPEN)) return false;
    return real_aead_open(aead, nonce, aad, aad_length, text, length);
}

void usmp_aead_release(usmp_aead_t *aead)
{
    live_t *key = find_live(aead);
    if (key != NULL) *key = live[--live_count];
    real_aead_release(aead);
}
