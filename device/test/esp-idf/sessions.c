/** What a connection does with a server. */
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "esp_event.h"
#include "freertos/task.h"
#include "scenarios.h"

static seen_t seen;

/** All that a session can do, once, and its end. */
static void use_and_stop(usmp_esp_handle_t usmp)
{
    usmp_esp_info_t info;
    char longest[USMP_ESP_MAX_MESSAGE];
    memset(longest, 'x', sizeof longest);

    EXPECT(ESP_OK, usmp_esp_wait_connected(usmp, 10000));
    EXPECT(ESP_OK, usmp_esp_send(usmp, "hello", 5, 0));
    EXPECT(ESP_OK, usmp_esp_send(usmp, NULL, 0, 0));
    EXPECT(ESP_OK, usmp_esp_send(usmp, longest, sizeof longest, 0));
    EXPECT(ESP_OK, usmp_esp_flush(usmp, 10000));
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    CHECK(info.state == USMP_ESP_STATE_CONNECTED && info.sessions == 1 && info.failures == 0);
    CHECK(info.accepted == 3 && info.sent == 3 && info.confirmed == 3 && info.unconfirmed == 0 && info.queued == 0);

    EXPECT(ESP_OK, usmp_esp_rekey(usmp, true));
    EXPECT(ESP_OK, usmp_esp_ping(usmp));
    while (SEEN(seen.messages) < 3 || SEEN(seen.rekeyed) < 1 || SEEN(seen.pongs) < 1)
        EXPECT(ESP_OK, usmp_esp_send(usmp, "more", 4, 0) == ESP_OK ? usmp_esp_flush(usmp, 10000) : ESP_FAIL);
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    CHECK(info.rtt < 5000 && info.received >= 3);

    EXPECT(ESP_OK, usmp_esp_stop(usmp));
    EXPECT(ESP_OK, usmp_esp_stop(usmp));
    CHECK(usmp_esp_get_state(usmp) == USMP_ESP_STATE_STOPPED);
    CHECK(SEEN(seen.disconnected) == 1 && SEEN(seen.stopped) == 1 && SEEN(seen.error) == USMP_ERROR_CLOSED);
    CHECK(SEEN(seen.unsent) == 0 && SEEN(seen.unconfirmed) == 0);
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_send(usmp, "late", 4, USMP_ESP_FOREVER));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_ping(usmp));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_rekey(usmp, false));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_connect_now(usmp));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_wait_connected(usmp, USMP_ESP_FOREVER));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_run_once(usmp, 0));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

void scenario_echo(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_run_once(usmp, 0));
    use_and_stop(usmp);
}

/** In the caller's loop: first driven by hand, then by the functions that wait. */
void scenario_loop(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    config.callers_loop = true;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    uint32_t began = milliseconds();
    while (usmp_esp_get_state(usmp) != USMP_ESP_STATE_CONNECTED) {
        EXPECT(ESP_OK, usmp_esp_run_once(usmp, 50));
        CHECK(milliseconds() - began < 10000);
    }
    /* Nothing is to be done: it returns in time. */
    for (int i = 0; i < 5; i++) EXPECT(ESP_OK, usmp_esp_run_once(usmp, 20));
    began = milliseconds();
    EXPECT(ESP_OK, usmp_esp_run_once(usmp, 100));
    CHECK(milliseconds() - began < 1000);
    use_and_stop(usmp);
}

#define SENDERS 8
#define MESSAGES 40

static usmp_esp_handle_t shared;

static void *send_many(void *argument)
{
    int number = *(const int *)argument;
    for (int i = 0; i < MESSAGES; i++) {
        char text[80];
        int length = snprintf(text, sizeof text, "%d %d ........................................", number, i);
        EXPECT(ESP_OK, usmp_esp_send(shared, text, (size_t)length, USMP_ESP_FOREVER));
        usmp_esp_info_t info;
        if (i % 16 == 0) EXPECT(ESP_OK, usmp_esp_get_info(shared, &info));
    }
    EXPECT(ESP_OK, usmp_esp_flush(shared, 20000));
    return NULL;
}

/** The server counts. The queue is small, so that the senders wait for each other. */
void scenario_threads(void)
{
    pthread_t senders[SENDERS];
    int numbers[SENDERS];
    usmp_esp_config_t config = test_config(&seen);
    config.queue_size = USMP_ESP_MAX_MESSAGE + 2;
    EXPECT(ESP_OK, usmp_esp_start(&config, &shared));
    for (int i = 0; i < SENDERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&senders[i], NULL, send_many, &numbers[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++) CHECK(pthread_join(senders[i], NULL) == 0);

    usmp_esp_info_t info;
    EXPECT(ESP_OK, usmp_esp_get_info(shared, &info));
    CHECK(info.accepted == SENDERS * MESSAGES && info.sent == info.accepted && info.confirmed == info.accepted);
    EXPECT(ESP_OK, usmp_esp_delete(shared));
}

/** The server goes away and comes back: what is sent meanwhile waits. The test reads what is printed. */
void scenario_restart(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    AWAIT(SEEN(seen.connected) == 1);
    EXPECT(ESP_OK, usmp_esp_send(usmp, "first", 5, 0));
    EXPECT(ESP_OK, usmp_esp_flush(usmp, 10000));
    puts("flushed");
    AWAIT(SEEN(seen.disconnected) == 1);
    CHECK(SEEN(seen.unconfirmed) == 0 && SEEN(seen.retry_in) <= 400);
    EXPECT(ESP_OK, usmp_esp_send(usmp, "second", 6, 0));
    EXPECT(ESP_ERR_TIMEOUT, usmp_esp_flush(usmp, 50));
    puts("waiting");
    EXPECT(ESP_OK, usmp_esp_connect_now(usmp));
    EXPECT(ESP_OK, usmp_esp_flush(usmp, 10000));

    usmp_esp_info_t info;
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    CHECK(info.sessions == 2 && info.confirmed == 2 && info.unconfirmed == 0);
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

/** Once it is tried again, and once not. */
void scenario_wrong_key(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    config.psk_length--;
    config.retry_cap = 30000;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    AWAIT(SEEN(seen.failed) == 1);
    CHECK(SEEN(seen.error) == USMP_ERROR_REFUSED && SEEN(seen.retry_in) <= 30000 && SEEN(seen.connected) == 0);
    EXPECT(ESP_ERR_TIMEOUT, usmp_esp_wait_connected(usmp, 20));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));

    config = test_config(&seen);
    config.psk_length--;
    config.reconnect = false;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_FAIL, usmp_esp_wait_connected(usmp, 15000));
    CHECK(SEEN(seen.failed) == 1 && SEEN(seen.stopped) == 1 && SEEN(seen.connected) == 0);
    usmp_esp_info_t info;
    EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    CHECK(info.state == USMP_ESP_STATE_STOPPED);
    EXPECT(ESP_ERR_INVALID_STATE, usmp_esp_send(usmp, "late", 4, USMP_ESP_FOREVER));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

/** Two at once, which compute one after the other; the second over the key of the first. */
void scenario_two(void)
{
    static seen_t others[2];
    usmp_esp_handle_t usmp[2];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            usmp_esp_config_t config = test_config(&others[i]);
            config.device_id[5] = (uint8_t)(0x50 + i);
            EXPECT(ESP_OK, usmp_esp_start(&config, &usmp[i]));
        }
        for (int i = 0; i < 2; i++) {
            EXPECT(ESP_OK, usmp_esp_send(usmp[i], "hello", 5, 0));
            EXPECT(ESP_OK, usmp_esp_flush(usmp[i], 10000));
        }
        for (int i = 0; i < 2; i++) EXPECT(ESP_OK, usmp_esp_delete(usmp[i]));
    }
}

static int handled_messages;
static int handled_stops;
static bool hold_loop;

static void on_event(void *argument, esp_event_base_t base, int32_t id, void *data)
{
    usmp_esp_event_t *event = data;
    CHECK(argument == &handled_messages && base == USMP_ESP_EVENTS && event->id == (usmp_esp_event_id_t)id);
    while (__atomic_load_n(&hold_loop, __ATOMIC_SEQ_CST)) vTaskDelay(1);
    if (id == USMP_ESP_EVENT_MESSAGE) {
        CHECK(event->length == 5 && memcmp(event->data, "hello", 5) == 0);
        __atomic_fetch_add(&handled_messages, 1, __ATOMIC_SEQ_CST);
        /* In the task of the loop, to which the connection posts: it must not wait for itself. */
        if (SEEN(handled_messages) == 1) EXPECT(ESP_OK, usmp_esp_stop(event->handle));
    }
    if (id == USMP_ESP_EVENT_STOPPED) __atomic_fetch_add(&handled_stops, 1, __ATOMIC_SEQ_CST);
}

/** Events of an event loop, one that stops the connection among them; then a loop that takes nothing. */
void scenario_events(void)
{
    usmp_esp_handle_t usmp;
    EXPECT(ESP_OK, esp_event_loop_create_default());
    EXPECT(ESP_OK, esp_event_handler_register(USMP_ESP_EVENTS, ESP_EVENT_ANY_ID, on_event, &handled_messages));
    usmp_esp_config_t config = test_config(&seen);
    config.post_events = true;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    for (int i = 0; i < 60; i++) EXPECT(ESP_OK, usmp_esp_send(usmp, "hello", 5, 5000));
    AWAIT(SEEN(handled_stops) == 1);
    EXPECT(ESP_OK, usmp_esp_delete(usmp));

    usmp_esp_info_t info;
    __atomic_store_n(&hold_loop, true, __ATOMIC_SEQ_CST);
    config = test_config(&seen);
    config.post_events = true;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    do {
        esp_err_t result = usmp_esp_send(usmp, "hello", 5, 2000);
        CHECK(result == ESP_OK || result == ESP_ERR_TIMEOUT);
        EXPECT(ESP_OK, usmp_esp_get_info(usmp, &info));
    } while (info.events_lost == 0);
    uint32_t began = milliseconds();
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
    CHECK(milliseconds() - began < 8000);
}

/** Somebody who accepts and says nothing: the handshake is broken off by `usmp_esp_stop`. */
void scenario_silent(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_ERR_TIMEOUT, usmp_esp_wait_connected(usmp, 300));
    CHECK(usmp_esp_get_state(usmp) == USMP_ESP_STATE_CONNECTING);
    uint32_t began = milliseconds();
    EXPECT(ESP_OK, usmp_esp_stop(usmp));
    CHECK(milliseconds() - began < 3000);
    CHECK(SEEN(seen.failed) == 0 && SEEN(seen.stopped) == 1);
    EXPECT(ESP_OK, usmp_esp_delete(usmp));

    /* And in its last moment, and before its first. */
    for (int i = 0; i < 20; i++) {
        config = test_config(&seen);
        EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
        if (i % 4 != 0) vTaskDelay((TickType_t)(i % 4));
        EXPECT(ESP_OK, usmp_esp_delete(usmp));
        CHECK(SEEN(seen.stopped) == 1);
    }

    /* The handshake ends by itself, and is tried again. */
    config = test_config(&seen);
    config.connect_timeout = 200;
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    AWAIT(SEEN(seen.failed) >= 2);
    CHECK(SEEN(seen.error) == USMP_ERROR_HANDSHAKE_TIMEOUT);
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}

/** At the first address of the name, see shim/names.c, there is nobody. */
void scenario_names(void)
{
    usmp_esp_handle_t usmp;
    usmp_esp_config_t config = test_config(&seen);
    EXPECT(ESP_OK, usmp_esp_start(&config, &usmp));
    EXPECT(ESP_OK, usmp_esp_wait_connected(usmp, 10000));
    EXPECT(ESP_OK, usmp_esp_delete(usmp));
}
