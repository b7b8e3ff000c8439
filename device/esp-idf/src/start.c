#include "log.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "device_id.h"
#include "start.h"

/** Bytes; what a connection takes with the shortest messages. */
#define MIN_TASK_STACK 3072

#ifdef CONFIG_FREERTOS_UNICORE
#define LAST_CORE 0
#else
#define LAST_CORE 1
#endif

/** A wrong configuration should be found by its author at once. */
static esp_err_t reject(esp_err_t error, const char *why)
{
    ESP_LOGE(TAG, "not started: %s", why);
    return error;
}

static esp_err_t check_transport(const usmp_esp_config_t *config, url_t *url)
{
    if ((config->url == NULL) == (config->uart_port < 0)) return reject(ESP_ERR_INVALID_ARG, "either url or uart_port is needed");
    if (config->url == NULL) {
        if (!USMP_SERIAL) return reject(ESP_ERR_NOT_SUPPORTED, "UART is off in menuconfig, or not on this target");
        return config->uart_baud > 0 ? ESP_OK : reject(ESP_ERR_INVALID_ARG, "uart_baud must be positive");
    }
    if (!url_parse(url, config->url)) return reject(ESP_ERR_INVALID_ARG, "url must be tcp://host:port or udp://host:port");
    bool datagrams = url->transport == USMP_TRANSPORT_DATAGRAM;
    if (datagrams && !USMP_DATAGRAM) return reject(ESP_ERR_NOT_SUPPORTED, "UDP is off in menuconfig");
    if (!datagrams && !USMP_STREAM) return reject(ESP_ERR_NOT_SUPPORTED, "TCP is off in menuconfig");
    return ESP_OK;
}

/** Where FreeRTOS would stop the chip without a word. */
static esp_err_t check_task(const usmp_esp_config_t *config)
{
    if (config->callers_loop) return ESP_OK;
    if (config->task_stack < MIN_TASK_STACK) return reject(ESP_ERR_INVALID_ARG, "task_stack is below 3072 bytes");
    if (config->task_priority >= configMAX_PRIORITIES) return reject(ESP_ERR_INVALID_ARG, "task_priority is above what FreeRTOS has");
    if (config->task_core > LAST_CORE) return reject(ESP_ERR_INVALID_ARG, "task_core is a core that there is not: -1 for any");
    return ESP_OK;
}

static esp_err_t check(const usmp_esp_config_t *config, url_t *url)
{
    if (config->queue_size < USMP_ESP_MAX_MESSAGE + QUEUE_OVERHEAD)
        return reject(ESP_ERR_INVALID_ARG, "queue_size must have room for the longest message and 2 bytes");
    if (config->retry_base == 0 || config->retry_cap == 0 || config->connect_timeout == 0 || config->keepalive_interval == 0 ||
        config->keepalive_timeout == 0)
        return reject(ESP_ERR_INVALID_ARG, "a time is 0: begin with USMP_ESP_CONFIG_DEFAULT()");
    if (config->connect_timeout > INT32_MAX / 3 || config->retry_cap > INT32_MAX)
        return reject(ESP_ERR_INVALID_ARG, "connect_timeout or retry_cap is too long");
    esp_err_t result = check_task(config);
    return result == ESP_OK ? check_transport(config, url) : result;
}

static esp_err_t take_key(usmp_esp_handle_t handle, const usmp_esp_config_t *config)
{
    size_t length = sizeof handle->psk;
    esp_err_t result = ESP_OK;
    if (config->psk != NULL) {
        length = config->psk_length;
        if (length < USMP_ESP_MIN_KEY || length > USMP_ESP_MAX_KEY) result = ESP_ERR_INVALID_SIZE;
        else memcpy(handle->psk, config->psk, length);
    } else if (config->psk_text != NULL) {
        result = usmp_esp_key_parse(config->psk_text, handle->psk, &length);
    } else {
        result = usmp_esp_key_load(config->nvs_namespace, config->nvs_key, handle->psk, &length);
    }
    handle->settings.psk = handle->psk;
    handle->settings.psk_length = length;
    if (result == ESP_OK) return ESP_OK;
    if (result == ESP_ERR_NOT_FOUND) return reject(result, "there is no key in NVS: usmp_esp_key_store() writes it");
    if (result == ESP_ERR_INVALID_SIZE) return reject(result, "the key must have 16 to 128 bytes");
    return reject(result, esp_err_to_name(result));
}

static esp_err_t take_device_id(usmp_esp_handle_t handle, const usmp_esp_config_t *config)
{
    static const uint8_t none[USMP_ESP_DEVICE_ID_LENGTH];
    uint8_t *id = handle->info.device_id;
    esp_err_t result = ESP_OK;
    memcpy(id, config->device_id, USMP_ESP_DEVICE_ID_LENGTH);
    if (memcmp(id, none, sizeof none) == 0) result = device_id_default(id, config->nvs_namespace);
    memcpy(handle->settings.device_id, id, USMP_ESP_DEVICE_ID_LENGTH);
    return result == ESP_OK ? ESP_OK : reject(result, "the chip tells no MAC address: set device_id");
}

static void take_link(usmp_esp_handle_t handle, const usmp_esp_config_t *config, const url_t *url)
{
    link_t *link = &handle->link;
    link->transport = config->url != NULL ? url->transport : USMP_TRANSPORT_SERIAL;
    link->url = *url;
    link->file = link->wake_file = -1;
    link->uart_port = config->uart_port;
    link->uart_baud = config->uart_baud;
    link->uart_tx_pin = config->uart_tx_pin;
    link->uart_rx_pin = config->uart_rx_pin;
}

static void take_settings(usmp_esp_handle_t handle, const usmp_esp_config_t *config)
{
    usmp_settings_t *settings = &handle->settings;
    bool serial = handle->link.transport == USMP_TRANSPORT_SERIAL;
    settings->transport = handle->link.transport;
    settings->handshake_timeout = serial ? 3 * config->connect_timeout : config->connect_timeout;
    settings->keepalive_interval = config->keepalive_interval;
    settings->keepalive_timeout = config->keepalive_timeout;

    handle->on_event = config->on_event;
    handle->context = config->context;
    handle->post_events = config->post_events;
    handle->event_loop = config->event_loop;
    handle->callers_loop = config->callers_loop;
    handle->reconnect = config->reconnect;
    handle->connect_timeout = config->connect_timeout;
    handle->retry = (retry_t){config->retry_base, config->retry_cap, config->stable_after, 0};
}

esp_err_t start_make(const usmp_esp_config_t *config, usmp_esp_handle_t *result)
{
    url_t url = {0};
    esp_err_t error = check(config, &url);
    if (error != ESP_OK) return error;

    usmp_esp_handle_t handle = calloc(1, sizeof *handle + config->queue_size);
    if (handle == NULL) return reject(ESP_ERR_NO_MEM, "out of memory");
    handle->lock = xSemaphoreCreateMutexStatic(&handle->lock_memory);
    handle->ended = xSemaphoreCreateBinaryStatic(&handle->ended_memory);
    queue_init(&handle->queue, (uint8_t *)(handle + 1), config->queue_size);
    handle->info.rtt = USMP_ESP_FOREVER;
    take_link(handle, config, &url);
    take_settings(handle, config);

    error = take_key(handle, config);
    if (error == ESP_OK) error = take_device_id(handle, config);
    if (error == ESP_OK) {
        error = link_init(&handle->link);
        if (error != ESP_OK) (void)reject(error, esp_err_to_name(error));
    }
    if (error != ESP_OK) {
        link_deinit(&handle->link);
        start_free(handle);
        return error;
    }
    handle->retry_at = clock_now();
    *result = handle;
    return ESP_OK;
}

void start_free(usmp_esp_handle_t handle)
{
    size_t size = sizeof *handle + handle->queue.size;
    vSemaphoreDelete(handle->lock);
    vSemaphoreDelete(handle->ended);
    usmp_crypto_wipe(handle, size);
    free(handle);
}
