/** The acknowledgement of a datagram (spec/protocol.md §9.1). Inside of the core. */
#ifndef USMP_UTACK_H
#define USMP_UTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usmp/config.h"

#ifdef __cplusplus
extern "C" {
#endif

#if USMP_DATAGRAM
/** Whether a datagram begins like a UTACK. */
USMP_INTERNAL bool usmp_utack_is(const uint8_t *datagram, size_t length);

/** Whether a UTACK has the length for the type of the frame that it is about. */
USMP_INTERNAL bool usmp_utack_fits(const uint8_t *utack, size_t length);

/** Writes a UTACK of 7 bytes, without the MAC that session frames get. */
USMP_INTERNAL void usmp_utack_write(uint8_t *utack, uint8_t type, uint32_t seq);
#endif

#ifdef __cplusplus
}
#endif

#endif
