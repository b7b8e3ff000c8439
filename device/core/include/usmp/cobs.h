/**
 * Frames on a serial line (spec/protocol.md §10): each is stuffed so that it has no zero in it, and stands between zeros. So a
 * receiver finds the next frame whatever happened to the one before. Inside of the core.
 *
 * COBS is consistent overhead byte stuffing (Cheshire and Baker): a block is a row of groups, each a code and the bytes without
 * zero that follow it. The code says how long the group is, itself included, and stands for the zero behind the group; there is
 * none behind a full group of 254 bytes, and none at the end.
 */
#ifndef USMP_COBS_H
#define USMP_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Stands between blocks. */
#define USMP_COBS_DELIMITER 0x00u

/** Bytes that have to be free in front of a frame and behind it, so that it can be encoded where it is. */
#define USMP_COBS_LEAD 3u
#define USMP_COBS_OVERHEAD 4u

/**
 * Makes `00 || COBS(frame) || 00` of the `length` bytes (1 to 508) that stand at `line + USMP_COBS_LEAD`.
 *
 * @return the length of the whole, at most `length + USMP_COBS_OVERHEAD`
 */
USMP_INTERNAL size_t usmp_cobs_encode(uint8_t *line, size_t length);

/**
 * Decodes a block where it is. There is no zero in it: it is what stands between two zeros of a line.
 *
 * @return how many bytes were in it; 0 where its groups do not fit into it
 */
USMP_INTERNAL size_t usmp_cobs_decode(uint8_t *block, size_t length);

#ifdef __cplusplus
}
#endif

#endif
