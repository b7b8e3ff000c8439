#include "usmp/message.h"

#include <string.h>

USMP_INTERNAL size_t usmp_frame_count(size_t length)
{
    size_t frames = 1;
    for (; length > USMP_MAX_PLAINTEXT; length -= USMP_MAX_PLAINTEXT) frames++;
    return frames;
}

USMP_INTERNAL bool usmp_message_drop(usmp_message_t *message)
{
    bool partial = message->parts > 0;
    message->length = 0;
    message->parts = 0;
    message->overlong = false;
    return partial;
}

USMP_INTERNAL usmp_error_t usmp_message_add(usmp_message_t *message, uint8_t *buffer, const uint8_t *part, size_t length, bool last)
{
    if (!last && ++message->parts >= USMP_MAX_PARTS) return USMP_ERROR_MESSAGE_TOO_LONG;
    if (message->length + length > USMP_MAX_MESSAGE) message->overlong = true;
    if (message->overlong) {
        message->length = 0;
        length = 0;
    }
    memmove(buffer + message->length, part, length);
    message->length = (uint16_t)(message->length + length);
    return USMP_OK;
}
