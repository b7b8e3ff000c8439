/** The functions of usmp_esp.h. What they have to say to the task of a connection, they leave in `requests`, and wake it. */
#include "usmp_esp.h"

#include <string.h>

#include "clock.h"
#include "handle.h"
#include "start.h"

/** After so much work in a row a connection lets tasks of lower priority run: the idle task feeds a watchdog. */
#define WORK_IN_A_ROW 64u

/** While a connection is driven in slices, others may be noticed between them. Milliseconds. */
#define SLICE 50u

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Every call of another task is counted, so that `usmp_esp_delete` can wait for it. With the lock until `leave`. */
static void enter(usmp_esp_handle_t handle)
{
    lock(handle);
    handle->users++;
}

static esp_err_t leave(usmp_esp_handle_t handle, esp_err_t result)
{
    handle->users--;
    unlock(handle);
    return result;
}

/** In the callback, or in what it calls. To be called with the lock. */
static bool is_driver(usmp_esp_handle_t handle)
{
    return handle->driver == xTaskGetCurrentTaskHandle();
}

static bool is_stopped(usmp_esp_handle_t handle)
{
    return handle->info.state == USMP_ESP_STATE_STOPPED;
}

/** No message is taken any more. */
static bool refuses(usmp_esp_handle_t handle)
{
    return handle->requests.stop || handle->refusing || is_stopped(handle);
}

static void wake(usmp_esp_handle_t handle)
{
    /* The link is there until the connection is stopped. */
    if (!handle->refusing) link_wake(&handle->link);
}

/* ── Driving ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void run_task(void *argument)
{
    usmp_esp_handle_t handle = argument;
    uint32_t in_a_row = 0;
    lock(handle);
    handle->driver = xTaskGetCurrentTaskHandle();
    unlock(handle);
    while (handle->phase != PHASE_STOPPED) {
        if (!advance(handle)) {
            in_a_row = 0;
            wait_for_work(handle, UINT32_MAX);
        } else if (++in_a_row == WORK_IN_A_ROW) {
            in_a_row = 0;
            vTaskDelay(1);
        }
    }
    lock(handle);
    handle->driver = NULL;
    unlock(handle);
    /* The last that this task does with the connection. */
    xSemaphoreGive(handle->ended);
    vTaskDelete(NULL);
}

/** The connection is ours to drive, unless another task does so. To be called with the lock. */
static bool take_wheel(usmp_esp_handle_t handle)
{
    if (!handle->callers_loop || handle->driver != NULL || is_stopped(handle)) return false;
    handle->driver = handle->last_driver = xTaskGetCurrentTaskHandle();
    return true;
}

/** Without the lock. */
static void drive_once(usmp_esp_handle_t handle, uint32_t timeout)
{
    if (!advance(handle) && handle->phase != PHASE_STOPPED) {
        wait_for_work(handle, timeout);
        (void)advance(handle);
    }
}

static void leave_wheel(usmp_esp_handle_t handle)
{
    handle->driver = NULL;
    waiters_wake(&handle->waiters);
}

esp_err_t usmp_esp_run_once(usmp_esp_handle_t handle, uint32_t timeout)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    if (!take_wheel(handle)) return leave(handle, ESP_ERR_INVALID_STATE);
    unlock(handle);
    drive_once(handle, timeout);
    lock(handle);
    leave_wheel(handle);
    return leave(handle, ESP_OK);
}

/**
 * Waits for a change. With `callers_loop`, and where nobody else does, drives the connection meanwhile. With the lock.
 *
 * @return false: the time is over
 */
static bool wait_for_change(usmp_esp_handle_t handle, uint32_t deadline, bool forever)
{
    if (!take_wheel(handle)) return waiters_wait(&handle->waiters, handle->lock, deadline, forever);
    uint32_t left = forever ? SLICE : clock_until(deadline, clock_now());
    unlock(handle);
    drive_once(handle, left < SLICE ? left : SLICE);
    lock(handle);
    leave_wheel(handle);
    return left > 0;
}

/* ── Start and stop ──────────────────────────────────────────────────────────────────────────────────────────────── */

static esp_err_t make_task(usmp_esp_handle_t handle, const usmp_esp_config_t *config)
{
    const char *name = config->task_name != NULL ? config->task_name : "usmp";
    uint32_t depth = config->task_stack / sizeof(StackType_t);
    BaseType_t core = config->task_core < 0 ? tskNO_AFFINITY : (BaseType_t)config->task_core;
    TaskHandle_t task;
    BaseType_t made = xTaskCreatePinnedToCore(run_task, name, depth, handle, config->task_priority, &task, core);
    return made == pdPASS ? ESP_OK : ESP_ERR_NO_MEM;
}

esp_err_t usmp_esp_start(const usmp_esp_config_t *config, usmp_esp_handle_t *handle)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    *handle = NULL;
    if (config == NULL) return ESP_ERR_INVALID_ARG;

    usmp_esp_handle_t made;
    esp_err_t result = start_make(config, &made);
    if (result != ESP_OK) return result;
    /* Its first event may come before this function has returned. */
    *handle = made;
    if (config->callers_loop) return ESP_OK;
    result = make_task(made, config);
    if (result == ESP_OK) return ESP_OK;
    *handle = NULL;
    link_deinit(&made->link);
    start_free(made);
    return result;
}

esp_err_t usmp_esp_stop(usmp_esp_handle_t handle)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    if (is_driver(handle)) return leave(handle, ESP_ERR_INVALID_STATE);
    handle->requests.stop = true;
    waiters_wake(&handle->waiters);
    wake(handle);
    while (!is_stopped(handle)) (void)wait_for_change(handle, 0, true);
    return leave(handle, ESP_OK);
}

esp_err_t usmp_esp_delete(usmp_esp_handle_t handle)
{
    if (handle == NULL) return ESP_OK;
    esp_err_t result = usmp_esp_stop(handle);
    if (result != ESP_OK) return result;
    if (!handle->callers_loop) (void)xSemaphoreTake(handle->ended, portMAX_DELAY);
    lock(handle);
    while (handle->users > 0) {
        unlock(handle);
        vTaskDelay(1);
        lock(handle);
    }
    unlock(handle);
    start_free(handle);
    return ESP_OK;
}

esp_err_t usmp_esp_connect_now(usmp_esp_handle_t handle)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    if (refuses(handle)) return leave(handle, ESP_ERR_INVALID_STATE);
    handle->requests.connect_now = true;
    wake(handle);
    return leave(handle, ESP_OK);
}

/** ESP_ERR_TIMEOUT: it is to be waited further. */
static esp_err_t look_whether_connected(usmp_esp_handle_t handle)
{
    if (handle->info.state == USMP_ESP_STATE_CONNECTED) return ESP_OK;
    if (handle->requests.stop) return ESP_ERR_INVALID_STATE;
    return is_stopped(handle) ? ESP_FAIL : ESP_ERR_TIMEOUT;
}

esp_err_t usmp_esp_wait_connected(usmp_esp_handle_t handle, uint32_t timeout)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    uint32_t deadline = clock_now() + timeout;
    enter(handle);
    if (is_driver(handle)) return leave(handle, ESP_ERR_INVALID_STATE);
    esp_err_t result = look_whether_connected(handle);
    while (result == ESP_ERR_TIMEOUT && wait_for_change(handle, deadline, timeout == USMP_ESP_FOREVER))
        result = look_whether_connected(handle);
    return leave(handle, result == ESP_ERR_TIMEOUT ? look_whether_connected(handle) : result);
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Waiting would be in vain: this task is the one that makes room. */
static bool must_not_wait(usmp_esp_handle_t handle, uint32_t timeout)
{
    TaskHandle_t self = xTaskGetCurrentTaskHandle();
    return timeout == 0 || handle->driver == self || (handle->callers_loop && handle->last_driver == self);
}

static esp_err_t put(usmp_esp_handle_t handle, const void *data, size_t length, uint32_t timeout)
{
    uint32_t deadline = clock_now() + timeout;
    while (!refuses(handle)) {
        if (queue_put(&handle->queue, data, length)) {
            handle->info.accepted++;
            wake(handle);
            return ESP_OK;
        }
        if (must_not_wait(handle, timeout)) return ESP_ERR_NO_MEM;
        bool forever = timeout == USMP_ESP_FOREVER;
        if (!waiters_wait(&handle->waiters, handle->lock, deadline, forever)) return ESP_ERR_TIMEOUT;
    }
    return ESP_ERR_INVALID_STATE;
}

esp_err_t usmp_esp_send(usmp_esp_handle_t handle, const void *data, size_t length, uint32_t timeout)
{
    if (handle == NULL || (data == NULL && length > 0)) return ESP_ERR_INVALID_ARG;
    if (length > USMP_ESP_MAX_MESSAGE) return ESP_ERR_INVALID_SIZE;
    enter(handle);
    return leave(handle, put(handle, data, length, timeout));
}

/** ESP_ERR_TIMEOUT: it is to be waited further. */
static esp_err_t look_whether_settled(usmp_esp_handle_t handle, uint32_t target, uint32_t lost_before)
{
    if (handle->info.unconfirmed != lost_before) return ESP_FAIL;
    if ((int32_t)(handle->settled - target) >= 0) return ESP_OK;
    return refuses(handle) ? ESP_ERR_INVALID_STATE : ESP_ERR_TIMEOUT;
}

esp_err_t usmp_esp_flush(usmp_esp_handle_t handle, uint32_t timeout)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    uint32_t deadline = clock_now() + timeout;
    enter(handle);
    if (is_driver(handle)) return leave(handle, ESP_ERR_INVALID_STATE);
    uint32_t target = handle->info.accepted;
    uint32_t lost_before = handle->info.unconfirmed;
    handle->requests.flushers++;
    wake(handle);
    esp_err_t result = look_whether_settled(handle, target, lost_before);
    while (result == ESP_ERR_TIMEOUT && wait_for_change(handle, deadline, timeout == USMP_ESP_FOREVER))
        result = look_whether_settled(handle, target, lost_before);
    if (result == ESP_ERR_TIMEOUT) result = look_whether_settled(handle, target, lost_before);
    handle->requests.flushers--;
    return leave(handle, result);
}

esp_err_t usmp_esp_ping(usmp_esp_handle_t handle)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    if (handle->info.state != USMP_ESP_STATE_CONNECTED) return leave(handle, ESP_ERR_INVALID_STATE);
    handle->requests.ping = true;
    wake(handle);
    return leave(handle, ESP_OK);
}

esp_err_t usmp_esp_rekey(usmp_esp_handle_t handle, bool force)
{
    if (handle == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    if (handle->info.state != USMP_ESP_STATE_CONNECTED) return leave(handle, ESP_ERR_INVALID_STATE);
    handle->requests.rekey = true;
    handle->requests.force_rekey = handle->requests.force_rekey || force;
    wake(handle);
    return leave(handle, ESP_OK);
}

/* ── State ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

esp_err_t usmp_esp_get_info(usmp_esp_handle_t handle, usmp_esp_info_t *info)
{
    if (handle == NULL || info == NULL) return ESP_ERR_INVALID_ARG;
    enter(handle);
    *info = handle->info;
    info->queued = handle->queue.count;
    info->queued_bytes = handle->queue.used;
    return leave(handle, ESP_OK);
}

usmp_esp_state_t usmp_esp_get_state(usmp_esp_handle_t handle)
{
    if (handle == NULL) return USMP_ESP_STATE_STOPPED;
    enter(handle);
    usmp_esp_state_t state = handle->info.state;
    (void)leave(handle, ESP_OK);
    return state;
}

const char *usmp_esp_state_name(usmp_esp_state_t state)
{
    switch (state) {
    case USMP_ESP_STATE_WAITING: return "waiting";
    case USMP_ESP_STATE_CONNECTING: return "connecting";
    case USMP_ESP_STATE_CONNECTED: return "connected";
    case USMP_ESP_STATE_CLOSING: return "closing";
    case USMP_ESP_STATE_STOPPED: return "stopped";
    }
    return "unknown";
}
