/**
 * Messages in frames (spec/protocol.md §5): up to three DATA_FRAG, then DATA. The parts of one message are put together at the
 * beginning of the buffer that frames are received into; the next frame is received behind them. Inside of the core.
 */
#ifndef USMP_MESSAGE_H
#define USMP_MESSAGE_H

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

/** Frames that the longest message goes into. */
#define USMP_MAX_FRAMES ((USMP_MAX_MESSAGE + USMP_MAX_PLAINTEXT - 1) / USMP_MAX_PLAINTEXT)

/** Room for the longest message, and for the header, nonce and tag of its last part. */
#define USMP_MESSAGE_BUFFER (USMP_MAX_MESSAGE + USMP_RECORD_OVERHEAD)

/** A message on its way in. All zero bytes: none. */
typedef struct usmp_message {
    /** Bytes put together so far. */
    uint16_t length;
    /** Parts so far, also of one that is too long for this device. */
    uint8_t parts;
    /** It does not fit: what comes of it is dropped. */
    bool overlong;
} usmp_message_t;

/** Into how many frames a message goes; an empty one is one empty frame. */
USMP_INTERNAL size_t usmp_frame_count(size_t length);

/** Forgets the parts so far. @return whether there were any */
USMP_INTERNAL bool usmp_message_drop(usmp_message_t *message);

/**
 * Takes a part.
 *
 * @param buffer of USMP_MESSAGE_BUFFER bytes; `part` may be in it
 * @return USMP_OK, or USMP_ERROR_MESSAGE_TOO_LONG: the message needs more than 4 frames
 */
USMP_MUST_CHECK USMP_INTERNAL usmp_error_t usmp_message_add(usmp_message_t *message, uint8_t *buffer, const uint8_t *part, size_t length,
                                              bool last);

#ifdef __cplusplus
}
#endif

#endif
