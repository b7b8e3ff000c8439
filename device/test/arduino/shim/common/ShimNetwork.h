/** Wi-Fi of the tests: what all three cores have in common. */
#ifndef SHIM_NETWORK_H
#define SHIM_NETWORK_H

#include "Client.h"
#include "Udp.h"

#if defined(ARDUINO_ARCH_ESP8266)
typedef enum {
    WL_IDLE_STATUS = 0,
    WL_NO_SSID_AVAIL = 1,
    WL_CONNECTED = 3,
    WL_CONNECT_FAILED = 4,
    WL_WRONG_PASSWORD = 6,
    WL_DISCONNECTED = 7
} wl_status_t;
#else
typedef enum { WL_IDLE_STATUS = 0, WL_NO_SSID_AVAIL = 1, WL_CONNECTED = 3, WL_CONNECT_FAILED = 4, WL_DISCONNECTED = 6 } wl_status_t;
#endif
typedef enum { WIFI_OFF = 0, WIFI_STA = 1 } WiFiMode_t;

/** TCP that goes to the server of the test, whatever address is asked for. */
class ShimClient : public Client {
  public:
    ~ShimClient() override;
    int connect(IPAddress address, uint16_t port) override;
    int connect(const char *host, uint16_t port) override;
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *bytes, size_t size) override;
    using Print::write;
    int available() override;
    int read() override;
    int read(uint8_t *bytes, size_t size) override;
    int peek() override
    {
        return -1;
    }
    void flush() override
    {
    }
    void stop() override;
    uint8_t connected() override;
    operator bool() override
    {
        return connected();
    }
    int setNoDelay(bool);

  protected:
    int connectWithin(unsigned long ms);
    int file_ = -1;
};

class WiFiUDP : public UDP {
  public:
    ~WiFiUDP() override;
    uint8_t begin(uint16_t port) override;
    void stop() override;
    int beginPacket(IPAddress address, uint16_t port) override;
    size_t write(uint8_t byte) override;
    size_t write(const uint8_t *bytes, size_t size) override;
    using Print::write;
    int endPacket() override;
    int parsePacket() override;
    int available() override;
    int read() override;
    int read(unsigned char *bytes, size_t size) override;
    int read(char *bytes, size_t size)
    {
        return read((unsigned char *)bytes, size);
    }
    int peek() override
    {
        return -1;
    }
    IPAddress remoteIP() override
    {
        return address_;
    }
    uint16_t remotePort() override
    {
        return port_;
    }

  private:
    int file_ = -1;
    /** Asked for, and told as where datagrams come from: the network of the test translates. */
    IPAddress address_;
    uint16_t port_ = 0;
    uint8_t output_[1472];
    size_t outputLength_ = 0;
    uint8_t input_[1472];
    size_t inputStart_ = 0;
    size_t inputEnd_ = 0;
};

class ShimWiFi {
  public:
    int begin(const char *ssid, const char *password = nullptr);
    wl_status_t status();
    bool lookUp(const char *host, IPAddress &address);
    uint8_t *macAddress(uint8_t *mac);
    IPAddress localIP();
};

#endif
