#include "usmp/frame.h"

#include "usmp/bytes.h"
#include "usmp/limits.h"

static uint16_t checksum(const uint8_t *frame)
{
    uint16_t crc = usmp_crc16(frame, USMP_CHECKED_HEADER_LENGTH, 0xFFFF);
    return usmp_crc16(frame + USMP_HEADER_LENGTH, usmp_load16(frame + 8), crc);
}

USMP_INTERNAL bool usmp_is_handshake_type(uint8_t type)
{
    return type <= USMP_SESSION_OK || type == USMP_HELLO_RETRY;
}

USMP_INTERNAL void usmp_frame_write_header(uint8_t *frame, uint8_t type, uint32_t seq, size_t length)
{
    frame[0] = USMP_MAGIC_LOW;
    frame[1] = USMP_MAGIC_HIGH;
    frame[2] = USMP_VERSION;
    frame[3] = type;
    usmp_store32(frame + 4, seq);
    usmp_store16(frame + 8, (uint32_t)length);
}

USMP_INTERNAL void usmp_frame_write_checksum(uint8_t *frame)
{
    usmp_store16(frame + USMP_CHECKED_HEADER_LENGTH, checksum(frame));
}

USMP_INTERNAL bool usmp_frame_checksum_fits(const uint8_t *frame)
{
    return usmp_load16(frame + USMP_CHECKED_HEADER_LENGTH) == checksum(frame);
}

USMP_INTERNAL usmp_error_t usmp_frame_measure(const uint8_t *bytes, size_t available, size_t *size)
{
    *size = USMP_HEADER_LENGTH;
    if (available > 0 && bytes[0] != USMP_MAGIC_LOW) return USMP_ERROR_BAD_MAGIC;
    if (available > 1 && bytes[1] != USMP_MAGIC_HIGH) return USMP_ERROR_BAD_MAGIC;
    /* The one place that tells protocol versions apart: a version 3 would branch off here. */
    if (available > 2 && bytes[2] != USMP_VERSION) {
        return bytes[2] == 0x01 ? USMP_ERROR_VERSION_1 : USMP_ERROR_UNSUPPORTED_VERSION;
    }
    if (available > 3 && (bytes[3] < USMP_HELLO || bytes[3] > USMP_REKEY)) return USMP_ERROR_BAD_TYPE;
    if (available < USMP_CHECKED_HEADER_LENGTH) return USMP_OK;
    size_t length = usmp_load16(bytes + 8);
    if (length > USMP_MAX_PAYLOAD) return USMP_ERROR_BAD_LENGTH;
    if (available >= USMP_HEADER_LENGTH) *size += length;
    return USMP_OK;
}
