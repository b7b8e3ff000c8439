/** Errors, logs, the clock, random numbers, addresses, events, and `main`. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "esp_err.h"
#include "esp_event.h"
#include "esp_log.h"
#include "esp_mac.h"
#include "esp_netif.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "nvs.h"

void app_main(void);

static void main_task(void *argument)
{
    (void)argument;
    app_main();
    vTaskDelete(NULL);
}

/** As in ESP-IDF, the others go on when app_main() has returned. */
int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (xTaskCreatePinnedToCore(main_task, "main", 65536, NULL, 1, NULL, tskNO_AFFINITY) != pdPASS) return 2;
    for (;;) vTaskDelay(portMAX_DELAY / 1000000000u);
}

const char *esp_err_to_name(esp_err_t code)
{
    switch (code) {
    case ESP_OK: return "ESP_OK";
    case ESP_FAIL: return "ESP_FAIL";
    case ESP_ERR_NO_MEM: return "ESP_ERR_NO_MEM";
    case ESP_ERR_INVALID_ARG: return "ESP_ERR_INVALID_ARG";
    case ESP_ERR_INVALID_STATE: return "ESP_ERR_INVALID_STATE";
    case ESP_ERR_INVALID_SIZE: return "ESP_ERR_INVALID_SIZE";
    case ESP_ERR_NOT_FOUND: return "ESP_ERR_NOT_FOUND";
    case ESP_ERR_NOT_SUPPORTED: return "ESP_ERR_NOT_SUPPORTED";
    case ESP_ERR_TIMEOUT: return "ESP_ERR_TIMEOUT";
    case ESP_ERR_NVS_NOT_INITIALIZED: return "ESP_ERR_NVS_NOT_INITIALIZED";
    default: return "UNKNOWN ERROR";
    }
}

void esp_log_write(esp_log_level_t level, const char *tag, const char *format, ...)
{
    va_list arguments;
    (void)level;
    (void)tag;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

uint32_t esp_random(void)
{
    uint32_t number;
    esp_fill_random(&number, sizeof number);
    return number;
}

void esp_fill_random(void *buffer, size_t length)
{
    if (getrandom(buffer, length, 0) != (ssize_t)length) abort();
}

int64_t esp_timer_get_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/** As in ESP-IDF 5.0, where nobody has set it. */
esp_err_t esp_base_mac_addr_get(uint8_t *mac)
{
    (void)mac;
    return ESP_ERR_INVALID_MAC;
}

/** Eight bytes, as on chips with IEEE 802.15.4. */
esp_err_t esp_efuse_mac_get_default(uint8_t *mac)
{
    memcpy(mac, (const uint8_t[]){0x40, 0x4c, 0xca, 0x12, 0x34, 0x56, 0xff, 0xfe}, 8);
    return ESP_OK;
}

esp_err_t esp_netif_init(void)
{
    return ESP_OK;
}

/* ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define MAX_HANDLERS 8

typedef struct {
    esp_event_base_t base;
    int32_t id;
    void *data;
} posted_t;

typedef struct {
    esp_event_base_t base;
    int32_t id;
    esp_event_handler_t handler;
    void *argument;
} registered_t;

static QueueHandle_t loop;
static registered_t handlers[MAX_HANDLERS];
static size_t handler_count;

static void run_loop(void *argument)
{
    (void)argument;
    for (;;) {
        posted_t event;
        xQueueReceive(loop, &event, portMAX_DELAY);
        for (size_t i = 0; i < handler_count; i++) {
            const registered_t *to = &handlers[i];
            if (strcmp(to->base, event.base) == 0 && (to->id == ESP_EVENT_ANY_ID || to->id == event.id))
                to->handler(to->argument, event.base, event.id, event.data);
        }
        free(event.data);
    }
}

/** To be called before others use it; handlers are registered before anything is posted. */
esp_err_t esp_event_loop_create_default(void)
{
    if (loop != NULL) return ESP_ERR_INVALID_STATE;
    loop = xQueueCreate(32, sizeof(posted_t));
    return xTaskCreatePinnedToCore(run_loop, "sys_evt", 65536, NULL, 20, NULL, 0) == pdPASS ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_event_handler_register(esp_event_base_t base, int32_t id, esp_event_handler_t handler, void *argument)
{
    if (loop == NULL) return ESP_ERR_INVALID_STATE;
    if (handler_count == MAX_HANDLERS) return ESP_ERR_NO_MEM;
    handlers[handler_count++] = (registered_t){base, id, handler, argument};
    return ESP_OK;
}

esp_err_t esp_event_post(esp_event_base_t base, int32_t id, const void *data, size_t size, TickType_t ticks)
{
    if (loop == NULL) return ESP_ERR_INVALID_STATE;
    posted_t event = {base, id, malloc(size)};
    if (event.data == NULL) return ESP_ERR_NO_MEM;
    memcpy(event.data, data, size);
    if (xQueueSend(loop, &event, ticks) == pdTRUE) return ESP_OK;
    free(event.data);
    return ESP_ERR_TIMEOUT;
}

esp_err_t esp_event_post_to(esp_event_loop_handle_t to, esp_event_base_t base, int32_t id, const void *data, size_t size,
                            TickType_t ticks)
{
    return to == NULL ? ESP_ERR_INVALID_ARG : esp_event_post(base, id, data, size, ticks);
}
