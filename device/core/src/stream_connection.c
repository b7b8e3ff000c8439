/** A connection over a reliable stream: frames arrive whole and in order, or the session ends (spec/protocol.md §4.3). */
#include <string.h>

#include "usmp/frame.h"

#include "usmp/connection.h"

/** Where a part of a message leaves no room for the frame behind it, the message is too long for this device. */
static uint8_t *make_room(usmp_t *usmp, uint8_t *frame, size_t size)
{
    if (usmp->message.length + size <= sizeof usmp->rx) return frame;
    memmove(usmp->rx, frame, usmp->received);
    usmp->message.length = 0;
    usmp->message.overlong = true;
    return usmp->rx;
}

static void handle_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    if (!usmp_is_handshake_type(frame[3]) && !usmp_frame_checksum_fits(frame)) usmp_abandon(usmp, USMP_ERROR_BAD_CRC, now);
    else if (usmp->has_record) usmp_stream_session_frame(usmp, frame, size, now);
    else usmp_stream_handshake_frame(usmp, frame, size, now);
}

USMP_INTERNAL size_t usmp_stream_input(usmp_t *usmp, const uint8_t *bytes, size_t length, uint32_t now)
{
    size_t taken = 0;
    while (taken < length && usmp->events == 0) {
        uint8_t *frame = usmp->rx + usmp->message.length;
        size_t size;
        /* What is there was judged before. */
        (void)usmp_frame_measure(frame, usmp->received, &size);
        size_t count = size - usmp->received;
        if (count > length - taken) count = length - taken;
        memcpy(frame + usmp->received, bytes + taken, count);
        usmp->received = (uint16_t)(usmp->received + count);
        taken += count;

        usmp_error_t error = usmp_frame_measure(frame, usmp->received, &size);
        if (error != USMP_OK) {
            usmp_abandon(usmp, error, now);
            break;
        }
        frame = make_room(usmp, frame, size);
        if (usmp->received < size) continue;
        usmp->received = 0;
        handle_frame(usmp, frame, size, now);
    }
    return taken;
}

USMP_INTERNAL void usmp_stream_handshake_frame(usmp_t *usmp, const uint8_t *frame, size_t size, uint32_t now)
{
    usmp_handshake_t *handshake = &usmp->layer.handshake;
    uint8_t *reply = usmp_reserve(usmp, USMP_MAX_HANDSHAKE_FRAME);
    if (reply == NULL) {
        usmp_fail(usmp, USMP_ERROR_UNEXPECTED_FRAME);
        return;
    }
    usmp_error_t error = usmp_handshake_handle_frame(handshake, usmp->settings, frame, size, reply);
    if (error == USMP_OK && handshake->reply_length > 0) usmp_commit(usmp, handshake->reply_length);
#if USMP_SERVER
    if (error == USMP_OK && frame[3] == USMP_HELLO) usmp_emit(usmp, USMP_EVENT_KEYS_WANTED);
#endif
    if (error == USMP_OK) error = usmp_open_if_done(usmp, now);
    if (error != USMP_OK) usmp_fail(usmp, error);
}

static usmp_error_t take_session_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    usmp_record_t *record = &usmp->layer.record;
    uint8_t type = frame[3];
    uint8_t *text = USMP_TEXT(frame);
    size_t length = size - USMP_RECORD_OVERHEAD;
    if (usmp_is_handshake_type(type)) return USMP_ERROR_UNEXPECTED_FRAME;

    bool rekeying = !record->rekey_complete;
    usmp_error_t error = usmp_record_open(record, frame, size);
    if (error != USMP_OK) return error;
    usmp_heard(usmp, now);
    if (rekeying && record->rekey_complete) usmp_on_rekeyed(usmp);

    if (type == USMP_DATA || type == USMP_DATA_FRAG) return usmp_on_part(usmp, text, length, type == USMP_DATA);
    error = usmp_check_control(type, length);
    if (error != USMP_OK) return error;
    if (type == USMP_BYE) {
        usmp_fail(usmp, USMP_ERROR_BYE);
        return USMP_OK;
    }
    if (usmp->message.parts > 0) return USMP_ERROR_UNEXPECTED_FRAME;
    if (type == USMP_REKEY) return usmp_on_rekey(usmp, text);
    usmp_on_ping_pong(usmp, type, now);
    return USMP_OK;
}

USMP_INTERNAL void usmp_stream_session_frame(usmp_t *usmp, uint8_t *frame, size_t size, uint32_t now)
{
    usmp_error_t error = take_session_frame(usmp, frame, size, now);
    if (error != USMP_OK) usmp_abandon(usmp, error, now);
}

/** @param length of all plaintexts */
USMP_INTERNAL bool usmp_stream_has_room(const usmp_t *usmp, size_t frames, size_t length)
{
    size_t used = usmp->tx_start == usmp->tx_end ? 0 : usmp->tx_end;
    return used + length + frames * (USMP_RECORD_OVERHEAD + USMP_LINE_OVERHEAD) <= sizeof usmp->tx;
}

static usmp_error_t seal_frame(usmp_t *usmp, uint8_t type, const uint8_t *plaintext, size_t length, uint32_t now)
{
    size_t size = length + USMP_RECORD_OVERHEAD;
    uint8_t *frame = usmp_reserve(usmp, size);
    if (frame == NULL) return USMP_ERROR_BUSY;
    usmp_error_t error = usmp_record_seal(&usmp->layer.record, type, plaintext, length, frame);
    if (error != USMP_OK) {
        usmp_fail(usmp, error);
        return error;
    }
    usmp_commit(usmp, size);
    usmp->last_sent = now;
    return USMP_OK;
}

USMP_INTERNAL usmp_error_t usmp_stream_send(usmp_t *usmp, const uint8_t *message, size_t length, uint32_t now)
{
    if (!usmp_stream_has_room(usmp, usmp_frame_count(length), length)) return USMP_ERROR_BUSY;
    while (length > USMP_MAX_PLAINTEXT) {
        usmp_error_t error = seal_frame(usmp, USMP_DATA_FRAG, message, USMP_MAX_PLAINTEXT, now);
        if (error != USMP_OK) return error;
        message += USMP_MAX_PLAINTEXT;
        length -= USMP_MAX_PLAINTEXT;
    }
    return seal_frame(usmp, USMP_DATA, message, length, now);
}

/** The control frame that is owed next; 0 for none. */
static uint8_t next_control(const usmp_t *usmp)
{
    if (usmp->bye_wanted) return USMP_BYE;
    if (usmp->state != USMP_STATE_OPEN) return 0;
    if (usmp->rekey_wanted && usmp->layer.record.rekey_complete) return USMP_REKEY;
    if (usmp->pongs_owed > 0) return USMP_PONG;
    return usmp->ping_wanted ? USMP_PING : 0;
}

static void sealed(usmp_t *usmp, uint8_t type, const uint8_t *salt, uint32_t now)
{
    switch (type) {
    case USMP_REKEY:
        /* The PING behind it lets the peer's PONG complete the change even where no data flows (§7.4). */
        usmp->rekey_wanted = false;
        usmp->rekey_is_ours = usmp->ping_wanted = true;
        if (!usmp_record_rekey(&usmp->layer.record, USMP_REKEY_INITIATOR, salt, false)) usmp_fail(usmp, USMP_ERROR_CRYPTO_FAILED);
        break;
    case USMP_PONG: usmp->pongs_owed--; break;
    case USMP_PING: usmp_on_ping_sealed(usmp, now); break;
    default:
        usmp->bye_wanted = false;
        usmp_wipe_layer(usmp);
        break;
    }
}

/** Seals what is owed, as far as there is room. */
USMP_INTERNAL void usmp_stream_seal_controls(usmp_t *usmp, uint32_t now)
{
    uint8_t type;
    while ((type = next_control(usmp)) != 0) {
        uint8_t salt[USMP_REKEY_SALT_LENGTH];
        bool rekeys = type == USMP_REKEY;
        size_t length = rekeys ? sizeof salt : 0;
        if (!usmp_stream_has_room(usmp, 1, length)) return;
        /* One number is left for BYE, and one for the PING behind REKEY. */
        if (type != USMP_BYE && usmp_record_sealable(&usmp->layer.record) <= 1u + rekeys) {
            usmp_close_with(usmp, USMP_ERROR_SEQUENCE_SPENT, now);
            continue;
        }
        if (rekeys && !usmp_crypto_random(salt, sizeof salt)) {
            usmp_fail(usmp, USMP_ERROR_CRYPTO_FAILED);
            return;
        }
        if (seal_frame(usmp, type, salt, length, now) != USMP_OK) return;
        sealed(usmp, type, salt, now);
        if (rekeys) usmp_crypto_wipe(salt, sizeof salt);
    }
}
