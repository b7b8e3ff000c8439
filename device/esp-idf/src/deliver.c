/** Events on their way to the program. */
#include "log.h"

#include <string.h>

#include "clock.h"
#include "handle.h"

ESP_EVENT_DEFINE_BASE(USMP_ESP_EVENTS);

/** How long an event loop whose queue is full may hold the connection up. Milliseconds. */
#define PATIENCE 1000u

/** Meanwhile it looks this often whether it is to stop: who waits for that may be a handler of the same loop. */
#define GLANCE 20u

usmp_esp_event_t *new_event(usmp_esp_handle_t handle, usmp_esp_event_id_t id)
{
    usmp_esp_event_t *event = (usmp_esp_event_t *)(void *)handle->event;
    memset(event, 0, sizeof *event);
    event->handle = handle;
    event->context = handle->context;
    event->id = id;
    return event;
}

static esp_err_t post_once(usmp_esp_handle_t handle, usmp_esp_event_t *event)
{
    size_t size = sizeof *event + event->length;
    TickType_t ticks = clock_ticks(GLANCE);
    if (handle->event_loop == NULL) return esp_event_post(USMP_ESP_EVENTS, (int32_t)event->id, event, size, ticks);
    return esp_event_post_to(handle->event_loop, USMP_ESP_EVENTS, (int32_t)event->id, event, size, ticks);
}

static bool is_to_stop(usmp_esp_handle_t handle)
{
    lock(handle);
    bool stop = handle->requests.stop;
    unlock(handle);
    return stop;
}

static void post(usmp_esp_handle_t handle, usmp_esp_event_t *event)
{
    uint32_t give_up_at = clock_now() + PATIENCE;
    esp_err_t result;
    do result = post_once(handle, event);
    while (result == ESP_ERR_TIMEOUT && !is_to_stop(handle) && clock_until(give_up_at, clock_now()) > 0);
    if (result == ESP_OK) return;

    ESP_LOGW(TAG, "an event is lost: the event loop did not take it (%s)", esp_err_to_name(result));
    lock(handle);
    handle->info.events_lost++;
    unlock(handle);
}

void deliver(usmp_esp_handle_t handle, usmp_esp_event_t *event)
{
    if (handle->on_event != NULL) handle->on_event(event);
    if (handle->post_events) post(handle, event);
}
