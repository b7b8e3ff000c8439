/** From one attempt to the next: waiting, connecting, the session, and its end. */
#include "log.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "handle.h"

/** How long the other side of TCP may take to end after us. Milliseconds. */
#define FINISH_TIMEOUT 1000u

/** What a session that is told to stop may take to bring its last bytes to the server. Milliseconds. */
#define STOP_TIMEOUT 4000u

void set_state(usmp_esp_handle_t handle, usmp_esp_state_t state)
{
    lock(handle);
    if (handle->info.state != state) {
        handle->info.state = state;
        waiters_wake(&handle->waiters);
    }
    unlock(handle);
}

/* ── The end of a session or attempt ─────────────────────────────────────────────────────────────────────────────── */

/** What it was handed and is not known to have is not sent again. @return how many messages that are */
static uint32_t settle(usmp_esp_handle_t handle)
{
    usmp_esp_info_t *info = &handle->info;
    lock(handle);
    uint32_t unconfirmed = info->sent - handle->settled;
    handle->settled = info->sent;
    info->unconfirmed += unconfirmed;
    info->last_error = handle->error;
    waiters_wake(&handle->waiters);
    unlock(handle);
    return unconfirmed;
}

static bool tries_again(usmp_esp_handle_t handle)
{
    return handle->reconnect && !handle->stopping;
}

/** @return milliseconds until the next attempt */
static uint32_t plan_retry(usmp_esp_handle_t handle)
{
    if (handle->opened) retry_session_ended(&handle->retry, clock_now() - handle->opened_at);
    else handle->link.turn++;
    if (!tries_again(handle)) return USMP_ESP_FOREVER;
    uint32_t delay = retry_next(&handle->retry, handle->error);
    handle->retry_at = clock_now() + delay;
    return delay;
}

static void log_end(usmp_esp_handle_t handle, uint32_t retry_in)
{
    const char *what = handle->opened ? "disconnected" : "not connected";
    const char *code = usmp_error_code(handle->error);
    const char *why = usmp_strerror(handle->error);
    if (handle->stopping) ESP_LOGI(TAG, "%s: %s", what, why);
    else if (retry_in == USMP_ESP_FOREVER) ESP_LOGW(TAG, "%s (%s): %s", what, code, why);
    else ESP_LOGW(TAG, "%s (%s): %s; next attempt in %" PRIu32 " ms", what, code, why, retry_in);
}

/** Tells what has become of it. The link may still be open. */
static void conclude(usmp_esp_handle_t handle)
{
    uint32_t unconfirmed = settle(handle);
    uint32_t retry_in = plan_retry(handle);
    lock(handle);
    handle->info.failures = handle->retry.failures;
    unlock(handle);
    log_end(handle, retry_in);
    set_state(handle, handle->link.file >= 0 ? USMP_ESP_STATE_CLOSING : USMP_ESP_STATE_WAITING);
    if (!handle->opened && handle->stopping) return;

    usmp_esp_event_t *event =
        new_event(handle, handle->opened ? USMP_ESP_EVENT_DISCONNECTED : USMP_ESP_EVENT_FAILED);
    event->error = handle->error;
    event->unconfirmed = unconfirmed;
    event->retry_in = retry_in;
    deliver(handle, event);
}

/** No task touches the link or the queue any more afterwards. @return the messages that were never handed over */
static uint32_t refuse(usmp_esp_handle_t handle)
{
    lock(handle);
    uint32_t unsent = handle->queue.count;
    queue_init(&handle->queue, handle->queue.bytes, handle->queue.size);
    handle->refusing = true;
    unlock(handle);
    return unsent;
}

static void stop(usmp_esp_handle_t handle)
{
    uint32_t unsent = refuse(handle);
    link_deinit(&handle->link);
    drive_wipe(handle);
    usmp_crypto_wipe(handle->psk, sizeof handle->psk);
    usmp_crypto_wipe(handle->queue.bytes, handle->queue.size);
    handle->phase = PHASE_STOPPED;
    if (unsent > 0) ESP_LOGW(TAG, "stopped; %" PRIu32 " messages were not sent", unsent);

    usmp_esp_event_t *event = new_event(handle, USMP_ESP_EVENT_STOPPED);
    event->error = handle->error;
    event->unsent = unsent;
    deliver(handle, event);
    set_state(handle, USMP_ESP_STATE_STOPPED);
}

static void rest(usmp_esp_handle_t handle)
{
    link_close(&handle->link);
    if (!tries_again(handle)) {
        stop(handle);
        return;
    }
    handle->phase = PHASE_WAITING;
    set_state(handle, USMP_ESP_STATE_WAITING);
}

static void fail(usmp_esp_handle_t handle, usmp_error_t error)
{
    handle->error = error;
    handle->opened = false;
    link_close(&handle->link);
    conclude(handle);
    rest(handle);
}

static void end_session(usmp_esp_handle_t handle)
{
    conclude(handle);
    drive_wipe(handle);
    /* Only a session has had something to say in the end. */
    if (handle->opened && link_finish(&handle->link)) {
        handle->phase = PHASE_FINISHING;
        handle->deadline = clock_now() + FINISH_TIMEOUT;
        return;
    }
    rest(handle);
}

/* ── Phases ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool wait_on(usmp_esp_handle_t handle)
{
    if (clock_until(handle->retry_at, clock_now()) > 0) return false;
    handle->phase = PHASE_OPENING;
    set_state(handle, USMP_ESP_STATE_CONNECTING);
    return true;
}

static void progress(usmp_esp_handle_t handle, link_progress_t progress)
{
    if (progress == LINK_FAILED) {
        fail(handle, USMP_ERROR_UNREACHABLE);
    } else if (progress == LINK_OPENING) {
        handle->phase = PHASE_CONNECTING;
    } else if (drive_begin(handle)) {
        handle->phase = PHASE_SESSION;
    } else {
        fail(handle, handle->error);
    }
}

static bool begin_opening(usmp_esp_handle_t handle)
{
    /* Ahead of the connection, so that HELLO follows it at once. */
    drive_prepare(handle);
    handle->deadline = clock_now() + handle->connect_timeout;
    progress(handle, link_open(&handle->link));
    return true;
}

static bool go_on_connecting(usmp_esp_handle_t handle)
{
    bool give_up = clock_until(handle->deadline, clock_now()) == 0;
    link_progress_t reached = link_go_on(&handle->link, give_up);
    if (reached == LINK_OPENING && !give_up) return false;
    if (give_up) handle->deadline = clock_now() + handle->connect_timeout;
    progress(handle, reached);
    return true;
}

static bool go_on_with_session(usmp_esp_handle_t handle)
{
    bool worked = drive(handle);
    bool too_late = handle->stopping && clock_until(handle->stop_at, clock_now()) == 0;
    if (!drive_is_over(handle) && !too_late) return worked;
    if (handle->error == USMP_OK) handle->error = USMP_ERROR_CLOSED;
    end_session(handle);
    return true;
}

static bool finish(usmp_esp_handle_t handle)
{
    int count = link_read(&handle->link, handle->input, sizeof handle->input);
    if (count > 0) return true;
    if (count == LINK_LATER && clock_until(handle->deadline, clock_now()) > 0) return false;
    rest(handle);
    return true;
}

/* ── What other tasks want ───────────────────────────────────────────────────────────────────────────────────────── */

static void begin_stopping(usmp_esp_handle_t handle)
{
    handle->stopping = true;
    handle->stop_at = clock_now() + STOP_TIMEOUT;
    if (handle->phase == PHASE_SESSION) {
        drive_close(handle);
        set_state(handle, USMP_ESP_STATE_CLOSING);
        return;
    }
    if (handle->phase == PHASE_FINISHING || handle->phase == PHASE_STOPPED) return;
    handle->error = USMP_ERROR_CLOSED;
    stop(handle);
}

static void take_requests(usmp_esp_handle_t handle)
{
    lock(handle);
    bool stops = handle->requests.stop && !handle->stopping;
    bool connects = handle->requests.connect_now;
    handle->requests.connect_now = false;
    unlock(handle);
    if (connects && handle->phase == PHASE_WAITING) handle->retry_at = clock_now();
    if (stops) begin_stopping(handle);
}

bool advance(usmp_esp_handle_t handle)
{
    take_requests(handle);
    switch (handle->phase) {
    case PHASE_WAITING: return wait_on(handle);
    case PHASE_OPENING: return begin_opening(handle);
    case PHASE_CONNECTING: return go_on_connecting(handle);
    case PHASE_SESSION: return go_on_with_session(handle);
    case PHASE_FINISHING: return finish(handle);
    case PHASE_STOPPED: break;
    }
    return false;
}

static uint32_t due(usmp_esp_handle_t handle)
{
    uint32_t now = clock_now();
    switch (handle->phase) {
    case PHASE_WAITING: return clock_until(handle->retry_at, now);
    case PHASE_SESSION: {
        uint32_t in = drive_due(handle);
        uint32_t stop_in = handle->stopping ? clock_until(handle->stop_at, now) : UINT32_MAX;
        return in < stop_in ? in : stop_in;
    }
    case PHASE_CONNECTING:
    case PHASE_FINISHING: return clock_until(handle->deadline, now);
    default: return 0;
    }
}

void wait_for_work(usmp_esp_handle_t handle, uint32_t timeout)
{
    if (handle->phase == PHASE_STOPPED) return;
    uint32_t in = due(handle);
    bool session = handle->phase == PHASE_SESSION;
    bool reading = (session && handle->input_start == handle->input_end) || handle->phase == PHASE_FINISHING;
    bool writing = handle->phase == PHASE_CONNECTING || (session && handle->congested);
    link_wait(&handle->link, reading, writing, in < timeout ? in : timeout);
}
