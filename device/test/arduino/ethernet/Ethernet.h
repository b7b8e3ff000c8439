/** Of the library Ethernet 2.0, what the example uses: to be compiled, not to be run. */
#ifndef SHIM_ETHERNET_H
#define SHIM_ETHERNET_H

#include <Arduino.h>
#include <Client.h>

class EthernetClient : public Client {
  public:
    int connect(IPAddress, uint16_t) override
    {
        return 0;
    }
    int connect(const char *, uint16_t) override
    {
        return 0;
    }
    size_t write(uint8_t) override
    {
        return 0;
    }
    size_t write(const uint8_t *, size_t) override
    {
        return 0;
    }
    int available() override
    {
        return 0;
    }
    int read() override
    {
        return -1;
    }
    int read(uint8_t *, size_t) override
    {
        return 0;
    }
    int peek() override
    {
        return -1;
    }
    void flush() override
    {
    }
    void stop() override
    {
    }
    uint8_t connected() override
    {
        return 0;
    }
    operator bool() override
    {
        return false;
    }
    void setConnectionTimeout(uint16_t)
    {
    }
    using Print::write;
};

class EthernetClass {
  public:
    int begin(uint8_t *)
    {
        return 1;
    }
    int maintain()
    {
        return 0;
    }
};
static EthernetClass Ethernet;

#endif
