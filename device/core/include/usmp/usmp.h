/**
 * USMP for microcontrollers: an encrypted, mutually authenticated session with a server, or with another device.
 *
 * This is a protocol without input and output. It never touches a socket, a timer or a clock, takes no memory but what you
 * give it, and calls nothing back. You hand it the bytes that came, the time, and what you want; then you drain it:
 *
 *   1. `usmp_poll_event`     until it returns false: what has happened
 *   2. `usmp_poll_transmit`  until it returns null:  bytes to send
 *   3. `usmp_poll_timeout`                           when to call `usmp_handle_timeout` at the latest
 *
 * A whole client over TCP (`device/posix` has it with all around it; `device/README.md` explains it step by step):
 *
 *     static usmp_t usmp;
 *     static const usmp_settings_t settings = {
 *         .transport = USMP_TRANSPORT_STREAM,
 *         .psk = (const uint8_t *)"your-psk-here-16+", .psk_length = 17,
 *         .device_id = {0x02, 0, 0, 0, 0, 1},
 *     };
 *
 *     if (usmp_connect(&usmp, &settings, millis()) != USMP_OK) return;
 *     for (;;) {
 *         usmp_event_t event;
 *         while (usmp_poll_event(&usmp, &event)) {
 *             if (event.type == USMP_EVENT_OPEN && usmp_send(&usmp, (const uint8_t *)"hello", 5, millis()) != USMP_OK) puts("not sent");
 *             if (event.type == USMP_EVENT_MESSAGE) handle(event.data, event.length);
 *             if (event.type == USMP_EVENT_CLOSED) puts(usmp_strerror(event.error));
 *         }
 *         size_t length;
 *         const uint8_t *bytes;
 *         while ((bytes = usmp_poll_transmit(&usmp, millis(), &length)) != NULL) {
 *             size_t written = tcp_write(bytes, length);
 *             usmp_transmitted(&usmp, written, millis());
 *             if (written < length) break;
 *         }
 *         if (usmp_state(&usmp) == USMP_STATE_CLOSED && !usmp_lingers(&usmp)) return;
 *         if (usmp_poll_timeout(&usmp, millis()) == 0) { usmp_handle_timeout(&usmp, millis()); continue; }
 *         static uint8_t input[64];
 *         static size_t count, taken;
 *         if (taken == count) { count = tcp_read(input, sizeof input); taken = 0; }
 *         taken += usmp_handle_input(&usmp, input + taken, count - taken, millis());
 *     }
 *
 * Times are milliseconds of a clock that only goes forward and wraps at 2^32, like Arduino's `millis()`. No function blocks, and
 * none takes long but those that compute one X25519, which is said at each of them: 20 ms on an ESP32-C3, 8 s on an AVR; see
 * `device/SIZE.md`. A connection is used by one thread at a time. All names of the protocol are those of spec/protocol.md.
 */
#ifndef USMP_H
#define USMP_H

/** The release that this is part of: all packages carry one number. */
#define USMP_VERSION_STRING "2.0.0"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"
#include "usmp/crypto.h"
#include "usmp/errors.h"
#include "usmp/limits.h"
#include "usmp/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a connection has to tell. */
typedef enum usmp_event_type {
    /** Server: which keys has the device `data` (6 bytes)? Answer with `usmp_provide_keys`, now or later. */
    USMP_EVENT_KEYS_WANTED,
    /**
     * Both sides are authenticated: messages may be sent. `data` is the session id (16 bytes). At a server `index` says
     * which of the keys was proved.
     */
    USMP_EVENT_OPEN,
    /** New keys are in use both ways (§7.4). */
    USMP_EVENT_REKEYED,
    /** A change of keys that was asked for has become unsafe before it could begin (§9.5): `error` is USMP_ERROR_REKEY_UNSAFE. */
    USMP_EVENT_REKEY_REFUSED,
    /** A message: `data`, `length` bytes (0 to USMP_MAX_MESSAGE). */
    USMP_EVENT_MESSAGE,
    /** A message was lost: it is longer than USMP_MAX_MESSAGE, or over datagrams a part of it never came. The session lives. */
    USMP_EVENT_MESSAGE_DROPPED,
    /** The answer to a PING; `rtt` in milliseconds, USMP_NEVER where it cannot be told. */
    USMP_EVENT_PONG,
    /**
     * The last event; `error` says why. Bytes may still wait in `usmp_poll_transmit`: BYE, and what was sent before it. Over a
     * stream close it when they are sent; over a serial line leave it open.
     */
    USMP_EVENT_CLOSED
} usmp_event_type_t;

/**
 * One event. `data` points into the connection and is valid until the next call of any function for it. What is not named for the
 * type of the event means nothing.
 */
typedef struct usmp_event {
    usmp_event_type_t type;
    const uint8_t *data;
    size_t length;
    uint32_t rtt;
    usmp_error_t error;
    uint8_t index;
} usmp_event_t;

typedef enum usmp_state { USMP_STATE_IDLE, USMP_STATE_HANDSHAKE, USMP_STATE_OPEN, USMP_STATE_CLOSED } usmp_state_t;

/** One end of a conversation. Allocate it where you like; all zero bytes are an idle one. `usmp/connection.h` has its inside. */
typedef struct usmp usmp_t;

/* ── Begin ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Client: makes the key pair of the next handshake ahead of time, so that `usmp_connect` is quick: before the transport is
 * opened, for instance. Optional. Computes one X25519.
 *
 * @return USMP_OK, or USMP_ERROR_CRYPTO_FAILED
 */
USMP_MUST_CHECK usmp_error_t usmp_prepare(usmp_t *usmp);

/**
 * Client: begins a handshake over a transport that is open. HELLO waits in `usmp_poll_transmit` afterwards. May be called at
 * any time, also to connect again; a connection that was in use is forgotten without a word. Computes one X25519 unless
 * `usmp_prepare` has.
 *
 * @param settings stays where it is, unchanged, while the connection is in use
 * @return USMP_OK; USMP_ERROR_KEY_TOO_SHORT; USMP_ERROR_INVALID_ARGUMENT where the transport is not compiled in;
 *         USMP_ERROR_CRYPTO_FAILED
 */
USMP_MUST_CHECK usmp_error_t usmp_connect(usmp_t *usmp, const usmp_settings_t *settings, uint32_t now);

#if USMP_SERVER
/**
 * Server: waits for a client over a transport that is open. Over serial lines and datagrams, where several clients may speak on
 * one line or socket, ask `usmp/serial_endpoint.h` or `usmp/endpoint.h` first.
 *
 * @return USMP_OK, or USMP_ERROR_INVALID_ARGUMENT where the transport is not compiled in or there is no decoy key
 */
USMP_MUST_CHECK usmp_error_t usmp_accept(usmp_t *usmp, const usmp_settings_t *settings, uint32_t now);

/**
 * Server: answers USMP_EVENT_KEYS_WANTED.
 *
 * @param device_id whose keys they are: that of the event. Without effect where a newer handshake of another device has taken the
 *        place of the one that asked, as `usmp/serial_endpoint.h` and `usmp/endpoint.h` let it: its own event comes or has come
 * @param keys the device's valid keys, the new one first; they stay where they are until USMP_EVENT_OPEN, _CLOSED or another
 *        _KEYS_WANTED. One that is shorter than 16 bytes counts as missing
 * @param count 0 (a device that is unknown or must not come in) to 2
 */
void usmp_provide_keys(usmp_t *usmp, const uint8_t device_id[6], const usmp_key_t *keys, size_t count, uint32_t now);
#endif

/* ── Input ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Takes bytes of a stream or serial line, cut anywhere, or one whole datagram. `bytes` is used as working memory: what is in
 * there afterwards means nothing. Whoever stops polling events is sent nothing more over streams; over datagrams what was not
 * taken may be forgotten, as it comes again. Computes one X25519 only where SESSION_OK comes before `usmp_handle_timeout` was called (as
 * `usmp_poll_timeout` asks), or at a server on HELLO and HELLO_ACK.
 *
 * @return how many bytes were taken. When it is fewer than `length`, poll events and transmit, then hand in the rest
 */
USMP_MUST_CHECK size_t usmp_handle_input(usmp_t *usmp, uint8_t *bytes, size_t length, uint32_t now);

/** The transport has ended: no more bytes will come. */
void usmp_handle_end(usmp_t *usmp);

/** Acts on every deadline that has passed; calling early does nothing. Computes at most one X25519, as a handshake needs it. */
void usmp_handle_timeout(usmp_t *usmp, uint32_t now);

/* ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Sends a message of 0 to USMP_MAX_MESSAGE bytes. `message` may be reused after the call. Over a stream it is on its way once
 * `usmp_poll_transmit` has given it out; over datagrams it is repeated until the peer has acknowledged it.
 *
 * @return USMP_OK; USMP_ERROR_BUSY while what was sent before has to leave first: drain `usmp_poll_transmit`, and over datagrams
 *         wait, then try again; USMP_ERROR_MESSAGE_TOO_LARGE; USMP_ERROR_NOT_CONNECTED; USMP_ERROR_SEQUENCE_SPENT, and the
 *         connection closes; USMP_ERROR_CRYPTO_FAILED, and it closes too
 */
USMP_MUST_CHECK usmp_error_t usmp_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now);

/** Whether `usmp_send` would take a message of this length now. */
bool usmp_can_send(const usmp_t *usmp, size_t length);

/** Sends PING as soon as there is room; USMP_EVENT_PONG tells of the answer. @return USMP_OK or USMP_ERROR_NOT_CONNECTED */
usmp_error_t usmp_ping(usmp_t *usmp);

/**
 * Changes the keys of both directions (§7), as soon as what was sent before allows it; USMP_EVENT_REKEYED tells when that is
 * complete. While a change is under way, one of ours serves this call too. Released peers before 1.2.0 do not know it.
 *
 * @param force over datagrams: the peer is known not to be a released one, so change the keys however many frames it got
 * @return USMP_OK; USMP_ERROR_NOT_CONNECTED; USMP_ERROR_REKEY_UNSAFE: over datagrams a released peer would lose frames (§9.5)
 */
USMP_MUST_CHECK usmp_error_t usmp_rekey(usmp_t *usmp, bool force);

/** Sends what waits, then BYE, and closes. Without effect on a closed connection. */
void usmp_close(usmp_t *usmp, uint32_t now);

/** Overwrites everything, keys above all. The connection is idle afterwards. */
void usmp_wipe(usmp_t *usmp);

/* ── Output ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The next thing that has happened. @return false when there is none, and `event` is as it was */
USMP_MUST_CHECK bool usmp_poll_event(usmp_t *usmp, usmp_event_t *event);

/**
 * Bytes to send now: over a stream or serial line any number of them may be written, over datagrams they are one datagram.
 * They stay where they are until `usmp_transmitted`.
 *
 * @return null when there is nothing to send
 */
USMP_MUST_CHECK const uint8_t *usmp_poll_transmit(usmp_t *usmp, uint32_t now, size_t *length);

/**
 * The first `length` bytes that `usmp_poll_transmit` has given were written; over datagrams, the whole one, sent or not. To be
 * called before any other function.
 */
void usmp_transmitted(usmp_t *usmp, size_t length, uint32_t now);

/** Milliseconds until `usmp_handle_timeout` must be called; 0 for at once, USMP_NEVER for never. */
uint32_t usmp_poll_timeout(const usmp_t *usmp, uint32_t now);

/* ── State ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

usmp_state_t usmp_state(const usmp_t *usmp);

#if USMP_SERVER
/** Server: the id (6 bytes) of the device that has authenticated; null before that. */
const uint8_t *usmp_device_id(const usmp_t *usmp);
#endif

/** Bytes that have not been given out yet, and over datagrams those that the peer has not acknowledged. 0: all of it is gone. */
size_t usmp_pending_transmit(const usmp_t *usmp);

/**
 * Closed, but over datagrams still busy bringing BYE to the peer, or over a stream waiting for it to be written. Go on driving
 * the connection until this is false.
 */
bool usmp_lingers(const usmp_t *usmp);

#ifdef __cplusplus
}
#endif

#include "usmp/connection.h"

#endif
