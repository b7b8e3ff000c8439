/**
 * The promises of usmp/crypto.h, kept by whatever backend is linked. Prints TAP; exits 1 when a promise is broken. Needs
 * stdio and nothing else, so it runs on a board as well.
 */
#include <stdio.h>
#include <string.h>

#include "seam_vectors.h"
#include "usmp/crypto.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define MAX_TEXT 452u
#define MAX_BYTES (MAX_TEXT + USMP_TAG_LENGTH)

/** Written around buffers, and looked for afterwards. */
#define GUARD 0xA5u

static unsigned tests, failures;

static void promise(bool kept, const char *text)
{
    tests++;
    if (!kept) failures++;
    printf("%sok %u - %s\n", kept ? "" : "not ", tests, text);
}

static uint8_t nibble(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/** `hex` as bytes. Returns how many: never more than `size`, which every vector keeps to. */
static size_t unhex(uint8_t *out, size_t size, const char *hex)
{
    size_t length = 0;
    while (hex[0] != '\0' && hex[1] != '\0' && length < size) {
        out[length++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
        hex += 2;
    }
    return length;
}

static bool all(const uint8_t *bytes, size_t length, uint8_t value)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != value) return false;
    return true;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t length)
{
    return memcmp(a, b, length) == 0;
}

/* ── X25519 ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool x25519_vectors_hold(const x25519_vector_t *vectors, size_t count)
{
    static const uint8_t base_point[32] = {9};
    bool hold = true;
    for (size_t i = 0; i < count; i++) {
        uint8_t scalar[32], point[32], expected[32], result[32];
        unhex(scalar, sizeof scalar, vectors[i].scalar);
        unhex(point, sizeof point, vectors[i].point);
        unhex(expected, sizeof expected, vectors[i].result);

        bool low_order = true;
        hold = usmp_crypto_x25519_agree(result, scalar, point, &low_order) && hold;
        hold = !low_order && same(result, expected, sizeof result) && hold;
        if (same(point, base_point, sizeof point))
            hold = usmp_crypto_x25519_public_key(result, scalar) && same(result, expected, sizeof result) && hold;
    }
    return hold;
}

static void bits_that_x25519_overlooks(void)
{
    uint8_t private_key[32], public_key[32], point[32], first[32], second[32];
    unhex(private_key, sizeof private_key, openssl_x25519[0].scalar);
    unhex(point, sizeof point, openssl_x25519[0].point);

    bool kept = usmp_crypto_x25519_public_key(public_key, private_key);
    private_key[0] ^= 0x07u;
    private_key[31] ^= 0xC0u;
    kept = usmp_crypto_x25519_public_key(second, private_key) && same(public_key, second, sizeof second) && kept;
    promise(kept, "any 32 bytes are a private key: the bits that RFC 7748 fixes make no difference");

    bool low_order;
    kept = usmp_crypto_x25519_agree(first, private_key, point, &low_order);
    point[31] ^= 0x80u;
    kept = usmp_crypto_x25519_agree(second, private_key, point, &low_order) && same(first, second, sizeof first) && kept;
    promise(kept, "the highest bit of a public key makes no difference");
}

/** The points of order 1, 2, 4 and 8, on the curve and its twist, and what is equal to them modulo p = 2^255 - 19. */
static const char *const low_order_points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p - 1 */
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
};

static void points_of_low_order(void)
{
    uint8_t private_key[32], point[32], secret[32];
    unhex(private_key, sizeof private_key, openssl_x25519[1].scalar);
    bool kept = true;
    for (size_t i = 0; i < 2 * COUNT(low_order_points); i++) {
        unhex(point, sizeof point, low_order_points[i / 2]);
        if (i % 2 == 1) point[31] |= 0x80u;

        bool low_order = false;
        kept = !usmp_crypto_x25519_agree(secret, private_key, point, &low_order) && low_order && kept;
        kept = all(secret, sizeof secret, 0) && kept;
    }
    promise(kept, "a point of low order is refused and told apart, in all 14 encodings, and leaves no secret");
}

/* ── HMAC ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool hmac_vectors_hold(const hmac_vector_t *vectors, size_t count)
{
    bool hold = true;
    for (size_t i = 0; i < count; i++) {
        uint8_t key[200], data[300], expected[32], mac[34];
        size_t key_length = unhex(key, sizeof key, vectors[i].key);
        size_t length = unhex(data, sizeof data, vectors[i].data);
        unhex(expected, sizeof expected, vectors[i].result);

        memset(mac, GUARD, sizeof mac);
        hold = usmp_crypto_hmac_sha256(mac + 1, key, key_length, data, length) && hold;
        hold = same(mac + 1, expected, sizeof expected) && mac[0] == GUARD && mac[33] == GUARD && hold;
    }
    return hold;
}

static void macs_over_their_input(void)
{
    uint8_t key[200], data[300], expected[32];
    const hmac_vector_t *vector = &openssl_hmac[COUNT(openssl_hmac) - 1];
    size_t key_length = unhex(key, sizeof key, vector->key);
    size_t length = unhex(data, sizeof data, vector->data);
    unhex(expected, sizeof expected, vector->result);

    promise(usmp_crypto_hmac_sha256(data, key, key_length, data, length) && same(data, expected, sizeof expected),
            "a MAC may take the place of the data");

    bool kept = true;
    for (size_t i = 0; i < COUNT(openssl_hmac); i++) {
        key_length = unhex(key, sizeof key, openssl_hmac[i].key);
        length = unhex(data, sizeof data, openssl_hmac[i].data);
        unhex(expected, sizeof expected, openssl_hmac[i].result);
        kept = usmp_crypto_hmac_sha256(key, key, key_length, data, length) && same(key, expected, sizeof expected) && kept;
    }
    promise(kept, "a MAC may take the place of the key, of any length");
}

/* ── AES-256-GCM ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A vector as bytes. `text` has room for the tag; `sealed` is ciphertext and tag. */
typedef struct gcm_case {
    uint8_t key[32], nonce[12], aad[33], text[MAX_BYTES], sealed[MAX_BYTES];
    size_t aad_length, length;
} gcm_case_t;

static gcm_case_t one, other;

static void load(gcm_case_t *to, const gcm_vector_t *vector)
{
    memset(to, 0, sizeof *to);
    unhex(to->key, sizeof to->key, vector->key);
    unhex(to->nonce, sizeof to->nonce, vector->nonce);
    to->aad_length = unhex(to->aad, sizeof to->aad, vector->aad);
    to->length = unhex(to->text, MAX_TEXT, vector->text);
    unhex(to->sealed, sizeof to->sealed, vector->sealed);
}

static bool seals(usmp_aead_t *aead, const gcm_case_t *c)
{
    static uint8_t buffer[MAX_BYTES + 2];
    memset(buffer, GUARD, sizeof buffer);
    memcpy(buffer + 1, c->text, c->length);
    return usmp_aead_seal(aead, c->nonce, c->aad, c->aad_length, buffer + 1, c->length) &&
           same(buffer + 1, c->sealed, c->length + USMP_TAG_LENGTH) && buffer[0] == GUARD &&
           all(buffer + 1 + c->length + USMP_TAG_LENGTH, MAX_BYTES + 1 - c->length - USMP_TAG_LENGTH, GUARD);
}

static bool opens(usmp_aead_t *aead, const gcm_case_t *c)
{
    static uint8_t buffer[MAX_BYTES + 2];
    memset(buffer, GUARD, sizeof buffer);
    memcpy(buffer + 1, c->sealed, c->length + USMP_TAG_LENGTH);
    return usmp_aead_open(aead, c->nonce, c->aad, c->aad_length, buffer + 1, c->length) &&
           same(buffer + 1, c->text, c->length) && buffer[0] == GUARD &&
           same(buffer + 1 + c->length, c->sealed + c->length, USMP_TAG_LENGTH) &&
           all(buffer + 1 + c->length + USMP_TAG_LENGTH, MAX_BYTES + 1 - c->length - USMP_TAG_LENGTH, GUARD);
}

/** Whether `aead` refuses the case and leaves every byte of it alone. */
static bool refuses(usmp_aead_t *aead, const gcm_case_t *c)
{
    static uint8_t buffer[MAX_BYTES + 2];
    memset(buffer, GUARD, sizeof buffer);
    memcpy(buffer + 1, c->sealed, c->length + USMP_TAG_LENGTH);
    return !usmp_aead_open(aead, c->nonce, c->aad, c->aad_length, buffer + 1, c->length) &&
           same(buffer + 1, c->sealed, c->length + USMP_TAG_LENGTH) && buffer[0] == GUARD &&
           all(buffer + 1 + c->length + USMP_TAG_LENGTH, MAX_BYTES + 1 - c->length - USMP_TAG_LENGTH, GUARD);
}

static bool gcm_vectors_hold(const gcm_vector_t *vectors, size_t count)
{
    bool hold = true;
    for (size_t i = 0; i < count; i++) {
        usmp_aead_t aead;
        load(&one, &vectors[i]);
        hold = usmp_aead_prepare(&aead, one.key) && hold;
        hold = seals(&aead, &one) && opens(&aead, &one) && seals(&aead, &one) && hold;
        usmp_aead_release(&aead);
    }
    return hold;
}

/** Changes one bit at each of `count` bytes in turn, every `stride`th; all are refused, and all open when it is back. */
static bool notices(usmp_aead_t *aead, gcm_case_t *c, uint8_t *bytes, size_t count, size_t stride)
{
    bool noticed = true;
    for (size_t i = 0; i < count; i += stride) {
        uint8_t bit = (uint8_t)(1u << i % 8);
        bytes[i] ^= bit;
        noticed = refuses(aead, c) && noticed;
        bytes[i] ^= bit;
        noticed = opens(aead, c) && noticed;
    }
    return noticed;
}

static void changed_bits(void)
{
    bool text = true, tag = true, aad = true, nonce = true, length = true;
    for (size_t i = 0; i < COUNT(openssl_gcm); i++) {
        usmp_aead_t aead;
        load(&one, &openssl_gcm[i]);
        if (!usmp_aead_prepare(&aead, one.key)) {
            text = false;
            continue;
        }
        text = notices(&aead, &one, one.sealed, one.length, one.length > 48 ? 41 : 1) && text;
        tag = notices(&aead, &one, one.sealed + one.length, USMP_TAG_LENGTH, 1) && tag;
        aad = notices(&aead, &one, one.aad, one.aad_length, 3) && aad;
        nonce = notices(&aead, &one, one.nonce, sizeof one.nonce, 5) && nonce;
        if (one.aad_length > 0) {
            one.aad_length--;
            length = refuses(&aead, &one) && length;
            one.aad_length++;
        }
        if (one.length > 0) {
            one.length--;
            length = refuses(&aead, &one) && length;
            one.length++;
        }
        length = opens(&aead, &one) && length;
        usmp_aead_release(&aead);
    }
    promise(text, "a changed bit in the text is refused, all stays as it was, and the right text still opens");
    promise(tag, "a changed bit in the tag is refused, all stays as it was, and the right tag still opens");
    promise(aad, "a changed bit in the additional data is refused, and all stays as it was");
    promise(nonce, "a changed bit in the nonce is refused, and all stays as it was");
    promise(length, "a shorter text and shorter additional data are refused, and all stays as it was");
}

static void several_keys(void)
{
    usmp_aead_t right, wrong;
    load(&one, &openssl_gcm[COUNT(openssl_gcm) - 1]);
    load(&other, &openssl_gcm[7]);
    bool kept = usmp_aead_prepare(&wrong, other.key);
    kept = usmp_aead_prepare(&right, one.key) && kept;

    static uint8_t text[MAX_BYTES];
    memcpy(text, one.sealed, sizeof text);
    kept = !usmp_aead_open(&wrong, one.nonce, one.aad, one.aad_length, text, one.length) && kept;
    kept = usmp_aead_open(&right, one.nonce, one.aad, one.aad_length, text, one.length) && kept;
    promise(kept && same(text, one.text, one.length), "what one key refuses, another opens from the same memory");

    kept = seals(&right, &one) && seals(&wrong, &other) && refuses(&right, &other) && opens(&right, &one) &&
           opens(&wrong, &other) && refuses(&wrong, &one) && seals(&wrong, &other);
    promise(kept, "two keys are in use at once and do not disturb each other");

    usmp_aead_release(&wrong);
    promise(seals(&right, &one) && opens(&right, &one), "releasing one key leaves the other");

    usmp_aead_release(&right);
    kept = usmp_aead_prepare(&right, other.key) && seals(&right, &other) && opens(&right, &other) && refuses(&right, &one);
    promise(kept, "a released key may be prepared again, as another one");
    usmp_aead_release(&right);
}

static void released_keys(void)
{
    usmp_aead_t aead;
    const uint8_t *bytes = (const uint8_t *)&aead;
    load(&one, &openssl_gcm[7]);

    memset(&aead, 0, sizeof aead);
    usmp_aead_release(&aead);
    usmp_aead_release(&aead);
    bool kept = usmp_aead_prepare(&aead, one.key) && seals(&aead, &one);
    promise(kept, "releasing a key of all zero bytes does nothing");

    usmp_aead_release(&aead);
    kept = all(bytes, sizeof aead, 0);
    usmp_aead_release(&aead);
    promise(kept && all(bytes, sizeof aead, 0), "a released key is all zero bytes, and may be released again");
}

/** More often than any library has places for keys. */
#define MANY 40

static void nothing_runs_out(void)
{
    uint8_t point[32] = {1}, secret[32], mac[32];
    load(&one, &openssl_gcm[7]);
    bool kept = true;
    for (int i = 0; i < MANY; i++) {
        usmp_aead_t aead;
        bool low_order = false;
        kept = !usmp_crypto_x25519_agree(secret, one.key, point, &low_order) && low_order && kept;
        kept = usmp_crypto_hmac_sha256(mac, one.key, sizeof one.key, point, sizeof point) && kept;
        kept = usmp_aead_prepare(&aead, one.key) && seals(&aead, &one) && kept;
        one.sealed[0] ^= 1u;
        kept = refuses(&aead, &one) && kept;
        one.sealed[0] ^= 1u;
        usmp_aead_release(&aead);
    }
    promise(kept, "nothing runs out, whether calls succeed or fail");
}

/* ── The rest ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void random_bytes(void)
{
    uint8_t first[32] = {0}, second[32] = {0};
    bool kept = usmp_crypto_random(first, sizeof first) && usmp_crypto_random(second, sizeof second);
    promise(kept && !same(first, second, sizeof first), "two draws of random bytes differ");

    uint8_t few = GUARD;
    promise(usmp_crypto_random(&few, 0) && few == GUARD, "no random bytes may be drawn");

    static uint8_t many[1002];
    memset(many, GUARD, sizeof many);
    kept = usmp_crypto_random(many + 1, 1000) && many[0] == GUARD && many[1001] == GUARD;
    /* Eight equal bytes in a row, GUARD or zero, would be one chance in 2^56 at each place. */
    for (size_t i = 1; i + 8 <= 1001; i++) kept = !all(many + i, 8, many[i]) && kept;
    promise(kept, "1000 random bytes are filled in, all of them and no more");
}

static void comparison(void)
{
    uint8_t a[33], b[33];
    for (size_t i = 0; i < sizeof a; i++) a[i] = b[i] = (uint8_t)(i * 7);
    bool kept = usmp_crypto_equal(a, b, sizeof a) && usmp_crypto_equal(a, b, 0) && usmp_crypto_equal(a, a, sizeof a);
    for (unsigned bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        kept = !usmp_crypto_equal(a, b, sizeof a) && usmp_crypto_equal(a, b, bit / 8) && kept;
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    promise(kept, "bytes are equal when each bit is, and those behind them do not matter");
}

static void wiping(void)
{
    uint8_t memory[35];
    memset(memory, GUARD, sizeof memory);
    usmp_crypto_wipe(memory + 1, 0);
    bool kept = all(memory, sizeof memory, GUARD);
    usmp_crypto_wipe(memory + 1, 33);
    promise(kept && all(memory + 1, 33, 0) && memory[0] == GUARD && memory[34] == GUARD,
            "wiping leaves zeros, and nothing else is touched");
}

int main(void)
{
    /* First, when the library has not been called yet: any function may be the first one. */
    promise(hmac_vectors_hold(rfc_4231, COUNT(rfc_4231)), "HMAC-SHA256 gives the results of RFC 4231");
    promise(hmac_vectors_hold(openssl_hmac, COUNT(openssl_hmac)), "HMAC-SHA256 takes keys of 0 to 200 bytes");
    macs_over_their_input();

    promise(x25519_vectors_hold(rfc_7748, COUNT(rfc_7748)), "X25519 gives the results of RFC 7748");
    promise(x25519_vectors_hold(openssl_x25519, COUNT(openssl_x25519)), "X25519 agrees with OpenSSL, above the prime too");
    bits_that_x25519_overlooks();
    points_of_low_order();

    promise(gcm_vectors_hold(nist_gcm, COUNT(nist_gcm)), "AES-256-GCM gives the results of the NIST submission");
    promise(gcm_vectors_hold(openssl_gcm, COUNT(openssl_gcm)), "AES-256-GCM agrees with OpenSSL for 0 to 452 bytes");
    changed_bits();
    several_keys();
    released_keys();
    nothing_runs_out();

    random_bytes();
    comparison();
    wiping();

    printf("1..%u\n", tests);
    return failures > 0 ? 1 : 0;
}
