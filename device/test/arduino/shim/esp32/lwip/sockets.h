/** The one function of lwIP's sockets that the library calls. */
#ifndef SHIM_LWIP_SOCKETS_H
#define SHIM_LWIP_SOCKETS_H

#include <stddef.h>

#ifndef MSG_DONTWAIT
#define MSG_DONTWAIT 0x08
#endif

extern "C" long lwip_send(int file, const void *bytes, size_t length, int flags);

#endif
