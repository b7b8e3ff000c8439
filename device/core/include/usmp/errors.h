/**
 * Every way to fail. `usmp_error_code` gives the name that the TypeScript library and spec/protocol.md §8 use for the same
 * case, `usmp_strerror` says what happened and what to do.
 */
#ifndef USMP_ERRORS_H
#define USMP_ERRORS_H

#ifdef __cplusplus
extern "C" {
#endif

/** The case. Numbers and names stay what they are; new ones are added at the end of their class. */
typedef enum usmp_error {
    USMP_OK = 0,

    /* A frame that is none (§2). */
    USMP_ERROR_BAD_MAGIC = 0x10,
    USMP_ERROR_VERSION_1,
    USMP_ERROR_UNSUPPORTED_VERSION,
    USMP_ERROR_BAD_TYPE,
    USMP_ERROR_BAD_LENGTH,
    USMP_ERROR_BAD_CRC,

    /* Handshake and authentication (§3). */
    USMP_ERROR_UNEXPECTED_FRAME = 0x20,
    USMP_ERROR_LOW_ORDER_POINT,
    USMP_ERROR_WRONG_KEY,
    USMP_ERROR_REFUSED,
    USMP_ERROR_TURNED_AWAY,
    USMP_ERROR_ROGUE_SERVER,

    /* Session records (§4 to §7). */
    USMP_ERROR_BAD_SEQUENCE = 0x30,
    USMP_ERROR_BAD_NONCE,
    USMP_ERROR_BAD_TAG,
    USMP_ERROR_MESSAGE_TOO_LONG,
    USMP_ERROR_REKEY_UNSAFE,
    USMP_ERROR_SEQUENCE_SPENT,

    /* Time, and the end of a session (§3.5, §6). */
    USMP_ERROR_HANDSHAKE_TIMEOUT = 0x40,
    USMP_ERROR_IDLE_TIMEOUT,
    USMP_ERROR_BYE,
    USMP_ERROR_CLOSED,
    USMP_ERROR_NOT_ACKNOWLEDGED,
    USMP_ERROR_CONNECTION_LOST,
    USMP_ERROR_UNREACHABLE,
    USMP_ERROR_REPLACED,

    /* Calls. */
    USMP_ERROR_INVALID_ARGUMENT = 0x50,
    USMP_ERROR_KEY_TOO_SHORT,
    USMP_ERROR_MESSAGE_TOO_LARGE,
    USMP_ERROR_NOT_CONNECTED,
    /* These two have no twin in TypeScript: there is always memory there, and cryptography does not fail. */
    USMP_ERROR_BUSY,
    USMP_ERROR_CRYPTO_FAILED
} usmp_error_t;

/** The kinds of errors, in the order of the specification's sections. */
typedef enum usmp_error_class {
    USMP_CLASS_NONE = 0x00,
    /** The bytes are not a frame: a wrong port, a bad line, another protocol or version (§2). */
    USMP_CLASS_FRAME = 0x10,
    /** The handshake failed: the key is wrong on one side, or the peer does not keep to the protocol (§3). */
    USMP_CLASS_HANDSHAKE = 0x20,
    /** A record was altered, replayed, lost, or does not belong where it came (§4 to §7). */
    USMP_CLASS_SESSION = 0x30,
    /** Nothing wrong was received: something did not come in time, or the connection has ended (§3.5, §6). */
    USMP_CLASS_ENDED = 0x40,
    /** A function was called with what it cannot use, or at a time when it cannot be served. */
    USMP_CLASS_CALL = 0x50
} usmp_error_class_t;

/** Whom to look at. */
typedef enum usmp_fault { USMP_FAULT_CALLER, USMP_FAULT_PEER, USMP_FAULT_NETWORK } usmp_fault_t;

usmp_error_class_t usmp_error_class(usmp_error_t error);

usmp_fault_t usmp_error_fault(usmp_error_t error);

/** The name of the case as in spec/protocol.md §8: "bad_magic". "ok" for USMP_OK. Never null. */
const char *usmp_error_code(usmp_error_t error);

/** What happened and what to do about it, in one line of English. Never null. */
const char *usmp_strerror(usmp_error_t error);

#ifdef __cplusplus
}
#endif

#endif
