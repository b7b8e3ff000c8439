#ifndef SYS_LOCK_H
#define SYS_LOCK_H

/** Zeros are a lock that nobody has used yet. */
typedef struct {
    void *lock;
} _lock_t;

void _lock_acquire(_lock_t *lock);
void _lock_release(_lock_t *lock);

#endif
