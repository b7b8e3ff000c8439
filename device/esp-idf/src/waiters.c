#include "waiters.h"

#include <stddef.h>

#include "clock.h"

struct waiter {
    waiter_t *next;
    bool woken;
    SemaphoreHandle_t semaphore;
    StaticSemaphore_t memory;
};

static void forget(waiter_t **waiters, const waiter_t *waiter)
{
    while (*waiters != waiter) waiters = &(*waiters)->next;
    *waiters = waiter->next;
}

bool waiters_wait(waiter_t **waiters, SemaphoreHandle_t lock, uint32_t deadline, bool forever)
{
    uint32_t left = forever ? UINT32_MAX : clock_until(deadline, clock_now());
    if (left == 0) return false;

    waiter_t waiter = {.next = *waiters};
    waiter.semaphore = xSemaphoreCreateBinaryStatic(&waiter.memory);
    *waiters = &waiter;
    xSemaphoreGive(lock);
    (void)xSemaphoreTake(waiter.semaphore, clock_ticks(left));
    xSemaphoreTake(lock, portMAX_DELAY);
    /* Who wakes does it with the lock, so that the semaphore is not in use any more. */
    if (!waiter.woken) forget(waiters, &waiter);
    vSemaphoreDelete(waiter.semaphore);
    return waiter.woken;
}

void waiters_wake(waiter_t **waiters)
{
    for (waiter_t *waiter = *waiters; waiter != NULL; waiter = waiter->next) {
        waiter->woken = true;
        xSemaphoreGive(waiter->semaphore);
    }
    *waiters = NULL;
}
