#include "usmp/replay.h"

#include "usmp/limits.h"

USMP_INTERNAL bool usmp_replay_is_next(const usmp_replay_t *replay, uint32_t seq)
{
    return seq == replay->expected && seq <= USMP_MAX_SEQUENCE;
}

#if USMP_DATAGRAM

USMP_INTERNAL usmp_standing_t usmp_replay_judge(const usmp_replay_t *replay, uint32_t seq)
{
    if (seq > USMP_MAX_SEQUENCE) return USMP_STANDING_REFUSED;
    if (seq >= replay->expected) return USMP_STANDING_NEW;
    uint32_t age = replay->expected - 1 - seq;
    if (age >= USMP_REPLAY_WINDOW) return USMP_STANDING_REFUSED;
    uint32_t word = age < 32 ? replay->recent >> age : replay->older >> (age - 32);
    if ((word & 1) == 1) return USMP_STANDING_REPEAT;
    return seq < replay->next ? USMP_STANDING_REFUSED : USMP_STANDING_NEW;
}

USMP_INTERNAL void usmp_replay_confirm(usmp_replay_t *replay, uint32_t seq)
{
    if (seq < replay->expected) {
        uint32_t age = replay->expected - 1 - seq;
        if (age < 32) replay->recent |= (uint32_t)1 << age;
        else replay->older |= (uint32_t)1 << (age - 32);
        return;
    }
    uint32_t by = seq - replay->expected + 1;
    if (by >= 64) {
        replay->recent = replay->older = 0;
    } else if (by >= 32) {
        replay->older = replay->recent << (by - 32);
        replay->recent = 0;
    } else {
        replay->older = replay->older << by | replay->recent >> (32 - by);
        replay->recent <<= by;
    }
    replay->recent |= 1;
    replay->expected = seq + 1;
}

USMP_INTERNAL uint32_t usmp_replay_start(const usmp_replay_t *replay)
{
    return replay->expected > USMP_REPLAY_WINDOW ? replay->expected - USMP_REPLAY_WINDOW : 0;
}

#endif
