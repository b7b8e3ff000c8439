/** As in the core for ESP32, 2.x and 3.x. */
#ifndef SHIM_WIFI_H
#define SHIM_WIFI_H

#include "Arduino.h"
#include "ShimNetwork.h"

class WiFiClient : public ShimClient {
  public:
    using ShimClient::connect;
    int connect(IPAddress address, uint16_t port, int32_t timeout);
    /** Here the time-out of a stream would not be the one of connecting. */
    int fd() const
    {
        return file_;
    }
};

class WiFiClass : public ShimWiFi {
  public:
    bool mode(WiFiMode_t mode);
    bool setAutoReconnect(bool on);
    bool disconnect(bool wifioff = false, bool eraseap = false);
    int hostByName(const char *host, IPAddress &address);
};
extern WiFiClass WiFi;

#endif
