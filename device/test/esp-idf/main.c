#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "freertos/task.h"
#include "scenarios.h"

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"echo", scenario_echo},           {"loop", scenario_loop},         {"threads", scenario_threads},
    {"restart", scenario_restart},     {"wrong_key", scenario_wrong_key}, {"two", scenario_two},
    {"events", scenario_events},       {"silent", scenario_silent},     {"full", scenario_full},
    {"callback", scenario_callback},   {"arguments", scenario_arguments}, {"keys", scenario_keys},
    {"delete", scenario_delete},       {"parts", scenario_parts},       {"names", scenario_names},
};

void app_main(void)
{
    const char *wanted = getenv("USMP_SCENARIO");
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (strcmp(scenarios[i].name, wanted) != 0) continue;
        scenarios[i].run();
        puts("done");
        exit(0);
    }
    fprintf(stderr, "no scenario %s\n", wanted);
    exit(2);
}

uint32_t milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)((uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u);
}

void rest_a_little(void)
{
    vTaskDelay(1);
}

static void add(int *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

static void set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_SEQ_CST);
}

void count_event(const usmp_esp_event_t *event)
{
    seen_t *seen = event->context;
    set(&seen->error, event->error);
    set(&seen->retry_in, event->retry_in);
    switch (event->id) {
    case USMP_ESP_EVENT_CONNECTED:
        CHECK(event->length == USMP_ESP_SESSION_ID_LENGTH);
        puts("connected");
        add(&seen->connected);
        break;
    case USMP_ESP_EVENT_DISCONNECTED:
        set(&seen->unconfirmed, event->unconfirmed);
        printf("disconnected %s %" PRIu32 "\n", usmp_error_code(event->error), event->unconfirmed);
        add(&seen->disconnected);
        break;
    case USMP_ESP_EVENT_FAILED:
        printf("failed %s\n", usmp_error_code(event->error));
        add(&seen->failed);
        break;
    case USMP_ESP_EVENT_MESSAGE:
        if (event->length < 40) printf("message %.*s\n", (int)event->length, (const char *)event->data);
        add(&seen->messages);
        break;
    case USMP_ESP_EVENT_MESSAGE_DROPPED: add(&seen->dropped); break;
    case USMP_ESP_EVENT_PONG: add(&seen->pongs); break;
    case USMP_ESP_EVENT_REKEYED: add(&seen->rekeyed); break;
    case USMP_ESP_EVENT_REKEY_REFUSED: break;
    case USMP_ESP_EVENT_STOPPED:
        set(&seen->unsent, event->unsent);
        add(&seen->stopped);
        break;
    }
}

usmp_esp_config_t test_config(seen_t *seen)
{
    usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();
    const uint8_t device_id[] = {0x02, 0, 0, 0, 0, 0x2a};
    config.url = getenv("USMP_URL");
    if (getenv("USMP_SHIM_UART") != NULL) config.uart_port = 1;
    config.psk = (const uint8_t *)KEY;
    config.psk_length = strlen(KEY);
    memcpy(config.device_id, device_id, sizeof device_id);
    config.on_event = count_event;
    config.context = seen;
    config.retry_base = 100;
    config.retry_cap = 400;
    memset(seen, 0, sizeof *seen);
    return config;
}
