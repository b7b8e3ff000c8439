/** As in the core for RP2040 of Earle Philhower. */
#ifndef SHIM_WIFI_H
#define SHIM_WIFI_H

#include "Arduino.h"
#include "ShimNetwork.h"

class WiFiClient : public ShimClient {
  public:
    int connect(IPAddress address, uint16_t port) override
    {
        (void)address;
        (void)port;
        return connectWithin(_timeout);
    }
    int connect(const char *host, uint16_t port) override
    {
        return ShimClient::connect(host, port);
    }
    int availableForWrite() override;
    bool stop(unsigned int maxWaitMs);
    void stop() override
    {
        (void)stop(0);
    }
};

class WiFiClass : private ShimWiFi {
  public:
    void mode(WiFiMode_t mode);
    int begin(const char *ssid, const char *password, const uint8_t *bssid = nullptr);
    int begin(const char *ssid);
    uint8_t status();
    int disconnect(bool wifi_off = false);
    int hostByName(const char *host, IPAddress &address, int timeout_ms = 10000);
};
extern WiFiClass WiFi;

#endif
