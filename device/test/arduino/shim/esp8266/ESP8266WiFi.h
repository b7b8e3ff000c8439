/** As in the core for ESP8266, 3.x. */
#ifndef SHIM_ESP8266WIFI_H
#define SHIM_ESP8266WIFI_H

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

class ESP8266WiFiClass : public ShimWiFi {
  public:
    bool mode(WiFiMode_t mode);
    bool setAutoReconnect(bool on);
    bool disconnect(bool wifioff = false);
    int hostByName(const char *host, IPAddress &address, uint32_t timeout_ms);
};
extern ESP8266WiFiClass WiFi;

#endif
