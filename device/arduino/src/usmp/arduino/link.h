/** What carries the bytes: the four transports under one roof. Inside of the library. */
#pragma once

#include "usmp/arduino/transport.h"

namespace USMP {

/** Why there is no connection, as far as that is known. */
enum class Obstacle : uint8_t { None, NoWifi, NoSuchWifi, WifiRefused, NoSuchHost, NotReachable, NotConnected };

/** Nothing here blocks but where it is said. */
class Link {
  public:
    void use(const Transport &transport);

    /** Begins to join the Wi-Fi network, where that is wanted. Takes up to 0.3 s the first time: the radio is switched on. */
    void beginNetwork(uint32_t now);

    /** Whether a connection can be tried; looks after Wi-Fi meanwhile. */
    bool networkIsUp(uint32_t now);

    /**
     * Connects. Blocks for up to USMP_CONNECT_TIMEOUT, and as long again where a name has to be looked up; for as long as the
     * client of the sketch does.
     */
    bool open();

    /** Whether bytes can still come. */
    bool isOpen();

    /** @return how many bytes came, of a datagram all of them; 0 for none */
    size_t read(uint8_t *bytes, size_t room);

    /** @return how many bytes were taken, of a datagram all of them */
    size_t write(const uint8_t *bytes, size_t length);

    /** Serial lines stay open. */
    void close();

    Obstacle obstacle() const
    {
        return obstacle_;
    }
    bool isDatagram() const
    {
        return transport_.kind_ == Transport::Kind::UDP;
    }
    bool isSerial() const
    {
        return transport_.kind_ == Transport::Kind::UART;
    }
    /** Whether the library says when to connect; else the sketch does. */
    bool isOurs() const
    {
        return transport_.kind_ != Transport::Kind::Over || transport_.port_ != 0;
    }

  private:
    using Kind = Transport::Kind;

    Client *client();
    bool joins() const;
    bool wifiIsUp(uint32_t now);
    bool findServer();
    bool openTCP();
    bool openUDP();
    bool openClient();
    size_t readStream(Stream &stream, uint8_t *bytes, size_t room);
    size_t readDatagram(uint8_t *bytes, size_t room);
    size_t writeStream(Stream &stream, const uint8_t *bytes, size_t length);
    size_t writeTCP(const uint8_t *bytes, size_t length);
    void writeDatagram(const uint8_t *bytes, size_t length);

    Transport transport_;
    Network network_;
    IPAddress server_;
    uint32_t networkSince_ = 0;
    Obstacle obstacle_ = Obstacle::None;
    bool open_ = false;
    /** The stream says how much it can take, so 0 means that it is full. */
    bool tellsRoom_ = false;
};

} // namespace USMP
