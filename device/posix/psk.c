#include "psk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "usmp/usmp.h"

#define KEYGEN "npx usmp keygen --out key.txt"

static int hex_digit(char character)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *found = character == '\0' ? NULL : strchr(digits, character);
    if (found == NULL) return -1;
    return (int)(found - digits) < 16 ? (int)(found - digits) : (int)(found - digits) - 6;
}

static bool decode_hex(psk_t *psk, const char *digits)
{
    size_t count = strlen(digits);
    psk->length = 0;
    if (count == 0 || count % 2 != 0) return false;
    for (; *digits != '\0'; digits += 2) {
        int high = hex_digit(digits[0]), low = hex_digit(digits[1]);
        if (high < 0 || low < 0) return false;
        psk->bytes[psk->length++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/** Of either alphabet. */
static int base64_digit(char character)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (character == '-') character = '+';
    if (character == '_') character = '/';
    const char *found = character == '\0' ? NULL : strchr(digits, character);
    return found == NULL ? -1 : (int)(found - digits);
}

/** With or without padding. */
static bool decode_base64(psk_t *psk, const char *characters)
{
    size_t count = strcspn(characters, "=");
    size_t padding = strlen(characters + count);
    if (count % 4 == 1 || padding != strspn(characters + count, "=")) return false;
    if (padding > 0 && (padding > 2 || (count + padding) % 4 != 0)) return false;
    uint32_t bits = 0;
    psk->length = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = base64_digit(characters[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        /* Four digits are three bytes: each but the first of a group completes one. */
        if (i % 4 > 0) psk->bytes[psk->length++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return true;
}

/** @param where the key was found, for the problem, which never shows the key */
static bool parse(psk_t *psk, const char *text, const char *where, problem_t *problem)
{
    if (strlen(text) > PSK_MAX) return problem_is(problem, "%s: key is longer than %d bytes", where, PSK_MAX);
    if (strncmp(text, "hex:", 4) == 0) {
        if (!decode_hex(psk, text + 4))
            return problem_is(problem, "%s: hex: must be followed by pairs of hexadecimal digits alone", where);
    } else if (strncmp(text, "base64:", 7) == 0) {
        if (!decode_base64(psk, text + 7)) return problem_is(problem, "%s: base64: must be followed by base64 alone", where);
    } else {
        psk->length = strlen(text);
        memcpy(psk->bytes, text, psk->length);
    }
    if (psk->length >= USMP_MIN_PSK) return true;
    return problem_is(problem, "%s: key is %zu bytes, at least %u; make one with " KEYGEN, where, psk->length, USMP_MIN_PSK);
}

/** Without the one line end that editors leave behind a key. */
static void cut_line_end(char *text, size_t length)
{
    if (length > 0 && text[length - 1] == '\n') text[--length] = '\0';
    if (length > 0 && text[length - 1] == '\r') text[--length] = '\0';
}

static bool parse_file(psk_t *psk, const char *path, problem_t *problem)
{
    char text[PSK_MAX + 4];
    struct stat status;
    FILE *file = fopen(path, "r");
    if (file == NULL) return problem_is(problem, "cannot read %s: %s", path, strerror(errno));
    size_t length = fread(text, 1, sizeof text - 1, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    (void)fclose(file);
    if (failed) return problem_is(problem, "cannot read %s: %s", path, strerror(reason));
    if (memchr(text, '\0', length) != NULL) {
        usmp_crypto_wipe(text, sizeof text);
        return problem_is(problem, "%s: key holds a zero byte: write bytes that are no text as hex:... or base64:...", path);
    }
    text[length] = '\0';
    cut_line_end(text, length);
    if (text[0] == '\0') return problem_is(problem, "%s is empty: make a key with npx usmp keygen --out FILE", path);
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0)
        (void)fprintf(stderr, "usmp: %s can be read by every user of this machine: chmod 600 it\n", path);
    bool parsed = parse(psk, text, path, problem);
    usmp_crypto_wipe(text, sizeof text);
    return parsed;
}

bool psk_resolve(psk_t *psk, const char *text, const char *file, problem_t *problem)
{
    const char *inherited = getenv("USMP_PSK");
    if (text != NULL) return parse(psk, text, "--psk", problem);
    if (file != NULL) return parse_file(psk, file, problem);
    if (inherited != NULL) return parse(psk, inherited, "USMP_PSK", problem);
    return problem_is(problem, "no key: give --psk-file key.txt (" KEYGEN " makes one)");
}
