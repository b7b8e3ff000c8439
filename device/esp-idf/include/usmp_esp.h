/**
 * @file
 * USMP on ESP-IDF: a connection to a USMP server that stays connected, over TCP, UDP or a UART.
 *
 * A whole program, once the network is up:
 *
 *     static void on_event(const usmp_esp_event_t *event)
 *     {
 *         if (event->id == USMP_ESP_EVENT_CONNECTED) usmp_esp_send(event->handle, "hello", 5, 0);
 *         if (event->id == USMP_ESP_EVENT_MESSAGE) printf("%.*s\n", (int)event->length, (const char *)event->data);
 *     }
 *
 *     usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();
 *     config.url = "tcp://192.168.1.10:9000";
 *     config.on_event = on_event;
 *     usmp_esp_handle_t usmp;
 *     ESP_ERROR_CHECK(usmp_esp_start(&config, &usmp));
 *
 * Each connection has a task of its own, or is driven by `usmp_esp_run_once` from a loop of yours. All functions but
 * `usmp_esp_delete` may be called from any task at any time, for the same connection too; none from an interrupt. Those that wait
 * refuse to do so in the callback, which runs where the connection is driven.
 *
 * All times are milliseconds. USMP_ESP_FOREVER stands for no limit where a function waits, and for "never" elsewhere.
 *
 * Memory: `usmp_esp_start` allocates the connection in one piece, and its task; no other function here allocates anything. What
 * is allocated below it: by lwIP for sockets and names, by Mbed TLS while it computes, and by `esp_event` for each event that
 * is posted.
 */
#ifndef USMP_ESP_H
#define USMP_ESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_event.h"
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"

#include "usmp/errors.h"

#ifdef __cplusplus
extern "C" {
#endif

/** No limit; never. */
#define USMP_ESP_FOREVER UINT32_MAX

/** The longest message in bytes, in both directions. Set in menuconfig. */
#define USMP_ESP_MAX_MESSAGE CONFIG_USMP_MAX_MESSAGE

/** Bytes of a pre-shared key. */
#define USMP_ESP_MIN_KEY 16
#define USMP_ESP_MAX_KEY 128

#define USMP_ESP_DEVICE_ID_LENGTH 6
#define USMP_ESP_SESSION_ID_LENGTH 16

/** A connection. */
typedef struct usmp_esp *usmp_esp_handle_t;

/** What a connection does at the moment. */
typedef enum usmp_esp_state {
    /** It waits until it tries again. */
    USMP_ESP_STATE_WAITING,
    /** It looks up the server, connects to it, or shakes hands. */
    USMP_ESP_STATE_CONNECTING,
    /** A session is open. */
    USMP_ESP_STATE_CONNECTED,
    /** The session is over, and the last bytes of it are on their way. */
    USMP_ESP_STATE_CLOSING,
    /** It will do nothing any more: `usmp_esp_stop`, or the end of what must not be tried again. */
    USMP_ESP_STATE_STOPPED,
} usmp_esp_state_t;

/* ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The base of all events that are posted: `esp_event_handler_register(USMP_ESP_EVENTS, ESP_EVENT_ANY_ID, …)`. */
ESP_EVENT_DECLARE_BASE(USMP_ESP_EVENTS);

/** What has happened. What an event carries beside `handle`, `context` and `id` is said here; the rest is zero. */
typedef enum usmp_esp_event_id {
    /** A session is open. `data`: its id, 16 bytes. */
    USMP_ESP_EVENT_CONNECTED,
    /**
     * The session is over. `error`: why. `unconfirmed`: so many of the last messages were handed to the session, and nothing
     * proves that they have arrived; they are not sent again. `retry_in`: when the next attempt is made, USMP_ESP_FOREVER for
     * never.
     */
    USMP_ESP_EVENT_DISCONNECTED,
    /** An attempt to connect has failed. `error`: why. `retry_in`: as above. */
    USMP_ESP_EVENT_FAILED,
    /** A message: `data`, `length` bytes (0 to USMP_ESP_MAX_MESSAGE). */
    USMP_ESP_EVENT_MESSAGE,
    /** The server sent a message that is longer than USMP_ESP_MAX_MESSAGE, or of which a part was lost. The session goes on. */
    USMP_ESP_EVENT_MESSAGE_DROPPED,
    /** The answer to a PING. `rtt`: how long it took; USMP_ESP_FOREVER where that cannot be told. */
    USMP_ESP_EVENT_PONG,
    /** New keys are in use in both directions. */
    USMP_ESP_EVENT_REKEYED,
    /** The change of keys that was asked for would be unsafe. `error`: USMP_ERROR_REKEY_UNSAFE. */
    USMP_ESP_EVENT_REKEY_REFUSED,
    /**
     * The last event of a connection. `error`: as of the last session or attempt. `unsent`: so many messages were accepted and
     * never handed to a session.
     */
    USMP_ESP_EVENT_STOPPED,
} usmp_esp_event_id_t;

/**
 * An event: as it is given to the callback, where it is valid during the call, and as `event_data` of handlers of `esp_event`,
 * which get a copy. In a handler, `handle` may have been stopped in the meantime; who deletes connections takes care that no
 * event of theirs is left in the loop.
 */
typedef struct usmp_esp_event {
    usmp_esp_handle_t handle;
    /** `context` of the configuration. */
    void *context;
    usmp_esp_event_id_t id;
    /** `usmp_error_code` gives its name, `usmp_strerror` says what to do about it. */
    usmp_error_t error;
    uint32_t unconfirmed;
    uint32_t unsent;
    uint32_t retry_in;
    uint32_t rtt;
    size_t length;
    uint8_t data[];
} usmp_esp_event_t;

/**
 * Is called with each event, in the task of the connection, or in `usmp_esp_run_once`. It should return soon: nothing is
 * received, and no PING is answered, meanwhile. It may call every function that does not wait; `usmp_esp_send` does not wait
 * here, whatever its timeout is.
 */
typedef void (*usmp_esp_callback_t)(const usmp_esp_event_t *event);

/* ── Configuration ───────────────────────────────────────────────────────────────────────────────────────────────── */

/** What `usmp_esp_start` needs to know. It copies all of it, but for what `context` and `event_loop` lead to. */
typedef struct usmp_esp_config {
    /**
     * Where the server is: "tcp://host:port" or "udp://host:port", with a name, an IPv4 address, or an IPv6 address in
     * brackets; at most 128 bytes of that. Null for a UART.
     */
    const char *url;

    /**
     * The number of the UART that leads to the server, -1 for none. The connection installs the driver, and removes it when it
     * stops; the UART must not be in use. Not on the target linux.
     */
    int uart_port;
    /** Bits a second. */
    int uart_baud;
    /** Pins, -1 for those that the UART has. */
    int uart_tx_pin;
    int uart_rx_pin;

    /**
     * The pre-shared key, USMP_ESP_MIN_KEY to USMP_ESP_MAX_KEY bytes. Null: as `psk_text` says, or else from NVS. The copy is
     * overwritten when the connection stops.
     */
    const uint8_t *psk;
    size_t psk_length;
    /** The key as text, or as `hex:…` or `base64:…`; see `usmp_esp_key_parse`. Null: from NVS. */
    const char *psk_text;
    /** Where the key is in NVS, which has to be initialised (`nvs_flash_init`). */
    const char *nvs_namespace;
    const char *nvs_key;

    /**
     * Who this device is, for the server; sent in clear. All zeros: the base MAC address of the chip; on the target linux a
     * random id that is kept in NVS, as far as that is initialised, and lasts: ESP-IDF makes it anew in each run there.
     */
    uint8_t device_id[USMP_ESP_DEVICE_ID_LENGTH];

    /** Gets all events. May be null. */
    usmp_esp_callback_t on_event;
    /** Is handed back with each event. */
    void *context;
    /** Post all events with the base USMP_ESP_EVENTS, to `event_loop`, or to the default loop where that is null. */
    bool post_events;
    esp_event_loop_handle_t event_loop;

    /**
     * Let `usmp_esp_run_once` drive the connection instead of a task of its own. The next four are without effect then. The
     * task that calls it needs a stack of about 6 kB; the main task has less (CONFIG_ESP_MAIN_TASK_STACK_SIZE).
     */
    bool callers_loop;
    const char *task_name;
    /** Bytes. */
    uint32_t task_stack;
    UBaseType_t task_priority;
    /** 0 or 1; -1 for any. */
    int task_core;

    /** Whether another attempt is made when one has failed, or when a session is over. */
    bool reconnect;
    /** Before the first of these attempts it waits for a random time from 0 to this, which doubles with each further one. */
    uint32_t retry_base;
    /** It waits no longer than a random time from 0 to this. At once so long where the key seems to be wrong on one side. */
    uint32_t retry_cap;
    /** A session that lasted for this long lets the waits begin at `retry_base` again. */
    uint32_t stable_after;

    /** For the TCP connection; and for the handshake. Over a UART the handshake has three times this. */
    uint32_t connect_timeout;
    /** PING after so long without sending or hearing anything; USMP_ESP_FOREVER for none. */
    uint32_t keepalive_interval;
    /** That PING is missed when nothing was heard for so long. Three in a row end the session. */
    uint32_t keepalive_timeout;

    /** Room for messages that wait, in bytes: each takes 2 more than it is long. At least USMP_ESP_MAX_MESSAGE + 2. */
    size_t queue_size;
} usmp_esp_config_t;

#if CONFIG_USMP_KEY_SOURCE_TEXT
#define USMP_ESP_DEFAULT_PSK_TEXT CONFIG_USMP_PSK
#else
#define USMP_ESP_DEFAULT_PSK_TEXT NULL
#endif

/** What menuconfig says: `usmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();`. The URL or UART is missing. */
#define USMP_ESP_CONFIG_DEFAULT()                                                                                      \
    {                                                                                                                  \
        .url = NULL, .uart_port = -1, .uart_baud = 115200, .uart_tx_pin = -1, .uart_rx_pin = -1, .psk = NULL,          \
        .psk_length = 0, .psk_text = USMP_ESP_DEFAULT_PSK_TEXT, .nvs_namespace = CONFIG_USMP_NVS_NAMESPACE,            \
        .nvs_key = CONFIG_USMP_NVS_KEY, .device_id = {0}, .on_event = NULL, .context = NULL, .post_events = false,     \
        .event_loop = NULL, .callers_loop = false, .task_name = "usmp", .task_stack = CONFIG_USMP_TASK_STACK,          \
        .task_priority = CONFIG_USMP_TASK_PRIORITY, .task_core = CONFIG_USMP_TASK_CORE, .reconnect = true,             \
        .retry_base = CONFIG_USMP_RETRY_BASE, .retry_cap = CONFIG_USMP_RETRY_CAP, .stable_after = 60000,               \
        .connect_timeout = CONFIG_USMP_CONNECT_TIMEOUT, .keepalive_interval = CONFIG_USMP_KEEPALIVE_INTERVAL,          \
        .keepalive_timeout = CONFIG_USMP_KEEPALIVE_TIMEOUT, .queue_size = CONFIG_USMP_QUEUE_SIZE,                      \
    }

/* ── Start and stop ──────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Starts a connection: it connects, and stays connected until `usmp_esp_stop`. Does not wait for that. The network need not be
 * up: until it is, attempts fail, and `usmp_esp_connect_now` shortens the wait.
 *
 *     ESP_ERROR_CHECK(usmp_esp_start(&config, &usmp));
 *
 * @param[in] config what is to be done; it may go away afterwards
 * @param[out] handle the connection; null where it fails
 * @return ESP_OK
 * @return ESP_ERR_INVALID_ARG: neither a URL nor a UART or both, a URL that is none, a wrong time or size; the log says which
 * @return ESP_ERR_NOT_SUPPORTED: the transport is switched off in menuconfig, or does not exist on this target
 * @return ESP_ERR_NOT_FOUND, or another error of NVS: there is no key in NVS, or NVS is not initialised
 * @return ESP_ERR_INVALID_SIZE: the key has less than USMP_ESP_MIN_KEY or more than USMP_ESP_MAX_KEY bytes
 * @return ESP_ERR_NO_MEM: no memory for the connection or its task
 * @return errors of the UART's driver, of `esp_netif_init`, of `esp_base_mac_addr_get`
 */
esp_err_t usmp_esp_start(const usmp_esp_config_t *config, usmp_esp_handle_t *handle);

/**
 * Ends the connection: says BYE to the server, closes everything, ends the task, and overwrites the key. Waits until that is
 * done, no longer than about 5 s, unless the look-up of a name is under way, which cannot be broken off (up to 15 s). Messages
 * that no session was handed yet are dropped and counted in USMP_ESP_EVENT_STOPPED: call `usmp_esp_flush` before where they
 * matter. All functions that wait in other tasks return. May be called again, and by several tasks at once. Not from a handler
 * of an event loop that has no task of its own while it is to run this connection's `usmp_esp_run_once`, too.
 *
 *     usmp_esp_stop(usmp);
 *     usmp_esp_delete(usmp);
 *
 * @return ESP_OK: it is stopped
 * @return ESP_ERR_INVALID_ARG: `handle` is null
 * @return ESP_ERR_INVALID_STATE: called in the callback. Ask another task to do it
 */
esp_err_t usmp_esp_stop(usmp_esp_handle_t handle);

/**
 * Stops a connection where that has not been done, and frees its memory. Waits for functions that other tasks have called for
 * it; no task may call one any more. Does nothing to null.
 *
 * @return ESP_OK; ESP_ERR_INVALID_STATE: called in the callback
 */
esp_err_t usmp_esp_delete(usmp_esp_handle_t handle);

/**
 * With `callers_loop`: does what there is to do; where there is nothing, waits until there is, no longer than `timeout`.
 * Computes up to one X25519 (tens of milliseconds) and looks up names (seconds, where the name server does not answer) in the
 * call.
 *
 *     for (;;) {
 *         read_sensors();
 *         usmp_esp_run_once(usmp, 100);
 *     }
 *
 * @param timeout in ms; 0 to return at once
 * @return ESP_OK
 * @return ESP_ERR_INVALID_STATE: the connection is stopped, has a task of its own, is being run by another task, or this is the
 * callback
 * @return ESP_ERR_INVALID_ARG: `handle` is null
 */
esp_err_t usmp_esp_run_once(usmp_esp_handle_t handle, uint32_t timeout);

/**
 * Makes the next attempt at once, for instance when the network is up. Without effect unless the connection waits.
 *
 * @return ESP_OK; ESP_ERR_INVALID_ARG: `handle` is null; ESP_ERR_INVALID_STATE: it is stopped
 */
esp_err_t usmp_esp_connect_now(usmp_esp_handle_t handle);

/**
 * Waits until a session is open.
 *
 * @param timeout in ms; 0 to ask; USMP_ESP_FOREVER for no limit
 * @return ESP_OK: it is
 * @return ESP_ERR_TIMEOUT: not yet; it is tried further
 * @return ESP_FAIL: the connection has stopped by itself, because `reconnect` is false. `usmp_esp_get_info` has the error
 * @return ESP_ERR_INVALID_STATE: `usmp_esp_stop` was called, or this is the callback
 * @return ESP_ERR_INVALID_ARG: `handle` is null
 */
esp_err_t usmp_esp_wait_connected(usmp_esp_handle_t handle, uint32_t timeout);

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Sends a message. It is copied to the queue of the connection, and goes to the present session, or to the next one where there
 * is none. Messages are sent in the order of the calls, each to one session only. ESP_OK means: it waits or is under way.
 * Whether it has arrived is told by `usmp_esp_flush`; what a broken session leaves uncertain, by USMP_ESP_EVENT_DISCONNECTED.
 *
 *     if (usmp_esp_send(usmp, "21.5", 4, 1000) != ESP_OK) lost++;
 *
 * @param data may be reused after the call; may be null where `length` is 0
 * @param length in bytes, 0 to USMP_ESP_MAX_MESSAGE
 * @param timeout in ms to wait for room in the queue; 0 for not at all; USMP_ESP_FOREVER for no limit. In the callback, and in
 *        the task that called `usmp_esp_run_once` last, it counts as 0, as nobody else could make room
 * @return ESP_OK
 * @return ESP_ERR_INVALID_SIZE: longer than USMP_ESP_MAX_MESSAGE. Never sent
 * @return ESP_ERR_NO_MEM: the queue is full, and the call must not wait. Never sent
 * @return ESP_ERR_TIMEOUT: the queue was full all the time. Never sent
 * @return ESP_ERR_INVALID_STATE: the connection is stopped. Never sent
 * @return ESP_ERR_INVALID_ARG: `handle` is null, or `data` is
 */
esp_err_t usmp_esp_send(usmp_esp_handle_t handle, const void *data, size_t length, uint32_t timeout);

/**
 * Waits until the server has all messages that were sent before this call: over UDP by its acknowledgements, over TCP and UART
 * by the answer to a PING that is sent behind them. With `callers_loop` it runs the connection itself, unless another task
 * does.
 *
 *     usmp_esp_send(usmp, reading, length, 0);
 *     if (usmp_esp_flush(usmp, 5000) == ESP_OK) esp_deep_sleep_start();
 *
 * @param timeout in ms; USMP_ESP_FOREVER for no limit
 * @return ESP_OK: the server has them
 * @return ESP_ERR_TIMEOUT: it is not known yet
 * @return ESP_FAIL: a session broke before it was known of some of them; those are not sent again
 * @return ESP_ERR_INVALID_STATE: the connection is stopped, or this is the callback
 * @return ESP_ERR_INVALID_ARG: `handle` is null
 */
esp_err_t usmp_esp_flush(usmp_esp_handle_t handle, uint32_t timeout);

/**
 * Sends a PING, unless one is under way; USMP_ESP_EVENT_PONG tells how long the answer took. At most 8 a second: servers may
 * close a session that pings more often.
 *
 * @return ESP_OK; ESP_ERR_INVALID_STATE: no session is open; ESP_ERR_INVALID_ARG
 */
esp_err_t usmp_esp_ping(usmp_esp_handle_t handle);

/**
 * Changes the keys of the session; USMP_ESP_EVENT_REKEYED tells when that is done, USMP_ESP_EVENT_REKEY_REFUSED where it cannot
 * be.
 *
 * @param force over UDP: the server is not one of the Python package before 2.0, which would lose frames
 * @return ESP_OK; ESP_ERR_INVALID_STATE: no session is open; ESP_ERR_INVALID_ARG
 */
esp_err_t usmp_esp_rekey(usmp_esp_handle_t handle, bool force);

/* ── State ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What is known of a connection. Numbers count from its start and wrap. */
typedef struct usmp_esp_info {
    usmp_esp_state_t state;
    uint8_t device_id[USMP_ESP_DEVICE_ID_LENGTH];
    /** Of the present or the last session; zeros before the first. */
    uint8_t session_id[USMP_ESP_SESSION_ID_LENGTH];
    /** Why the last session ended, or the last attempt failed; USMP_OK before that. */
    usmp_error_t last_error;
    /** Of the last PING in ms; USMP_ESP_FOREVER where none was measured. */
    uint32_t rtt;
    /** Sessions that were open. */
    uint32_t sessions;
    /** Attempts that failed in a row. */
    uint32_t failures;
    /** Messages that were accepted, of which so many were handed to sessions, and so many are known to have arrived. */
    uint32_t accepted;
    uint32_t sent;
    uint32_t confirmed;
    /** Messages that were handed to sessions which broke before it was known that they had arrived. */
    uint32_t unconfirmed;
    uint32_t received;
    /** Messages of the server that did not fit or missed a part. */
    uint32_t dropped;
    /** Events that an event loop did not take within a second. */
    uint32_t events_lost;
    /** Messages that wait, and the bytes of the queue that they take. */
    uint32_t queued;
    size_t queued_bytes;
} usmp_esp_info_t;

/** Tells what is known of a connection. @return ESP_OK, or ESP_ERR_INVALID_ARG where one of them is null */
esp_err_t usmp_esp_get_info(usmp_esp_handle_t handle, usmp_esp_info_t *info);

/** @return what the connection does now; USMP_ESP_STATE_STOPPED for null */
usmp_esp_state_t usmp_esp_get_state(usmp_esp_handle_t handle);

/** A word for the log: "connected". Never null. */
const char *usmp_esp_state_name(usmp_esp_state_t state);

/* ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Reads a key as people write it: text, or bytes as `hex:…` or `base64:…`, as the command line `usmp` does.
 *
 *     uint8_t key[USMP_ESP_MAX_KEY];
 *     size_t length = sizeof key;
 *     ESP_ERROR_CHECK(usmp_esp_key_parse("hex:000102030405060708090a0b0c0d0e0f", key, &length));
 *
 * @param[out] key the bytes
 * @param[in,out] length room in `key`; then how many bytes there are
 * @return ESP_OK
 * @return ESP_ERR_INVALID_ARG: what follows `hex:` or `base64:` is not that; a null argument
 * @return ESP_ERR_INVALID_SIZE: less than USMP_ESP_MIN_KEY bytes, or more than there is room for
 */
esp_err_t usmp_esp_key_parse(const char *text, uint8_t *key, size_t *length);

/**
 * Stores a key as a blob in NVS, which has to be initialised. A connection that is running keeps the one that it has.
 *
 *     ESP_ERROR_CHECK(usmp_esp_key_store(CONFIG_USMP_NVS_NAMESPACE, CONFIG_USMP_NVS_KEY, key, length));
 *
 * @return ESP_OK; ESP_ERR_INVALID_SIZE: not USMP_ESP_MIN_KEY to USMP_ESP_MAX_KEY bytes; ESP_ERR_INVALID_ARG; errors of NVS
 */
esp_err_t usmp_esp_key_store(const char *nvs_namespace, const char *nvs_key, const uint8_t *key, size_t length);

/**
 * Reads a key from NVS: a blob, or a string that `usmp_esp_key_parse` understands.
 *
 * @param[in,out] length room in `key`, then how many bytes it has
 * @return ESP_OK; ESP_ERR_NOT_FOUND: there is none; ESP_ERR_INVALID_SIZE: it is too short, or there is not enough room;
 *         ESP_ERR_INVALID_ARG; errors of NVS, such as ESP_ERR_NVS_NOT_INITIALIZED
 */
esp_err_t usmp_esp_key_load(const char *nvs_namespace, const char *nvs_key, uint8_t *key, size_t *length);

/** Removes a key from NVS. @return ESP_OK, also where there is none; ESP_ERR_INVALID_ARG; errors of NVS */
esp_err_t usmp_esp_key_erase(const char *nvs_namespace, const char *nvs_key);

#ifdef __cplusplus
}
#endif

#endif
