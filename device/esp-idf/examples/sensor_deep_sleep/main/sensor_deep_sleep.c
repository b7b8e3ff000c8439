/**
 * A sensor on a battery: wakes up, brings one reading to a USMP server over UDP, waits until the server has it, and sleeps
 * again. On the target linux, which cannot sleep, it waits instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "esp_attr.h"
#include "esp_log.h"
#include "esp_random.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "network.h"
#include "nvs_flash.h"
#include "usmp_esp.h"

#if !CONFIG_IDF_TARGET_LINUX
#include "esp_sleep.h"
#endif

/** What a battery can afford, in ms. The next reading comes in any case. */
#define NETWORK_TIMEOUT 10000
#define CONNECT_TIMEOUT 8000
#define DELIVERY_TIMEOUT 8000

static const char *TAG = "sensor";

/** Survives deep sleep. */
static RTC_DATA_ATTR uint32_t readings;

/** Stands for your sensor. */
static size_t read_sensor(char *text, size_t size)
{
    uint32_t tenths = 180 + esp_random() % 60;
    int length = snprintf(text, size, "reading %" PRIu32 ": %" PRIu32 ".%" PRIu32 " C", ++readings, tenths / 10, tenths % 10);
    return (size_t)length;
}

static esp_err_t deliver(usmp_esp_handle_t usmp, const char *text, size_t length)
{
    esp_err_t result = usmp_esp_wait_connected(usmp, CONNECT_TIMEOUT);
    if (result == ESP_OK) result = usmp_esp_send(usmp, text, length, 0);
    /* Over UDP the server acknowledges each message: it has the reading when this returns ESP_OK. */
    if (result == ESP_OK) result = usmp_esp_flush(usmp, DELIVERY_TIMEOUT);
    return result;
}

static esp_err_t report(const char *text, size_t length)
{
    usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();
    const char *url = getenv("USMP_URL");
    const char *psk = getenv("USMP_PSK");
    config.url = url != NULL ? url : CONFIG_EXAMPLE_URL;
    if (psk != NULL) config.psk_text = psk;
    /* There is nothing else to do: no task is needed, the functions that wait drive the connection. */
    config.callers_loop = true;

    usmp_esp_handle_t usmp;
    esp_err_t result = usmp_esp_start(&config, &usmp);
    if (result != ESP_OK) return result;
    result = deliver(usmp, text, length);
    (void)usmp_esp_delete(usmp);
    return result;
}

static void sleep_until_next(void)
{
#if CONFIG_IDF_TARGET_LINUX
    /* A day of milliseconds is more than pdMS_TO_TICKS() can multiply. */
    for (int second = 0; second < CONFIG_EXAMPLE_INTERVAL; second++) vTaskDelay(pdMS_TO_TICKS(1000));
#else
    esp_deep_sleep((uint64_t)CONFIG_EXAMPLE_INTERVAL * 1000000u);
#endif
}

void app_main(void)
{
    esp_err_t result = nvs_flash_init();
    if (result != ESP_OK) ESP_LOGW(TAG, "no NVS: %s", esp_err_to_name(result));
    bool up = network_connect(NETWORK_TIMEOUT);

    /* A chip goes through this once: it wakes up at the beginning. */
    for (;;) {
        char text[48];
        size_t length = read_sensor(text, sizeof text);
        result = up ? report(text, length) : ESP_ERR_TIMEOUT;
        if (result == ESP_OK) ESP_LOGI(TAG, "delivered: %s", text);
        else ESP_LOGW(TAG, "not delivered (%s): %s", esp_err_to_name(result), text);
        sleep_until_next();
    }
}
