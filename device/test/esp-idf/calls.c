/** What calls answer: wrong ones, ones from the callback, ones that find no room; keys; and parts by themselves. */
#include <pthread.h>
#include <string.h>

#include "../../esp-idf/src/queue.h"
#include "../../esp-idf/src/retry.h"
#include "../../esp-idf/src/url.h"
#include "freertos/task.h"
#include "nvs_flash.h"
#include "scenarios.h"

static seen_t seen;

static void *send_one(void *argument)
{
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_send(argument, "waits", 5, USMP_ESP_FOREVER));
    return NULL;
}

/** Nobody listens at the URL. */
void scenario_full(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_info_t info;
    char message[200] = "";
    usmp_esp_config_t config = test_config(&seen);
    config.queue_size = USMP_ESP_MAX_MESSAGE + 2;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    static char too_long[USMP_ESP_MAX_MESSAGE + 1];
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_send(usmp, too_long, sizeof too_long, USMP_ESP_FOREVER));
    uint32_t fit = 0;
    while (usmp_esp_send(usmp, message, sizeof message, 0) == ESP_OK) fit++;
    CHECK(fit == (USMP_ESP_MAX_MESSAGE + 2) / (sizeof message + 2));
    EXPECT(ESP_ERR_NO_MEM, usmp_esp_send(usmp, message, sizeof message, 0));
    uint32_t began = milliseconds();
    EXPECT(ESP_ERR_TIMEOUT, usmp_esp_send(usmp, message, sizeof message, 200));
    CHECK(milliseconds() - began >= 200 && milliseconds() - began < 2000);
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    CHECK(info.accepted == fit && info.queued == fit && info.queued_bytes == fit * (sizeof message + 2) && info.sent == 0);

    pthread_t sender;
    while (usmp_esp_send(usmp, "", 0, 0) == ESP_OK) fit++;
    CHECK(pthread_create(&sender, NULL, send_one, usmp) == 0);
    AWAIT(SEEN(seen.failed) >= 2);
    CHECK(SEEN(seen.error) == USMP_ERROR_UNREACHABLE);
    EXPECT(ESP_OK, usmp_esp_stop(usmp));
    CHECK(pthread_join(sender, NULL) == 0);
    CHECK(SEEN(seen.unsent) == fit && SEEN(seen.stopped) == 1 && SEEN(seen.connected) == 0);
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

static int done;

static void call_everything(const usmp_esp_event_t *event)
{
    usmp_esp_handle_t usmp = event->handle;
    count_event(event);
    if (event->id != USMP_ESP_EVENT_CONNECTED) return;
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_stop(usmp));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_delete(usmp));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_run_once(usmp, 10));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_flush(usmp, 10));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_wait_connected(usmp, 10));
    CHECK(usmp_esp_get_state(usmp) == USMP_ESP_STATE_CONNECTED);
    EXPECT(ESP_OK, usmp_esp_ping(usmp));
    EXPECT(ESP_OK, usmp_esp_connect_now(usmp));
    esp_err_t result;
    while ((result = usmp_esp_send(usmp, "from the callback", 17, USMP_ESP_FOREVER)) == ESP_OK) {
    }
    EXPECT(ESP_ERR_NO_MEM, result);
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
}

void scenario_callback(void)
{
    for (int callers_loop = 0; callers_loop < 2; callers_loop++) {
        usmp_esp_handle_t usmp;
        usmp_esp_config_t config = test_config(&seen);
        config.on_event = call_everything;
        config.callers_loop = callers_loop != 0;
        __atomic_store_n(&done, 0, __ATOMIC_SEQ_CST);
        EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
        EXPECT(ESP_OK, usmp_esp_wait_connected(usmp, 10000));
        AWAIT(SEEN(done) == 1);
        EXPECT(ESP_OK, usmp_esp_flush(usmp, 10000));
        EXPECT(ESP_OK, usmp_esp_delete(usmp));
    }
}

static esp_err_t start_with(const char *url, size_t queue_size)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    config.url = url;
    config.uart_port = -1;
    config.queue_size = queue_size;
    config.callers_loop = true;
    esp_err_t result = usmp_esp_start(&config, &usmp);
    CHECK((result == ESP_OK) == (usmp != NULL));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
    return result;
}

void scenario_arguments(void)
{
    static const char *const wrong[] = {
        "",           "tcp",           "tcp://",         "tcp://:1",    "tcp://host",    "tcp://host:",    "tcp://host:0",
        "tcp://h:65536", "tcp://host:1x", "http://host:80", "tcp://[::1]", "tcp://[::1:80", "tcp://host:80/", "udp://a/b:80",
    };
    static const char *const right[] = {
        "tcp://host:1", "udp://192.168.1.10:65535", "tcp://[::1]:9000", "udp://a.b-c.example:9000",
    };
    const size_t least = USMP_ESP_MAX_MESSAGE + 2;
    char host[200] = "tcp://";
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) EXPECT(ESP_ERR_INVALID_ARG, start_with(wrong[i], least));
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) EXPECT(ESP_OK, start_with(right[i], least));
    EXPECT(ESP_ERR_INVALID_ARG, start_with("tcp://host:1", least - 1));
    EXPECT(ESP_ERR_INVALID_ARG, start_with(NULL, least));
    memset(host + 6, 'h', 129);
    strcpy(host + 6 + 129, ":1");
    EXPECT(ESP_ERR_INVALID_ARG, start_with(host, least));
    strcpy(host + 6 + 128, ":1");
    EXPECT(ESP_OK, start_with(host, least));

    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    config.url = "tcp://host:1";
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, NULL));
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(NULL, &usmp));
    config.uart_port = 1;
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, &usmp));
#if !CONFIG_USMP_UART
    config.url = NULL;
    EXPECT(ESP_ERR_NOT_SUPPORTED, usmp_esp_start(&config, &usmp));
#endif
    config = test_config(&seen);
    config.url = "tcp://host:1";
    config.uart_port = -1;
    config.psk_length = 15;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_start(&config, &usmp));
    config.psk_length = USMP_ESP_MAX_KEY + 1;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_start(&config, &usmp));
    config.psk_length = 16;
    config.retry_base = 0;
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, &usmp));
    config = test_config(&seen);
    config.task_core = 2;
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, &usmp));
    config.task_core = -1;
    config.task_priority = configMAX_PRIORITIES;
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, &usmp));
    config.task_priority = 1;
    config.task_stack = 1024;
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_start(&config, &usmp));

    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_stop(NULL));
    EXPECT(ESP_OK, usmp_esp_delete(NULL));
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_send(NULL, "", 0, 0));
    EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_flush(NULL, 0));
    CHECK(usmp_esp_get_state(NULL) == USMP_ESP_STATE_STOPPED);
    CHECK(strcmp(usmp_esp_state_name(USMP_ESP_STATE_CONNECTED), "connected") == 0);
}

static void parse_keys(void)
{
    static const uint8_t counted[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const char *const same[] = {"hex:000102030405060708090a0b0c0d0e0F", "base64:AAECAwQFBgcICQoLDA0ODw==",
                                       "base64:AAECAwQFBgcICQoLDA0ODw"};
    static const char *const wrong[] = {"hex:000102030405060708090a0b0c0d0e0", "hex:0001020304050607 8090a0b0c0d0e0f",
                                        "base64:AAECAwQFBgcICQoLDA0ODw=", "base64:AAECAwQFBgcICQoLDA0OD*=="};
    uint8_t key[USMP_ESP_MAX_KEY];
    size_t length;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        length = sizeof key;
        EXPECT(ESP_OK, usmp_esp_key_parse(same[i], key, &length));
        CHECK(length == sizeof counted && memcmp(key, counted, length) == 0);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        length = sizeof key;
        EXPECT(ESP_ERR_INVALID_ARG, usmp_esp_key_parse(wrong[i], key, &length));
    }
    length = sizeof key;
    EXPECT(ESP_OK, usmp_esp_key_parse("base64:-_-_-_-_-_-_-_-_-_-_-w", key, &length));
    CHECK(length == 16 && key[0] == 0xfb && key[1] == 0xff);
    length = sizeof key;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_parse("hex:00", key, &length));
    length = 15;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_parse(same[0], key, &length));
    length = 15;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_parse(same[1], key, &length));
    length = 15;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_parse(KEY, key, &length));
}

/** A key from NVS opens a session; so does one that was written there as text. */
static void connect_with_nvs(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    config.psk = NULL;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, usmp_esp_wait_connected(usmp, 10000));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

void scenario_keys(void)
{
    uint8_t key[USMP_ESP_MAX_KEY];
    size_t length = sizeof key;
    usmp_esp_handle_t usmp;
    parse_keys();

    usmp_esp_config_t config = test_config(&seen);
    config.psk = NULL;
    EXPECT(ESP_ERR_NVS_NOT_INITIALIZED, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, nvs_flash_init());
    EXPECT(ESP_ERR_NOT_FOUND, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, usmp_esp_key_erase("usmp", "psk"));
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_store("usmp", "psk", (const uint8_t *)KEY, 15));
    EXPECT(ESP_OK, usmp_esp_key_store("usmp", "psk", (const uint8_t *)KEY, strlen(KEY)));
    EXPECT(ESP_OK, usmp_esp_key_load("usmp", "psk", key, &length));
    CHECK(length == strlen(KEY) && memcmp(key, KEY, length) == 0);
    length = 10;
    EXPECT(ESP_ERR_INVALID_SIZE, usmp_esp_key_load("usmp", "psk", key, &length));
    connect_with_nvs();

    nvs_handle_t nvs;
    EXPECT(ESP_OK, usmp_esp_key_erase("usmp", "psk"));
    EXPECT(ESP_ERR_NOT_FOUND, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, nvs_open("usmp", NVS_READWRITE, &nvs));
    EXPECT(ESP_OK, nvs_set_str(nvs, "psk", "hex:61206b657920666f722074657374732c2031362b"));
    nvs_close(nvs);
    connect_with_nvs();

    /* A device that is told no id finds one, and keeps it. */
    usmp_esp_info_t first, second;
    config = test_config(&seen);
    memset(config.device_id, 0, sizeof config.device_id);
    config.callers_loop = true;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &first));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &second));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
    CHECK(memcmp(first.device_id, second.device_id, sizeof first.device_id) == 0);
#if CONFIG_IDF_TARGET_LINUX
    CHECK((first.device_id[0] & 0x03) == 0x02);
#else
    CHECK(memcmp(first.device_id, (const uint8_t[]){0x40, 0x4c, 0xca, 0x12, 0x34, 0x56}, 6) == 0);
#endif
}

static void *wait_in_vain(void *argument)
{
    esp_err_t result = usmp_esp_wait_connected(argument, USMP_ESP_FOREVER);
    CHECK(result == ESP_ERR_INVALID_STATE);
    return NULL;
}

/** Nobody listens. While others wait in calls, it is deleted. */
void scenario_delete(void)
{
    for (int round = 0; round < 10; round++) {
        pthread_t waiting[4];
        usmp_esp_handle_t usmp;
        usmp_esp_config_t config = test_config(&seen);
        config.callers_loop = round % 2 != 0;
        config.retry_base = config.retry_cap = 5000;
        EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&waiting[i], NULL, wait_in_vain, usmp) == 0);
        /* They are inside of it by then. */
        vTaskDelay(5);
        EXPECT(ESP_OK, usmp_esp_delete(usmp));
        for (int i = 0; i < 4; i++) CHECK(pthread_join(waiting[i], NULL) == 0);
    }
}

static void try_queue(void)
{
    uint8_t bytes[32], message[32], expected[32];
    queue_t queue;
    uint32_t in = 0, out = 0;
    queue_init(&queue, bytes, sizeof bytes);
    CHECK(queue_put(&queue, "0123456789012345678901234567890", 30) && !queue_put(&queue, "", 0) && queue.used == 32);
    queue_drop(&queue);
    CHECK(queue.count == 0 && queue.used == 0);
    for (int i = 0; i < 2000; i++) {
        size_t length = in * 7 % 12;
        memset(message, (int)in, sizeof message);
        if (queue_put(&queue, message, length)) {
            in++;
            continue;
        }
        memset(expected, (int)out, sizeof expected);
        CHECK(queue_first_length(&queue) == out * 7 % 12);
        length = queue_peek(&queue, message);
        CHECK(length == out * 7 % 12 && memcmp(message, expected, length) == 0);
        queue_drop(&queue);
        out++;
    }
    CHECK(in - out == queue.count && out > 500);
}

static void try_retry(void)
{
    static const uint32_t bounds[] = {500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    uint32_t longest[9] = {0};
    for (int i = 0; i < 3000; i++) {
        retry_t retry = {.base = 500, .cap = 60000, .stable_after = 60000};
        for (int n = 0; n < 9; n++) {
            uint32_t delay = retry_next(&retry, USMP_ERROR_CONNECTION_LOST);
            CHECK(delay < bounds[n]);
            if (delay > longest[n]) longest[n] = delay;
            retry_session_ended(&retry, 59999);
        }
        retry_session_ended(&retry, 60000);
        CHECK(retry.failures == 0);
        retry.failures = UINT32_MAX / 2;
        CHECK(retry_next(&retry, USMP_ERROR_BYE) < 60000);
    }
    for (int n = 0; n < 9; n++) CHECK(longest[n] > bounds[n] / 10 * 9);

    uint32_t after_refusal = 0;
    for (int i = 0; i < 200; i++) {
        retry_t retry = {.base = 500, .cap = 60000, .stable_after = 60000};
        uint32_t delay = retry_next(&retry, i % 2 ? USMP_ERROR_REFUSED : USMP_ERROR_ROGUE_SERVER);
        if (delay > after_refusal) after_refusal = delay;
    }
    CHECK(after_refusal > 30000);
}

void scenario_parts(void)
{
    url_t url;
    try_queue();
    try_retry();
    CHECK(url_parse(&url, "udp://[fe80::1]:9000") && strcmp(url.host, "fe80::1") == 0 && strcmp(url.port, "9000") == 0);
    CHECK(url.transport == USMP_TRANSPORT_DATAGRAM);
    CHECK(url_parse(&url, "tcp://server.local:80") && strcmp(url.host, "server.local") == 0);
}
