/** The session: messages between the queue and the core, bytes between the core and the link. */
#include "log.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "handle.h"
#include "usmp/crypto.h"

/*
 * PSA Crypto has state of its own: a table of keys that only one task at a time may use, unless Mbed TLS is built with
 * MBEDTLS_THREADING_C, and a beginning that older releases do not protect even then. So connections compute one after the
 * other; other users of PSA in the program are not held back by this. The locks of <sys/lock.h> would do on chips, but are
 * empty on the target linux.
 */
#if defined(USMP_CRYPTO_PSA)
#if !defined(PSA_WANT_ALG_ECDH) || !defined(PSA_WANT_ECC_MONTGOMERY_255)
#error "menuconfig, mbedTLS: switch on ECDH and the curve CURVE25519"
#endif
#if !defined(PSA_WANT_ALG_GCM) || !defined(PSA_WANT_KEY_TYPE_AES)
#error "menuconfig, mbedTLS: switch on AES and GCM"
#endif
#if !defined(PSA_WANT_ALG_HMAC) || !defined(PSA_WANT_ALG_SHA_256)
#error "menuconfig, mbedTLS: switch on SHA-256 and HMAC"
#endif

/** Made by the first connection, for all: whoever claims it makes it, others wait for that. */
static SemaphoreHandle_t crypto_mutex(void)
{
    static SemaphoreHandle_t mutex;
    static StaticSemaphore_t memory;
    static uint32_t claimed;
    uint32_t nobody = 0;
    SemaphoreHandle_t made = __atomic_load_n(&mutex, __ATOMIC_ACQUIRE);
    if (made != NULL) return made;
    if (__atomic_compare_exchange_n(&claimed, &nobody, 1u, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        __atomic_store_n(&mutex, xSemaphoreCreateMutexStatic(&memory), __ATOMIC_RELEASE);
    while ((made = __atomic_load_n(&mutex, __ATOMIC_ACQUIRE)) == NULL) vTaskDelay(1);
    return made;
}

static void crypto_begin(void)
{
    (void)xSemaphoreTake(crypto_mutex(), portMAX_DELAY);
}

static void crypto_end(void)
{
    (void)xSemaphoreGive(crypto_mutex());
}
#else
static void crypto_begin(void)
{
}

static void crypto_end(void)
{
}
#endif

/* ── Begin and end ───────────────────────────────────────────────────────────────────────────────────────────────── */

void drive_prepare(usmp_esp_handle_t handle)
{
    crypto_begin();
    usmp_error_t error = usmp_prepare(&handle->usmp);
    crypto_end();
    /* Where this has failed, `usmp_connect` tries again and says it. */
    (void)error;
}

bool drive_begin(usmp_esp_handle_t handle)
{
    handle->opened = handle->congested = handle->pinging = false;
    handle->error = USMP_OK;
    handle->input_start = handle->input_end = 0;
    crypto_begin();
    usmp_error_t error = usmp_connect(&handle->usmp, &handle->settings, clock_now());
    crypto_end();
    if (error == USMP_ERROR_CRYPTO_FAILED)
        ESP_LOGE(TAG, "Mbed TLS cannot compute: out of memory, or X25519, AES-256-GCM or HMAC-SHA256 is switched off");
    handle->error = error;
    return error == USMP_OK;
}

bool drive_is_over(usmp_esp_handle_t handle)
{
    return usmp_state(&handle->usmp) == USMP_STATE_CLOSED && !usmp_lingers(&handle->usmp) && handle->error != USMP_OK;
}

void drive_close(usmp_esp_handle_t handle)
{
    crypto_begin();
    usmp_close(&handle->usmp, clock_now());
    crypto_end();
}

void drive_wipe(usmp_esp_handle_t handle)
{
    crypto_begin();
    usmp_wipe(&handle->usmp);
    crypto_end();
    usmp_crypto_wipe(handle->message, sizeof handle->message);
}

/* ── What has happened ───────────────────────────────────────────────────────────────────────────────────────────── */

/** It is known of the first `sent` messages that they have arrived. To be called with the lock. */
static void confirm(usmp_esp_handle_t handle, uint32_t sent)
{
    uint32_t more = sent - handle->settled;
    if (more == 0 || more > UINT32_MAX / 2) return;
    handle->info.confirmed += more;
    handle->settled = sent;
    waiters_wake(&handle->waiters);
}

/**
 * A PONG proves that everything arrived which was sent before its PING. When that was is known where `rtt` is: then it is the
 * last one under way. One that was sealed since we asked for it, or later than the last message, tells enough.
 */
static void take_pong(usmp_esp_handle_t handle, const usmp_event_t *from)
{
    usmp_esp_event_t *event = new_event(handle, USMP_ESP_EVENT_PONG);
    event->rtt = from->rtt;
    uint32_t sent_at = handle->input_at - from->rtt;
    /* One that cannot be measured is that of an earlier PING, of a change of keys for instance: ours is still to come. */
    bool measured = from->rtt != USMP_NEVER;
    bool asked = measured && handle->pinging && (int32_t)(sent_at - handle->ping_asked_at) >= 0;

    lock(handle);
    handle->info.rtt = from->rtt;
    if (measured && (int32_t)(sent_at - handle->last_sent_at) > 0) confirm(handle, handle->info.sent);
    else if (asked) confirm(handle, handle->sent_before_ping);
    unlock(handle);
    if (asked) handle->pinging = false;
    deliver(handle, event);
}

static void take_open(usmp_esp_handle_t handle, const uint8_t *session_id)
{
    usmp_esp_event_t *event = new_event(handle, USMP_ESP_EVENT_CONNECTED);
    event->length = USMP_ESP_SESSION_ID_LENGTH;
    memcpy(event->data, session_id, USMP_ESP_SESSION_ID_LENGTH);
    handle->opened = true;
    handle->opened_at = clock_now();
    handle->last_sent_at = handle->opened_at;

    lock(handle);
    memcpy(handle->info.session_id, session_id, USMP_ESP_SESSION_ID_LENGTH);
    handle->info.rtt = USMP_ESP_FOREVER;
    handle->info.sessions++;
    handle->info.failures = 0;
    handle->requests.ping = handle->requests.rekey = handle->requests.force_rekey = false;
    unlock(handle);
    ESP_LOGI(TAG, "connected");
    set_state(handle, handle->stopping ? USMP_ESP_STATE_CLOSING : USMP_ESP_STATE_CONNECTED);
    deliver(handle, event);
}

static void take_message(usmp_esp_handle_t handle, const usmp_event_t *from)
{
    usmp_esp_event_t *event = new_event(handle, USMP_ESP_EVENT_MESSAGE);
    event->length = from->length;
    memcpy(event->data, from->data, from->length);
    lock(handle);
    handle->info.received++;
    unlock(handle);
    deliver(handle, event);
}

static void take_dropped(usmp_esp_handle_t handle)
{
    ESP_LOGW(TAG, "a message was dropped: longer than %d bytes, or incomplete", USMP_ESP_MAX_MESSAGE);
    lock(handle);
    handle->info.dropped++;
    unlock(handle);
    deliver(handle, new_event(handle, USMP_ESP_EVENT_MESSAGE_DROPPED));
}

static void take_refusal(usmp_esp_handle_t handle, usmp_error_t error)
{
    usmp_esp_event_t *event = new_event(handle, USMP_ESP_EVENT_REKEY_REFUSED);
    event->error = error;
    deliver(handle, event);
}

static bool take_event(usmp_esp_handle_t handle)
{
    usmp_event_t event;
    if (!usmp_poll_event(&handle->usmp, &event)) return false;
    switch (event.type) {
    case USMP_EVENT_OPEN: take_open(handle, event.data); break;
    case USMP_EVENT_MESSAGE: take_message(handle, &event); break;
    case USMP_EVENT_MESSAGE_DROPPED: take_dropped(handle); break;
    case USMP_EVENT_PONG: take_pong(handle, &event); break;
    case USMP_EVENT_REKEYED: deliver(handle, new_event(handle, USMP_ESP_EVENT_REKEYED)); break;
    case USMP_EVENT_REKEY_REFUSED: take_refusal(handle, event.error); break;
    case USMP_EVENT_CLOSED:
        handle->error = event.error;
        set_state(handle, USMP_ESP_STATE_CLOSING);
        break;
    default: break;
    }
    return true;
}

/* ── What is to be sent ──────────────────────────────────────────────────────────────────────────────────────────── */

/** One at a time: the core measures no more than the last of those under way, and counts only so many. */
static void ask_for_pong(usmp_esp_handle_t handle)
{
    if (handle->pinging || usmp_ping(&handle->usmp) != USMP_OK) return;
    handle->pinging = true;
    handle->ping_asked_at = clock_now();
    lock(handle);
    handle->sent_before_ping = handle->info.sent;
    unlock(handle);
}

static void rekey(usmp_esp_handle_t handle, bool force)
{
    crypto_begin();
    usmp_error_t error = usmp_rekey(&handle->usmp, force);
    crypto_end();
    if (error == USMP_ERROR_REKEY_UNSAFE) take_refusal(handle, error);
}

/** Over datagrams each message is acknowledged. Elsewhere a PING behind the last one is answered. */
static void seek_proof(usmp_esp_handle_t handle, bool wanted)
{
    bool datagrams = handle->settings.transport == USMP_TRANSPORT_DATAGRAM;
    lock(handle);
    if (datagrams && usmp_pending_transmit(&handle->usmp) == 0) confirm(handle, handle->info.sent);
    bool missing = handle->info.sent != handle->settled;
    bool waiting = handle->queue.count > 0;
    unlock(handle);
    if (wanted && !datagrams && missing && !waiting && !handle->pinging) ask_for_pong(handle);
}

/** @return false: there is no message, or the core has no room for it */
static bool hand_over_message(usmp_esp_handle_t handle)
{
    size_t length = 0;
    lock(handle);
    bool any = handle->queue.count > 0 && usmp_can_send(&handle->usmp, queue_first_length(&handle->queue));
    if (any) length = queue_peek(&handle->queue, handle->message);
    unlock(handle);
    if (!any) return false;

    crypto_begin();
    usmp_error_t error = usmp_send(&handle->usmp, handle->message, length, clock_now());
    crypto_end();
    /* What was not taken stays for the next session. */
    if (error != USMP_OK) return false;
    handle->last_sent_at = clock_now();
    lock(handle);
    queue_drop(&handle->queue);
    handle->info.sent++;
    waiters_wake(&handle->waiters);
    unlock(handle);
    return true;
}

static bool hand_over(usmp_esp_handle_t handle)
{
    if (usmp_state(&handle->usmp) != USMP_STATE_OPEN || !handle->opened || handle->stopping) return false;
    bool any = false;
    while (hand_over_message(handle)) any = true;

    lock(handle);
    requests_t requests = handle->requests;
    handle->requests.ping = handle->requests.rekey = handle->requests.force_rekey = false;
    unlock(handle);
    if (requests.rekey) rekey(handle, requests.force_rekey);
    if (requests.ping) ask_for_pong(handle);
    seek_proof(handle, requests.flushers > 0);
    return any || requests.rekey || requests.ping;
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const uint8_t *next_output(usmp_esp_handle_t handle, size_t *length)
{
    crypto_begin();
    const uint8_t *bytes = usmp_poll_transmit(&handle->usmp, clock_now(), length);
    crypto_end();
    return bytes;
}

/** @return whether any bytes have gone */
static bool write_out(usmp_esp_handle_t handle)
{
    const uint8_t *bytes;
    size_t length;
    bool any = false;
    handle->congested = false;
    while ((bytes = next_output(handle, &length)) != NULL) {
        int written = link_write(&handle->link, bytes, length);
        if (written == LINK_ENDED) {
            usmp_handle_end(&handle->usmp);
            return true;
        }
        handle->congested = written == LINK_LATER;
        if (handle->congested) return any;
        usmp_transmitted(&handle->usmp, (size_t)written, clock_now());
        any = true;
    }
    return any;
}

static bool act_on_time(usmp_esp_handle_t handle)
{
    if (usmp_poll_timeout(&handle->usmp, clock_now()) > 0) return false;
    /* Here, and nowhere else, a device computes its shared secret: HELLO_ACK is on its way by now. */
    crypto_begin();
    usmp_handle_timeout(&handle->usmp, clock_now());
    crypto_end();
    return true;
}

/** The core takes fewer bytes than there are while it has something to tell: the rest is handed in when that is heard. */
static bool read_in(usmp_esp_handle_t handle)
{
    if (handle->input_start == handle->input_end) {
        int count = link_read(&handle->link, handle->input, sizeof handle->input);
        if (count == LINK_LATER) return false;
        handle->input_start = handle->input_end = 0;
        if (count == LINK_ENDED) {
            bool news = usmp_state(&handle->usmp) != USMP_STATE_CLOSED || usmp_lingers(&handle->usmp);
            usmp_handle_end(&handle->usmp);
            return news;
        }
        handle->input_end = (size_t)count;
    }
    crypto_begin();
    handle->input_at = clock_now();
    handle->input_start += usmp_handle_input(&handle->usmp, handle->input + handle->input_start,
                                             handle->input_end - handle->input_start, handle->input_at);
    crypto_end();
    return true;
}

bool drive(usmp_esp_handle_t handle)
{
    bool worked = take_event(handle);
    worked |= hand_over(handle);
    worked |= write_out(handle);
    return act_on_time(handle) || worked || read_in(handle);
}

uint32_t drive_due(usmp_esp_handle_t handle)
{
    return usmp_poll_timeout(&handle->usmp, clock_now());
}
