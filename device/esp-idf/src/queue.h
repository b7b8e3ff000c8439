/** Messages that wait, one behind the other in a ring of bytes, each after its length (2 bytes). Not safe by itself. */
#ifndef USMP_ESP_QUEUE_H
#define USMP_ESP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that a message takes beside its own. */
#define QUEUE_OVERHEAD 2u

typedef struct queue {
    uint8_t *bytes;
    size_t size;
    /** Where the oldest message begins, and how many bytes are in use from there. */
    size_t start;
    size_t used;
    uint32_t count;
} queue_t;

void queue_init(queue_t *queue, uint8_t *bytes, size_t size);

/** @return false: there is no room */
bool queue_put(queue_t *queue, const void *message, size_t length);

/** Length of the oldest message. There has to be one. */
size_t queue_first_length(const queue_t *queue);

/** Copies the oldest message, which stays. @return its length. There has to be one */
size_t queue_peek(const queue_t *queue, uint8_t *message);

/** Takes the oldest message away. There has to be one. */
void queue_drop(queue_t *queue);

#endif
