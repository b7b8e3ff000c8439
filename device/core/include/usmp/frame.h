/** The frame (spec/protocol.md §2): header, checksum, and what of it is acceptable. Inside of the core. */
#ifndef USMP_FRAME_H
#define USMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"
#include "usmp/crypto.h"
#include "usmp/errors.h"
#include "usmp/limits.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The first two bytes of every frame, and the version that this file and its neighbours speak. */
#define USMP_MAGIC_LOW 0xCDu
#define USMP_MAGIC_HIGH 0xABu
#define USMP_VERSION 0x02u

/** Bytes 0..9 of the header: all but the checksum. CRC and AES-GCM both cover them. */
#define USMP_CHECKED_HEADER_LENGTH 10u

/** The payload of a frame, and the text of a record: what is encrypted (§4.1). */
#define USMP_PAYLOAD(frame) ((frame) + USMP_HEADER_LENGTH)
#define USMP_TEXT(frame) (USMP_PAYLOAD(frame) + USMP_NONCE_LENGTH)

/** Frame types (§2.3). */
enum {
    USMP_HELLO = 0x01,
    USMP_CHALLENGE = 0x02,
    USMP_HELLO_ACK = 0x03,
    USMP_SESSION_OK = 0x04,
    USMP_DATA = 0x05,
    USMP_PING = 0x06,
    USMP_PONG = 0x07,
    USMP_BYE = 0x08,
    USMP_DATA_FRAG = 0x09,
    USMP_HELLO_RETRY = 0x0A,
    USMP_REKEY = 0x0B
};

/** Whether frames of a type belong to the handshake: not encrypted, seq and CRC not checked (§3.1). */
USMP_INTERNAL bool usmp_is_handshake_type(uint8_t type);

/** CRC-16/MODBUS (§2.2) of `bytes`, going on from `crc`, which is 0xFFFF at the beginning. */
USMP_INTERNAL uint16_t usmp_crc16(const uint8_t *bytes, size_t length, uint16_t crc);

/** Writes the checked part of a header; the checksum follows with `usmp_frame_write_checksum`. */
USMP_INTERNAL void usmp_frame_write_header(uint8_t *frame, uint8_t type, uint32_t seq, size_t length);

/** Writes the checksum of a frame whose payload is in place. */
USMP_INTERNAL void usmp_frame_write_checksum(uint8_t *frame);

/** Whether a whole frame has the checksum that it announces. */
USMP_INTERNAL bool usmp_frame_checksum_fits(const uint8_t *frame);

/**
 * Judges as much of a header as has arrived, in the order magic, version, type, length (§2.4), so that a stream gets the same
 * verdict in one piece and byte by byte.
 *
 * @param size the size of the frame as far as it can be told: that of the header as long as it is not complete
 */
USMP_INTERNAL usmp_error_t usmp_frame_measure(const uint8_t *bytes, size_t available, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
