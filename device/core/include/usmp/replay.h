/**
 * Which sequence numbers a receiver may still open (spec/protocol.md §4.3, §9.4). This is where a replayed, reordered or
 * skipped frame is refused. Inside of the core.
 */
#ifndef USMP_REPLAY_H
#define USMP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "usmp/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The numbers of one direction under one key. All zero bytes are its beginning. */
typedef struct usmp_replay {
    /** The number after the highest one opened so far. */
    uint32_t expected;
#if USMP_DATAGRAM
    /** Bit i stands for `expected - 1 - i`: 32 bits each. */
    uint32_t recent;
    uint32_t older;
    /** The next number to deliver: what is below was delivered or given up. */
    uint32_t next;
#endif
} usmp_replay_t;

/** The rule of streams: the next number and no other; the last of all, 2^32 - 1, never (§4.2). */
USMP_INTERNAL bool usmp_replay_is_next(const usmp_replay_t *replay, uint32_t seq);

#if USMP_DATAGRAM
/** What a frame with some number would be. REPEAT: opened before. REFUSED: too old, given up, or the last number. */
typedef enum usmp_standing { USMP_STANDING_NEW, USMP_STANDING_REPEAT, USMP_STANDING_REFUSED } usmp_standing_t;

/** The rule of datagrams: any order within a window below the highest number opened, each number once. */
USMP_INTERNAL usmp_standing_t usmp_replay_judge(const usmp_replay_t *replay, uint32_t seq);

/** Uses up the number of a frame that has authenticated. */
USMP_INTERNAL void usmp_replay_confirm(usmp_replay_t *replay, uint32_t seq);

/** The lowest number that may still be opened for the first time, as far as the window alone says. */
USMP_INTERNAL uint32_t usmp_replay_start(const usmp_replay_t *replay);
#endif

#ifdef __cplusplus
}
#endif

#endif
