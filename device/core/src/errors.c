#include "usmp/errors.h"

#include <stddef.h>
#include <stdint.h>

typedef struct explained {
    uint8_t error;
    uint8_t fault;
    const char *code;
    const char *text;
} explained_t;

static const explained_t EXPLAINED[] = {
    {USMP_OK, USMP_FAULT_CALLER, "ok", "no error"},
    {USMP_ERROR_BAD_MAGIC, USMP_FAULT_PEER, "bad_magic", "the bytes are not USMP: check host, port, and that the server is one"},
    {USMP_ERROR_VERSION_1, USMP_FAULT_PEER, "version_1", "the peer speaks version 1 (release 0.5.1 or older): update it"},
    {USMP_ERROR_UNSUPPORTED_VERSION, USMP_FAULT_PEER, "unsupported_version", "the peer speaks another version than 2: update"},
    {USMP_ERROR_BAD_TYPE, USMP_FAULT_PEER, "bad_type", "unknown frame type: the peer is newer, or no USMP"},
    {USMP_ERROR_BAD_LENGTH, USMP_FAULT_PEER, "bad_length", "a frame length that its type does not allow: update the peer"},
    {USMP_ERROR_BAD_CRC, USMP_FAULT_PEER, "bad_crc", "a frame was damaged: check the line, then connect again"},

    {USMP_ERROR_UNEXPECTED_FRAME, USMP_FAULT_PEER, "unexpected_frame", "a frame out of place: the peer does not keep to USMP"},
    {USMP_ERROR_LOW_ORDER_POINT, USMP_FAULT_PEER, "low_order_point", "a public key that yields no secret: do not trust the peer"},
    {USMP_ERROR_WRONG_KEY, USMP_FAULT_PEER, "wrong_key", "the device proved another key than ours: compare both keys"},
    {USMP_ERROR_REFUSED, USMP_FAULT_PEER, "refused", "the server knows another key, or not this device id: compare both"},
    {USMP_ERROR_TURNED_AWAY, USMP_FAULT_PEER, "turned_away", "the server is busy, holds us off, or is no USMP: try later"},
    {USMP_ERROR_ROGUE_SERVER, USMP_FAULT_PEER, "rogue_server", "the server does not know our key: compare both; maybe an impostor"},

    {USMP_ERROR_BAD_SEQUENCE, USMP_FAULT_PEER, "bad_sequence", "a frame was lost, replayed or reordered: connect again"},
    {USMP_ERROR_BAD_NONCE, USMP_FAULT_PEER, "bad_nonce", "a nonce of another number or session: connect again"},
    {USMP_ERROR_BAD_TAG, USMP_FAULT_PEER, "bad_tag", "a frame was altered, or sealed under another key: connect again"},
    {USMP_ERROR_MESSAGE_TOO_LONG, USMP_FAULT_PEER, "message_too_long", "the peer sent more than 4 frames as one message: send it in parts"},
    {USMP_ERROR_REKEY_UNSAFE, USMP_FAULT_CALLER, "rekey_unsafe", "a released peer would lose frames: force it, or connect again"},
    {USMP_ERROR_SEQUENCE_SPENT, USMP_FAULT_PEER, "sequence_spent", "all sequence numbers are used: connect again"},

    {USMP_ERROR_HANDSHAKE_TIMEOUT, USMP_FAULT_PEER, "handshake_timeout", "no answer in time: check the line, host and port"},
    {USMP_ERROR_IDLE_TIMEOUT, USMP_FAULT_PEER, "idle_timeout", "the peer has fallen silent: connect again"},
    {USMP_ERROR_BYE, USMP_FAULT_PEER, "bye", "the peer closed the session: connect again if there is more to say"},
    {USMP_ERROR_CLOSED, USMP_FAULT_CALLER, "closed", "this side closed the session"},
    {USMP_ERROR_NOT_ACKNOWLEDGED, USMP_FAULT_NETWORK, "not_acknowledged", "the peer acknowledged nothing for 12.5 s: connect again"},
    {USMP_ERROR_CONNECTION_LOST, USMP_FAULT_NETWORK, "connection_lost", "the transport broke without BYE: connect again"},
    {USMP_ERROR_UNREACHABLE, USMP_FAULT_NETWORK, "unreachable", "nothing listens there: check host, port, and the network"},
    {USMP_ERROR_REPLACED, USMP_FAULT_PEER, "replaced", "a newer session of this device took over: is its id used twice?"},

    {USMP_ERROR_INVALID_ARGUMENT, USMP_FAULT_CALLER, "invalid_argument", "a setting is missing, or not compiled in: usmp/config.h"},
    {USMP_ERROR_KEY_TOO_SHORT, USMP_FAULT_CALLER, "key_too_short", "the key has less than 16 bytes: use a longer one"},
    {USMP_ERROR_MESSAGE_TOO_LARGE, USMP_FAULT_CALLER, "message_too_large", "longer than USMP_MAX_MESSAGE: send it in parts"},
    {USMP_ERROR_NOT_CONNECTED, USMP_FAULT_CALLER, "not_connected", "no session is open: wait for USMP_EVENT_OPEN"},
    {USMP_ERROR_BUSY, USMP_FAULT_CALLER, "busy", "earlier output has to leave first: transmit, then try again"},
    {USMP_ERROR_CRYPTO_FAILED, USMP_FAULT_CALLER, "crypto_failed", "the platform's cryptography failed: memory or entropy"},
};

static const explained_t *find(usmp_error_t error)
{
    static const explained_t UNKNOWN = {0, USMP_FAULT_CALLER, "unknown", "not an error of USMP"};
    for (size_t i = 0; i < sizeof EXPLAINED / sizeof EXPLAINED[0]; i++) {
        if (EXPLAINED[i].error == (unsigned)error) return &EXPLAINED[i];
    }
    return &UNKNOWN;
}

usmp_error_class_t usmp_error_class(usmp_error_t error)
{
    return (usmp_error_class_t)((unsigned)error & 0xF0u);
}

usmp_fault_t usmp_error_fault(usmp_error_t error)
{
    return (usmp_fault_t)find(error)->fault;
}

const char *usmp_error_code(usmp_error_t error)
{
    return find(error)->code;
}

const char *usmp_strerror(usmp_error_t error)
{
    return find(error)->text;
}
