/** Keys in NVS. */
#include "nvs.h"

#include "usmp/crypto.h"
#include "usmp_esp.h"

/** The longest text that `usmp_esp_key_parse` can make a key of: hex: and two digits a byte. */
#define MAX_TEXT (4 + 2 * USMP_ESP_MAX_KEY + 1)

esp_err_t usmp_esp_key_store(const char *nvs_namespace, const char *nvs_key, const uint8_t *key, size_t length)
{
    nvs_handle_t nvs;
    if (nvs_namespace == NULL || nvs_key == NULL || key == NULL) return ESP_ERR_INVALID_ARG;
    if (length < USMP_ESP_MIN_KEY || length > USMP_ESP_MAX_KEY) return ESP_ERR_INVALID_SIZE;
    esp_err_t result = nvs_open(nvs_namespace, NVS_READWRITE, &nvs);
    if (result != ESP_OK) return result;
    result = nvs_set_blob(nvs, nvs_key, key, length);
    if (result == ESP_OK) result = nvs_commit(nvs);
    nvs_close(nvs);
    return result;
}

/** As nvs_partition_gen.py writes it from `data,string`. */
static esp_err_t load_text(nvs_handle_t nvs, const char *nvs_key, uint8_t *key, size_t *length)
{
    char text[MAX_TEXT];
    size_t size = sizeof text;
    esp_err_t result = nvs_get_str(nvs, nvs_key, text, &size);
    if (result == ESP_OK) result = usmp_esp_key_parse(text, key, length);
    if (result == ESP_ERR_NVS_INVALID_LENGTH) result = ESP_ERR_INVALID_SIZE;
    usmp_crypto_wipe(text, sizeof text);
    return result;
}

static esp_err_t load(nvs_handle_t nvs, const char *nvs_key, uint8_t *key, size_t *length)
{
    size_t room = *length;
    esp_err_t result = nvs_get_blob(nvs, nvs_key, key, length);
    if (result == ESP_ERR_NVS_INVALID_LENGTH) return ESP_ERR_INVALID_SIZE;
    if (result == ESP_OK) return *length < USMP_ESP_MIN_KEY ? ESP_ERR_INVALID_SIZE : ESP_OK;
    /* A string of that name is another type to some versions of NVS, and nothing to others. */
    if (result != ESP_ERR_NVS_NOT_FOUND && result != ESP_ERR_NVS_TYPE_MISMATCH) return result;
    *length = room;
    return load_text(nvs, nvs_key, key, length);
}

static esp_err_t in_our_words(esp_err_t result)
{
    return result == ESP_ERR_NVS_NOT_FOUND ? ESP_ERR_NOT_FOUND : result;
}

esp_err_t usmp_esp_key_load(const char *nvs_namespace, const char *nvs_key, uint8_t *key, size_t *length)
{
    nvs_handle_t nvs;
    if (nvs_namespace == NULL || nvs_key == NULL || key == NULL || length == NULL) return ESP_ERR_INVALID_ARG;
    esp_err_t result = nvs_open(nvs_namespace, NVS_READONLY, &nvs);
    if (result != ESP_OK) return in_our_words(result);
    result = load(nvs, nvs_key, key, length);
    nvs_close(nvs);
    return in_our_words(result);
}

esp_err_t usmp_esp_key_erase(const char *nvs_namespace, const char *nvs_key)
{
    nvs_handle_t nvs;
    if (nvs_namespace == NULL || nvs_key == NULL) return ESP_ERR_INVALID_ARG;
    esp_err_t result = nvs_open(nvs_namespace, NVS_READWRITE, &nvs);
    if (result != ESP_OK) return result;
    result = nvs_erase_key(nvs, nvs_key);
    if (result == ESP_OK) result = nvs_commit(nvs);
    nvs_close(nvs);
    return result == ESP_ERR_NVS_NOT_FOUND ? ESP_OK : result;
}
