#include "queue.h"

#include <string.h>

void queue_init(queue_t *queue, uint8_t *bytes, size_t size)
{
    *queue = (queue_t){.bytes = bytes, .size = size};
}

static size_t wrapped(const queue_t *queue, size_t position)
{
    return position >= queue->size ? position - queue->size : position;
}

static void copy_in(queue_t *queue, const void *from, size_t length)
{
    if (length == 0) return;
    size_t end = wrapped(queue, queue->start + queue->used);
    size_t first = length < queue->size - end ? length : queue->size - end;
    memcpy(queue->bytes + end, from, first);
    memcpy(queue->bytes, (const uint8_t *)from + first, length - first);
    queue->used += length;
}

static void copy_out(const queue_t *queue, size_t offset, uint8_t *to, size_t length)
{
    size_t begin = wrapped(queue, queue->start + offset);
    size_t first = length < queue->size - begin ? length : queue->size - begin;
    memcpy(to, queue->bytes + begin, first);
    memcpy(to + first, queue->bytes, length - first);
}

bool queue_put(queue_t *queue, const void *message, size_t length)
{
    const uint8_t prefix[QUEUE_OVERHEAD] = {(uint8_t)(length >> 8), (uint8_t)length};
    if (length + QUEUE_OVERHEAD > queue->size - queue->used) return false;
    copy_in(queue, prefix, sizeof prefix);
    copy_in(queue, message, length);
    queue->count++;
    return true;
}

size_t queue_first_length(const queue_t *queue)
{
    uint8_t prefix[QUEUE_OVERHEAD];
    copy_out(queue, 0, prefix, sizeof prefix);
    return (size_t)prefix[0] << 8 | prefix[1];
}

size_t queue_peek(const queue_t *queue, uint8_t *message)
{
    size_t length = queue_first_length(queue);
    copy_out(queue, QUEUE_OVERHEAD, message, length);
    return length;
}

void queue_drop(queue_t *queue)
{
    size_t taken = queue_first_length(queue) + QUEUE_OVERHEAD;
    queue->start = wrapped(queue, queue->start + taken);
    queue->used -= taken;
    queue->count--;
}
