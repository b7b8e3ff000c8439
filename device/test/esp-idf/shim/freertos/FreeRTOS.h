#ifndef INC_FREERTOS_H
#define INC_FREERTOS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The types of the port for the target linux. */
typedef unsigned long TickType_t;
typedef long BaseType_t;
typedef unsigned long UBaseType_t;
typedef unsigned long StackType_t;

#define configTICK_RATE_HZ 100
#define configMAX_PRIORITIES 25
#define portTICK_PERIOD_MS ((TickType_t)1000 / configTICK_RATE_HZ)
#define portMAX_DELAY ((TickType_t)UINT64_MAX)
#define pdMS_TO_TICKS(ms) ((TickType_t)(((uint64_t)(ms) * configTICK_RATE_HZ) / 1000u))
#define pdFALSE ((BaseType_t)0)
#define pdTRUE ((BaseType_t)1)
#define pdFAIL pdFALSE
#define pdPASS pdTRUE

/** A queue; semaphores are queues of nothing. */
typedef struct StaticQueue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t size;
    size_t item_size;
    size_t count;
    size_t start;
    uint8_t *items;
    bool on_heap;
} StaticQueue_t;

typedef struct StaticQueue *QueueHandle_t;

#endif
