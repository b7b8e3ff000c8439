/**
 * Stays connected to a USMP server, says hello in each session, tells its uptime every five seconds, and logs what the server
 * says. The same code runs on chips and on the target linux.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "network.h"
#include "nvs_flash.h"
#include "usmp_esp.h"

static const char *TAG = "example";

/** Runs in the task of the connection. With `post_events` events come through esp_event instead, or as well. */
static void on_event(const usmp_esp_event_t *event)
{
    switch (event->id) {
    case USMP_ESP_EVENT_CONNECTED:
        ESP_LOGI(TAG, "connected: saying hello");
        (void)usmp_esp_send(event->handle, "hello", 5, 0);
        break;
    case USMP_ESP_EVENT_MESSAGE:
        ESP_LOGI(TAG, "server: %.*s", (int)event->length, (const char *)event->data);
        break;
    case USMP_ESP_EVENT_DISCONNECTED:
        ESP_LOGW(TAG, "disconnected: %s", usmp_strerror(event->error));
        if (event->unconfirmed > 0) ESP_LOGW(TAG, "the last %" PRIu32 " messages may be missing", event->unconfirmed);
        break;
    default: break;
    }
}

/** Wi-Fi needs it, and a key that is kept there. */
static void start_nvs(void)
{
    esp_err_t result = nvs_flash_init();
    if (result == ESP_ERR_NVS_NO_FREE_PAGES || result == ESP_ERR_NVS_NEW_VERSION_FOUND) {
        ESP_ERROR_CHECK(nvs_flash_erase());
        result = nvs_flash_init();
    }
    if (result != ESP_OK) ESP_LOGW(TAG, "no NVS: %s", esp_err_to_name(result));
}

/** Chips have no environment; on the target linux it saves a build. */
static void let_environment_choose(usmp_esp_config_t *config)
{
    const char *url = getenv("USMP_URL");
    const char *psk = getenv("USMP_PSK");
    if (url != NULL) config->url = url;
    if (psk != NULL) config->psk_text = psk;
}

void app_main(void)
{
    start_nvs();
    (void)network_connect(UINT32_MAX);

    usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();
    config.url = CONFIG_EXAMPLE_URL;
    config.on_event = on_event;
    let_environment_choose(&config);
    ESP_LOGI(TAG, "server: %s", config.url);
    usmp_esp_handle_t usmp;
    ESP_ERROR_CHECK(usmp_esp_start(&config, &usmp));

    for (uint32_t seconds = 5;; seconds += 5) {
        char text[40];
        vTaskDelay(pdMS_TO_TICKS(5000));
        int length = snprintf(text, sizeof text, "up for %" PRIu32 " s", seconds);
        /* While there is no session it waits for the next; when the queue is full, this one is not important. */
        if (usmp_esp_send(usmp, text, (size_t)length, 0) != ESP_OK) ESP_LOGW(TAG, "not sent: %s", text);
    }
}
