/** The inside of a connection, and what its files call of one another. */
#ifndef USMP_ESP_HANDLE_H
#define USMP_ESP_HANDLE_H

#include "freertos/task.h"

#include "link.h"
#include "queue.h"
#include "retry.h"
#include "usmp/usmp.h"
#include "usmp_esp.h"
#include "waiters.h"

/** What it does, in more detail than usmp_esp_state_t. */
typedef enum phase {
    /** Until `retry_at`. */
    PHASE_WAITING,
    /** The host is to be looked up. */
    PHASE_OPENING,
    /** TCP connects, until `deadline`. */
    PHASE_CONNECTING,
    /** The core is driven: handshake, session, and what is to be sent afterwards. */
    PHASE_SESSION,
    /** The other side of TCP may end, too, until `deadline`. */
    PHASE_FINISHING,
    PHASE_STOPPED
} phase_t;

/** What other tasks have asked for. */
typedef struct requests {
    bool stop;
    bool connect_now;
    bool ping;
    bool rekey;
    bool force_rekey;
    /** So many tasks wait for everything to be confirmed. */
    uint32_t flushers;
} requests_t;

struct usmp_esp {
    /* ── Set at the start ── */
    usmp_esp_callback_t on_event;
    void *context;
    bool post_events;
    esp_event_loop_handle_t event_loop;
    bool callers_loop;
    bool reconnect;
    uint32_t connect_timeout;
    usmp_settings_t settings;
    uint8_t psk[USMP_ESP_MAX_KEY];

    /* ── Shared by all tasks, with the lock ── */
    SemaphoreHandle_t lock;
    StaticSemaphore_t lock_memory;
    waiter_t *waiters;
    /** Calls of other tasks that are under way. */
    uint32_t users;
    /** The task that drives the connection now; null where none does. */
    TaskHandle_t driver;
    /** With `callers_loop`: the task that did so last. */
    TaskHandle_t last_driver;
    requests_t requests;
    /** The last of the queue was dropped: it takes nothing more. */
    bool refusing;
    queue_t queue;
    /** `state`, numbers, and the like. `queued` and `queued_bytes` are in `queue`. */
    usmp_esp_info_t info;
    /** Messages that were accepted, and of which it is known that they have arrived or may have been lost. */
    uint32_t settled;
    /** The task of its own has ended. */
    SemaphoreHandle_t ended;
    StaticSemaphore_t ended_memory;

    /* ── Used only where it is driven ── */
    phase_t phase;
    link_t link;
    retry_t retry;
    /** Times of clock_now(). */
    uint32_t retry_at;
    uint32_t deadline;
    uint32_t opened_at;
    uint32_t stop_at;
    /** The session was open. */
    bool opened;
    bool stopping;
    bool congested;
    usmp_error_t error;
    /** A PING of ours is under way: since when, and how many messages were handed over before it. */
    bool pinging;
    uint32_t ping_asked_at;
    uint32_t sent_before_ping;
    uint32_t last_sent_at;
    /** When the core was last given bytes. */
    uint32_t input_at;
    /** Bytes that have come and that the core has not taken yet. */
    size_t input_start;
    size_t input_end;
    uint8_t input[640];
    /** The message that is handed over, and the event that is delivered. */
    uint8_t message[USMP_ESP_MAX_MESSAGE];
    _Alignas(usmp_esp_event_t) uint8_t event[sizeof(usmp_esp_event_t) + USMP_ESP_MAX_MESSAGE];
    usmp_t usmp;
};

static inline void lock(usmp_esp_handle_t handle)
{
    (void)xSemaphoreTake(handle->lock, portMAX_DELAY);
}

static inline void unlock(usmp_esp_handle_t handle)
{
    (void)xSemaphoreGive(handle->lock);
}

/* deliver.c */

/** An event to be filled in and given to `deliver`. Only where the connection is driven. */
usmp_esp_event_t *new_event(usmp_esp_handle_t handle, usmp_esp_event_id_t id);
void deliver(usmp_esp_handle_t handle, usmp_esp_event_t *event);

/* phases.c */

/** Does all that can be done now. @return false: there was nothing to do */
bool advance(usmp_esp_handle_t handle);

/** Waits until there may be something to do, no longer than `timeout` ms. */
void wait_for_work(usmp_esp_handle_t handle, uint32_t timeout);

/** Tells everybody what it does now. */
void set_state(usmp_esp_handle_t handle, usmp_esp_state_t state);

/* drive.c */

/** Begins a handshake over the link, which is open. @return false: `error` says why */
bool drive_begin(usmp_esp_handle_t handle);

/** Makes the keys of the next handshake. */
void drive_prepare(usmp_esp_handle_t handle);

/** Moves messages and bytes. @return false: there was nothing to do */
bool drive(usmp_esp_handle_t handle);

/** Everything of the session is over, and `error` says why. */
bool drive_is_over(usmp_esp_handle_t handle);

/** Says BYE. */
void drive_close(usmp_esp_handle_t handle);

/** Milliseconds until `drive` has something to do, as far as time alone decides. */
uint32_t drive_due(usmp_esp_handle_t handle);

/** Overwrites what is left of the session. */
void drive_wipe(usmp_esp_handle_t handle);

#endif
