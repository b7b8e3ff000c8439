#include "network.h"

#include "sdkconfig.h"

#if CONFIG_IDF_TARGET_LINUX
bool network_connect(uint32_t timeout)
{
    (void)timeout;
    return true;
}
#elif CONFIG_SOC_WIFI_SUPPORTED
#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"

#define CONNECTED (1u << 0)

static EventGroupHandle_t state;

static void on_event(void *argument, esp_event_base_t base, int32_t id, void *data)
{
    (void)argument;
    (void)data;
    if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) {
        xEventGroupSetBits(state, CONNECTED);
    } else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
        xEventGroupClearBits(state, CONNECTED);
        ESP_LOGW("network", "no Wi-Fi: trying again");
        (void)esp_wifi_connect();
    } else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START) {
        (void)esp_wifi_connect();
    }
}

bool network_connect(uint32_t timeout)
{
    const wifi_init_config_t defaults = WIFI_INIT_CONFIG_DEFAULT();
    wifi_config_t config = {.sta = {.ssid = CONFIG_EXAMPLE_WIFI_SSID, .password = CONFIG_EXAMPLE_WIFI_PASSWORD}};
    state = xEventGroupCreate();
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    (void)esp_netif_create_default_wifi_sta();
    ESP_ERROR_CHECK(esp_wifi_init(&defaults));
    ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, NULL));
    ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, NULL));
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_wifi_set_config(WIFI_IF_STA, &config));
    ESP_ERROR_CHECK(esp_wifi_start());

    TickType_t ticks = timeout == UINT32_MAX ? portMAX_DELAY : pdMS_TO_TICKS(timeout);
    return (xEventGroupWaitBits(state, CONNECTED, pdFALSE, pdTRUE, ticks) & CONNECTED) != 0;
}
#else
#include "esp_log.h"
#include "esp_netif.h"

/* This chip has no Wi-Fi: bring up Thread or Ethernet here. */
bool network_connect(uint32_t timeout)
{
    (void)timeout;
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_LOGE("network", "bring your network up in network.c");
    return false;
}
#endif
