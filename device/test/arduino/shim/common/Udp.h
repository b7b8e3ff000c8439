#ifndef SHIM_UDP_H
#define SHIM_UDP_H

#include "IPAddress.h"
#include "Stream.h"

/* Cores have a class of this name. */
class UDP : public Stream {
  public:
    virtual uint8_t begin(uint16_t port) = 0;
    virtual void stop() = 0;
    virtual int beginPacket(IPAddress address, uint16_t port) = 0;
    virtual int endPacket() = 0;
    virtual int parsePacket() = 0;
    virtual int read(unsigned char *bytes, size_t size) = 0;
    virtual IPAddress remoteIP() = 0;
    virtual uint16_t remotePort() = 0;
    using Stream::read;
};

#endif
