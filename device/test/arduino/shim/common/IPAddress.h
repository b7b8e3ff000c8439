#ifndef SHIM_IPADDRESS_H
#define SHIM_IPADDRESS_H

#include <stdint.h>
#include <string.h>

class IPAddress {
  public:
    IPAddress() = default;
    IPAddress(uint8_t a, uint8_t b, uint8_t c, uint8_t d) : bytes_{a, b, c, d}
    {
    }
    IPAddress(uint32_t address)
    {
        memcpy(bytes_, &address, sizeof bytes_);
    }
    operator uint32_t() const
    {
        uint32_t address;
        memcpy(&address, bytes_, sizeof address);
        return address;
    }
    bool operator==(const IPAddress &other) const
    {
        return memcmp(bytes_, other.bytes_, sizeof bytes_) == 0;
    }
    uint8_t operator[](int index) const
    {
        return bytes_[index];
    }
    bool fromString(const char *text);

  private:
    uint8_t bytes_[4] = {};
};

#endif
