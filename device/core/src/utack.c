#include "usmp/utack.h"

#include "usmp/bytes.h"
#include "usmp/frame.h"

#if USMP_DATAGRAM

#define UTACK_MAGIC 0xACu

USMP_INTERNAL bool usmp_utack_is(const uint8_t *datagram, size_t length)
{
    return length >= 2 && datagram[0] == UTACK_MAGIC && datagram[1] == UTACK_MAGIC;
}

USMP_INTERNAL bool usmp_utack_fits(const uint8_t *utack, size_t length)
{
    if (length < USMP_UTACK_HEADER_LENGTH) return false;
    return length == (usmp_is_handshake_type(utack[2]) ? USMP_UTACK_HEADER_LENGTH : USMP_UTACK_LENGTH);
}

USMP_INTERNAL void usmp_utack_write(uint8_t *utack, uint8_t type, uint32_t seq)
{
    utack[0] = utack[1] = UTACK_MAGIC;
    utack[2] = type;
    usmp_store32(utack + 3, seq);
}

#endif
