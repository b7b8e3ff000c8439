/** Tasks are threads, queues and semaphores are conditions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/semphr.h"
#include "freertos/task.h"

struct tskTaskControlBlock {
    TaskFunction_t code;
    void *argument;
};

static _Thread_local struct tskTaskControlBlock *current;
static _Thread_local struct tskTaskControlBlock foreign;

TaskHandle_t xTaskGetCurrentTaskHandle(void)
{
    return current != NULL ? current : &foreign;
}

static void *run(void *argument)
{
    current = argument;
    current->code(current->argument);
    abort(); /* A task must not return. */
}

BaseType_t xTaskCreatePinnedToCore(TaskFunction_t code, const char *name, uint32_t depth, void *argument, UBaseType_t priority,
                                   TaskHandle_t *created, BaseType_t core)
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct tskTaskControlBlock *task = malloc(sizeof *task);
    (void)name, (void)priority, (void)core;
    if (task == NULL || depth < 384) abort();
    *task = (struct tskTaskControlBlock){code, argument};
    if (created != NULL) *created = task;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, run, task);
    pthread_attr_destroy(&attributes);
    if (failed) free(task);
    return failed ? pdFAIL : pdPASS;
}

void vTaskDelete(TaskHandle_t task)
{
    if (task != NULL && task != current) abort();
    free(current);
    pthread_exit(NULL);
}

static struct timespec after(TickType_t ticks)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t nanoseconds = (uint64_t)time.tv_nsec + ticks % configTICK_RATE_HZ * (1000000000u / configTICK_RATE_HZ);
    time.tv_sec += (time_t)(ticks / configTICK_RATE_HZ + nanoseconds / 1000000000u);
    time.tv_nsec = (long)(nanoseconds % 1000000000u);
    return time;
}

void vTaskDelay(TickType_t ticks)
{
    struct timespec time = after(ticks);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {
    }
}

TickType_t xTaskGetTickCount(void)
{
    struct timespec time = after(0);
    return (TickType_t)time.tv_sec * configTICK_RATE_HZ + (TickType_t)time.tv_nsec / (1000000000u / configTICK_RATE_HZ);
}

/* ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static QueueHandle_t init(StaticQueue_t *queue, size_t size, size_t item_size, size_t count)
{
    pthread_condattr_t attributes;
    *queue = (StaticQueue_t){.size = size, .item_size = item_size, .count = count};
    queue->items = item_size > 0 ? calloc(size, item_size) : NULL;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return queue;
}

static void deinit(StaticQueue_t *queue)
{
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->changed);
    free(queue->items);
    if (queue->on_heap) free(queue);
    else memset(queue, 0xA5, sizeof *queue);
}

/** Until there is room, or an item. With the mutex. */
static bool wait_until(StaticQueue_t *queue, bool room, TickType_t ticks)
{
    struct timespec deadline = after(ticks < 1000000 ? ticks : 0);
    while (room ? queue->count == queue->size : queue->count == 0) {
        int error;
        if (ticks == 0) return false;
        if (ticks == portMAX_DELAY) error = pthread_cond_wait(&queue->changed, &queue->mutex);
        else error = pthread_cond_timedwait(&queue->changed, &queue->mutex, &deadline);
        if (error == ETIMEDOUT) return room ? queue->count < queue->size : queue->count > 0;
    }
    return true;
}

static BaseType_t put(QueueHandle_t queue, const void *item, TickType_t ticks)
{
    pthread_mutex_lock(&queue->mutex);
    bool done = wait_until(queue, true, ticks);
    if (done && queue->item_size > 0)
        memcpy(queue->items + (queue->start + queue->count) % queue->size * queue->item_size, item, queue->item_size);
    if (done) queue->count++;
    if (done) pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    return done ? pdTRUE : pdFALSE;
}

static BaseType_t take(QueueHandle_t queue, void *item, TickType_t ticks)
{
    pthread_mutex_lock(&queue->mutex);
    bool done = wait_until(queue, false, ticks);
    if (done && queue->item_size > 0) memcpy(item, queue->items + queue->start * queue->item_size, queue->item_size);
    if (done) queue->start = (queue->start + 1) % queue->size;
    if (done) queue->count--;
    if (done) pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    return done ? pdTRUE : pdFALSE;
}

QueueHandle_t xQueueCreate(UBaseType_t length, UBaseType_t item_size)
{
    StaticQueue_t *queue = malloc(sizeof *queue);
    if (queue == NULL) return NULL;
    init(queue, length, item_size, 0);
    queue->on_heap = true;
    return queue;
}

BaseType_t xQueueSend(QueueHandle_t queue, const void *item, TickType_t ticks)
{
    return put(queue, item, ticks);
}

BaseType_t xQueueReceive(QueueHandle_t queue, void *item, TickType_t ticks)
{
    return take(queue, item, ticks);
}

void vQueueDelete(QueueHandle_t queue)
{
    deinit(queue);
}

SemaphoreHandle_t xSemaphoreCreateBinaryStatic(StaticSemaphore_t *memory)
{
    return init(memory, 1, 0, 0);
}

SemaphoreHandle_t xSemaphoreCreateMutexStatic(StaticSemaphore_t *memory)
{
    return init(memory, 1, 0, 1);
}

BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks)
{
    return take(semaphore, NULL, ticks);
}

BaseType_t xSemaphoreGive(SemaphoreHandle_t semaphore)
{
    return put(semaphore, NULL, 0);
}

void vSemaphoreDelete(SemaphoreHandle_t semaphore)
{
    deinit(semaphore);
}
