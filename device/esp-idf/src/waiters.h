/**
 * Tasks that wait for a change of a connection, as at a condition variable: everybody waits on a semaphore of their own, which
 * lies on their stack, so that nobody takes a wake-up that was meant for another.
 */
#ifndef USMP_ESP_WAITERS_H
#define USMP_ESP_WAITERS_H

#include <stdbool.h>
#include <stdint.h>

#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"

typedef struct waiter waiter_t;

/**
 * Waits until `waiters_wake`. To be called with the lock, which is given back meanwhile.
 *
 * @param deadline of `clock_now`
 * @param forever there is no deadline
 * @return false: the deadline has passed
 */
bool waiters_wait(waiter_t **waiters, SemaphoreHandle_t lock, uint32_t deadline, bool forever);

/** Something has changed: everybody looks again. To be called with the lock. */
void waiters_wake(waiter_t **waiters);

#endif
