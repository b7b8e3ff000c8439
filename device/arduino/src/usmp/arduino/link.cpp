#include "usmp/config.h"

#include "usmp/arduino/link.h"

#if defined(ARDUINO_ARCH_ESP32) && USMP_WIFI_BOARD
#include <lwip/sockets.h>
#endif

namespace USMP {

void Link::use(const Transport &transport)
{
    close();
    transport_ = transport;
    obstacle_ = Obstacle::None;
    tellsRoom_ = false;
}

/* ── Wi-Fi ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool Link::joins() const
{
    return Config::hasWifi && transport_.ssid_ != nullptr;
}

void Link::beginNetwork(uint32_t now)
{
    networkSince_ = now;
#if USMP_WIFI_BOARD
    if (!joins() || WiFi.status() == WL_CONNECTED) return;
    /* Before `begin`: with it the core of the RP2040 does not wait for the network there. */
    WiFi.mode(WIFI_STA);
#if !defined(ARDUINO_ARCH_RP2040)
    WiFi.setAutoReconnect(true);
#endif
    if (transport_.password_ != nullptr) WiFi.begin(transport_.ssid_, transport_.password_);
    else WiFi.begin(transport_.ssid_);
#endif
}

bool Link::networkIsUp(uint32_t now)
{
    if (!wifiIsUp(now)) return false;
    if (isOurs() || transport_.client_->connected() != 0) return true;
    obstacle_ = Obstacle::NotConnected;
    return false;
}

#if USMP_WIFI_BOARD
/** The core of the ESP8266 tells a wrong password from other reasons. */
static bool isRefusal(int status)
{
#if defined(ARDUINO_ARCH_ESP8266)
    if (status == WL_WRONG_PASSWORD) return true;
#endif
    return status == WL_CONNECT_FAILED;
}
#endif

bool Link::wifiIsUp(uint32_t now)
{
    if (!joins()) return true;
#if USMP_WIFI_BOARD
    auto status = WiFi.status();
    if (status == WL_CONNECTED) {
        networkSince_ = now;
        return true;
    }
    if (status == WL_NO_SSID_AVAIL) obstacle_ = Obstacle::NoSuchWifi;
    else obstacle_ = isRefusal(status) ? Obstacle::WifiRefused : Obstacle::NoWifi;
    if (now - networkSince_ >= Config::wifiPatience) {
        WiFi.disconnect();
        beginNetwork(now);
    }
#else
    (void)now;
#endif
    return false;
}

/* ── Open and close ──────────────────────────────────────────────────────────────────────────────────────────────── */

Client *Link::client()
{
#if USMP_WIFI_BOARD
    if (transport_.kind_ == Kind::TCP) return &network_.tcp;
#endif
    return transport_.kind_ == Kind::Over ? transport_.client_ : nullptr;
}

bool Link::open()
{
    obstacle_ = Obstacle::None;
    switch (transport_.kind_) {
    case Kind::TCP: open_ = openTCP(); break;
    case Kind::UDP: open_ = openUDP(); break;
    case Kind::Over: open_ = openClient(); break;
    case Kind::UART: open_ = true; break;
    default: open_ = false; break;
    }
    if (!open_ && obstacle_ == Obstacle::None) obstacle_ = Obstacle::NotReachable;
    return open_;
}

bool Link::findServer()
{
    server_ = transport_.address_;
    if (transport_.host_ == nullptr || server_.fromString(transport_.host_)) return true;
    bool found = false;
#if defined(ARDUINO_ARCH_ESP32) && USMP_WIFI_BOARD
    found = WiFi.hostByName(transport_.host_, server_) == 1;
#elif USMP_WIFI_BOARD
    found = WiFi.hostByName(transport_.host_, server_, Config::connectTimeout) == 1;
#endif
    if (!found) obstacle_ = Obstacle::NoSuchHost;
    return found;
}

bool Link::openTCP()
{
#if USMP_WIFI_BOARD
    if (!findServer()) return false;
#if defined(ARDUINO_ARCH_ESP32)
    if (network_.tcp.connect(server_, transport_.port_, Config::connectTimeout) != 1) return false;
#else
    network_.tcp.setTimeout(Config::connectTimeout);
    if (network_.tcp.connect(server_, transport_.port_) != 1) return false;
#endif
    /* A message goes at once. */
    network_.tcp.setNoDelay(true);
    return true;
#else
    return false;
#endif
}

bool Link::openUDP()
{
#if USMP_WIFI_BOARD
    return findServer() && network_.udp.begin(0) == 1;
#else
    return false;
#endif
}

bool Link::openClient()
{
    Client &client = *transport_.client_;
    if (client.connected() || !isOurs()) return client.connected() != 0;
    /* Takes what the connection before has left in its buffers. */
    client.stop();
    if (transport_.host_ != nullptr) return client.connect(transport_.host_, transport_.port_) == 1;
    return client.connect(transport_.address_, transport_.port_) == 1;
}

bool Link::isOpen()
{
    if (!open_) return false;
#if USMP_WIFI_BOARD
    if (joins() && WiFi.status() != WL_CONNECTED) return false;
#endif
    Client *client = this->client();
    return client == nullptr || client->connected() != 0 || client->available() > 0;
}

void Link::close()
{
    if (!open_) return;
    open_ = false;
#if USMP_WIFI_BOARD
    if (isDatagram()) network_.udp.stop();
#endif
    Client *client = this->client();
    if (client == nullptr) return;
#if USMP_WIFI_BOARD && !defined(ARDUINO_ARCH_ESP32)
    /* These wait until all has been acknowledged, 0.3 s unless told otherwise. */
    if (transport_.kind_ == Kind::TCP) {
        network_.tcp.stop(1);
        return;
    }
#endif
    client->stop();
}

/* ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t Link::read(uint8_t *bytes, size_t room)
{
    if (!open_) return 0;
    if (isDatagram()) return readDatagram(bytes, room);
    Client *client = this->client();
    if (client == nullptr) return readStream(*transport_.stream_, bytes, room);
    int available = client->available();
    if (available <= 0) return 0;
    int count = client->read(bytes, (size_t)available < room ? (size_t)available : room);
    return count > 0 ? (size_t)count : 0;
}

/** `readBytes` would wait for what has not come. */
size_t Link::readStream(Stream &stream, uint8_t *bytes, size_t room)
{
    size_t count = 0;
    while (count < room && stream.available() > 0) {
        int next = stream.read();
        if (next < 0) break;
        bytes[count++] = (uint8_t)next;
    }
    return count;
}

size_t Link::readDatagram(uint8_t *bytes, size_t room)
{
#if USMP_WIFI_BOARD
    WiFiUDP &udp = network_.udp;
    int size = udp.parsePacket();
    if (size <= 0) return 0;
    bool ours = (size_t)size <= room && udp.remoteIP() == server_ && udp.remotePort() == transport_.port_;
    int count = ours ? udp.read(bytes, room) : 0;
    /* What is not ours is thrown away: some cores go on to the next datagram only then. */
    while (count != size && udp.available() > 0) (void)udp.read();
    return count == size ? (size_t)count : 0;
#else
    (void)bytes;
    (void)room;
    return 0;
#endif
}

size_t Link::write(const uint8_t *bytes, size_t length)
{
    if (!open_) return 0;
    if (isDatagram()) {
        writeDatagram(bytes, length);
        return length;
    }
    if (transport_.kind_ == Kind::TCP) return writeTCP(bytes, length);
    if (transport_.kind_ == Kind::UART) return writeStream(*transport_.stream_, bytes, length);
    return transport_.client_->write(bytes, length);
}

size_t Link::writeTCP(const uint8_t *bytes, size_t length)
{
#if defined(ARDUINO_ARCH_ESP32) && USMP_WIFI_BOARD
    /* `WiFiClient::write` waits up to 10 s for a peer that takes nothing. */
    int count = (int)lwip_send(network_.tcp.fd(), bytes, length, MSG_DONTWAIT);
    return count > 0 ? (size_t)count : 0;
#elif USMP_WIFI_BOARD
    size_t room = (size_t)network_.tcp.availableForWrite();
    if (room == 0) return 0;
    return network_.tcp.write(bytes, length < room ? length : room);
#else
    (void)bytes;
    (void)length;
    return 0;
#endif
}

/** Streams that cannot say how much they take get a byte, which may block for as long as it takes on the line. */
size_t Link::writeStream(Stream &stream, const uint8_t *bytes, size_t length)
{
    int room = stream.availableForWrite();
    if (room > 0) tellsRoom_ = true;
    else if (tellsRoom_) return 0;
    size_t count = room > 0 ? (size_t)room : 1;
    return stream.write(bytes, count < length ? count : length);
}

void Link::writeDatagram(const uint8_t *bytes, size_t length)
{
#if USMP_WIFI_BOARD
    /* One that could not be sent is repeated like one that was lost. */
    if (network_.udp.beginPacket(server_, transport_.port_) != 1) return;
    network_.udp.write(bytes, length);
    (void)network_.udp.endPacket();
#else
    (void)bytes;
    (void)length;
#endif
}

} // namespace USMP
