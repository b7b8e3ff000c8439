/** Keys as people write them. */
#include <string.h>

#include "usmp_esp.h"

static int hex_digit(char character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

static esp_err_t parse_hex(const char *digits, uint8_t *key, size_t room, size_t *length)
{
    size_t count = strlen(digits);
    *length = count / 2;
    for (size_t i = 0; i < count; i++) {
        if (hex_digit(digits[i]) < 0) return ESP_ERR_INVALID_ARG;
    }
    if (count % 2 != 0) return ESP_ERR_INVALID_ARG;
    if (*length > room) return ESP_ERR_INVALID_SIZE;
    for (size_t i = 0; i < *length; i++) key[i] = (uint8_t)(hex_digit(digits[2 * i]) << 4 | hex_digit(digits[2 * i + 1]));
    return ESP_OK;
}

/** Of either alphabet. */
static int base64_digit(char character)
{
    if (character >= 'A' && character <= 'Z') return character - 'A';
    if (character >= 'a' && character <= 'z') return character - 'a' + 26;
    if (character >= '0' && character <= '9') return character - '0' + 52;
    if (character == '+' || character == '-') return 62;
    if (character == '/' || character == '_') return 63;
    return -1;
}

/** With or without padding. */
static esp_err_t parse_base64(const char *characters, uint8_t *key, size_t room, size_t *length)
{
    size_t count = strcspn(characters, "=");
    size_t padding = strlen(characters + count);
    if (count % 4 == 1 || padding != strspn(characters + count, "=")) return ESP_ERR_INVALID_ARG;
    if (padding > 0 && (padding > 2 || (count + padding) % 4 != 0)) return ESP_ERR_INVALID_ARG;
    uint32_t bits = 0;
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = base64_digit(characters[i]);
        if (digit < 0) return ESP_ERR_INVALID_ARG;
        bits = bits << 6 | (uint32_t)digit;
        /* Four digits are three bytes: each but the first of a group completes one. */
        if (i % 4 == 0) continue;
        if (*length == room) return ESP_ERR_INVALID_SIZE;
        key[(*length)++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return ESP_OK;
}

static esp_err_t parse_plain(const char *text, uint8_t *key, size_t room, size_t *length)
{
    *length = strlen(text);
    if (*length > room) return ESP_ERR_INVALID_SIZE;
    memcpy(key, text, *length);
    return ESP_OK;
}

esp_err_t usmp_esp_key_parse(const char *text, uint8_t *key, size_t *length)
{
    if (text == NULL || key == NULL || length == NULL) return ESP_ERR_INVALID_ARG;
    size_t room = *length;
    esp_err_t result;
    if (strncmp(text, "hex:", 4) == 0) result = parse_hex(text + 4, key, room, length);
    else if (strncmp(text, "base64:", 7) == 0) result = parse_base64(text + 7, key, room, length);
    else result = parse_plain(text, key, room, length);
    if (result == ESP_OK && *length < USMP_ESP_MIN_KEY) result = ESP_ERR_INVALID_SIZE;
    return result;
}
