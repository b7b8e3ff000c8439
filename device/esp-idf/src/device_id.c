#include "device_id.h"

#include <string.h>

#if CONFIG_IDF_TARGET_LINUX
#include "esp_random.h"
#include "nvs.h"

#define NVS_KEY "device_id"

static bool load(uint8_t id[USMP_ESP_DEVICE_ID_LENGTH], const char *nvs_namespace)
{
    nvs_handle_t nvs;
    size_t length = USMP_ESP_DEVICE_ID_LENGTH;
    if (nvs_namespace == NULL || nvs_open(nvs_namespace, NVS_READONLY, &nvs) != ESP_OK) return false;
    esp_err_t result = nvs_get_blob(nvs, NVS_KEY, id, &length);
    nvs_close(nvs);
    return result == ESP_OK && length == USMP_ESP_DEVICE_ID_LENGTH;
}

/** Where this fails, the next run is another device. */
static void store(const uint8_t id[USMP_ESP_DEVICE_ID_LENGTH], const char *nvs_namespace)
{
    nvs_handle_t nvs;
    if (nvs_namespace == NULL || nvs_open(nvs_namespace, NVS_READWRITE, &nvs) != ESP_OK) return;
    if (nvs_set_blob(nvs, NVS_KEY, id, USMP_ESP_DEVICE_ID_LENGTH) == ESP_OK) (void)nvs_commit(nvs);
    nvs_close(nvs);
}

esp_err_t device_id_default(uint8_t id[USMP_ESP_DEVICE_ID_LENGTH], const char *nvs_namespace)
{
    if (load(id, nvs_namespace)) return ESP_OK;
    esp_fill_random(id, USMP_ESP_DEVICE_ID_LENGTH);
    /* Locally administered, and not a group. */
    id[0] = (uint8_t)((id[0] | 0x02) & 0xFE);
    store(id, nvs_namespace);
    return ESP_OK;
}
#else
#include "esp_mac.h"

esp_err_t device_id_default(uint8_t id[USMP_ESP_DEVICE_ID_LENGTH], const char *nvs_namespace)
{
    (void)nvs_namespace;
    /* Chips with IEEE 802.15.4 may tell 8 bytes, of which the first 6 are the address. */
    uint8_t mac[8] = {0};
    esp_err_t result = esp_base_mac_addr_get(mac);
    /* ESP-IDF 5.0 knows it only once somebody has set it, as Wi-Fi does. */
    if (result != ESP_OK) result = esp_efuse_mac_get_default(mac);
    memcpy(id, mac, USMP_ESP_DEVICE_ID_LENGTH);
    return result;
}
#endif
