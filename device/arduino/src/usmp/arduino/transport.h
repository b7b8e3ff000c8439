/** What `USMPClient::begin` takes: over what a client talks. Part of `USMP.h`. */
#pragma once

#include <Arduino.h>
#include <Client.h>
#include <IPAddress.h>

#include "usmp/arduino/board.h"

class USMPClient;

namespace USMP {

class Link;

/**
 * Over what a client talks; made by TCP, UDP, UART and Over, and handed to `begin`. Texts are not copied: they stay where they are,
 * as text in quotes does.
 */
class Transport {
  protected:
    enum class Kind : uint8_t { None, TCP, UDP, UART, Over };

    Transport() = default;
    explicit Transport(Kind kind) : kind_(kind)
    {
    }

    Kind kind_ = Kind::None;
    union {
        Stream *stream_ = nullptr;
        Client *client_;
    };
    const char *host_ = nullptr;
    IPAddress address_;
    uint16_t port_ = 0;
    const char *ssid_ = nullptr;
    const char *password_ = nullptr;

    friend class Link;
    friend class ::USMPClient;
};

/** Where the server is, on a network. */
class NetworkTransport : public Transport {
  protected:
    NetworkTransport(Kind kind, const char *host, uint16_t port) : Transport(kind)
    {
        host_ = host;
        port_ = port;
    }
    NetworkTransport(Kind kind, IPAddress address, uint16_t port) : Transport(kind)
    {
        address_ = address;
        port_ = port;
    }
};

template <bool AVAILABLE> class TCPTransport : public NetworkTransport {
  public:
    /**
     * @param host a name, or an address such as "192.168.1.100". With an address nothing has to be looked up, which blocks for
     *        seconds where the network is bad
     */
    explicit TCPTransport(const char *host, uint16_t port = 9000) : NetworkTransport(Kind::TCP, host, port)
    {
    }
    explicit TCPTransport(IPAddress address, uint16_t port = 9000) : NetworkTransport(Kind::TCP, address, port)
    {
    }

    /**
     * Lets the library join this Wi-Fi network, and join it again when it was lost. Without it the network is the sketch's own
     * affair: Wi-Fi that it begins itself, or the Ethernet of an ESP32.
     *
     * @param password null for an open network
     */
    TCPTransport &wifi(const char *ssid, const char *password = nullptr)
    {
        ssid_ = ssid;
        password_ = password;
        return *this;
    }
};

/** For boards without Wi-Fi: says so when it is used. */
template <> class TCPTransport<false> : public Transport {
  public:
    template <typename Host> explicit TCPTransport(Host, uint16_t = 9000)
    {
        static_assert(sizeof(Host) == 0, "this board has no Wi-Fi that the library knows: use USMP::UART(Serial1), or "
                                         "USMP::Over(client, host) with the client of your network library");
    }
    TCPTransport &wifi(const char *, const char * = nullptr)
    {
        return *this;
    }
};

template <bool AVAILABLE> class UDPTransport : public NetworkTransport {
  public:
    /** @param host as of TCP */
    explicit UDPTransport(const char *host, uint16_t port = 9000) : NetworkTransport(Kind::UDP, host, port)
    {
    }
    explicit UDPTransport(IPAddress address, uint16_t port = 9000) : NetworkTransport(Kind::UDP, address, port)
    {
    }

    /** As of TCP. */
    UDPTransport &wifi(const char *ssid, const char *password = nullptr)
    {
        ssid_ = ssid;
        password_ = password;
        return *this;
    }
};

template <> class UDPTransport<false> : public Transport {
  public:
    template <typename Host> explicit UDPTransport(Host, uint16_t = 9000)
    {
        static_assert(sizeof(Host) == 0, "this board has no Wi-Fi that the library knows, or USMP_DATAGRAM is 0: UDP is not there");
    }
    UDPTransport &wifi(const char *, const char * = nullptr)
    {
        return *this;
    }
};

/** TCP over Wi-Fi: `USMP::TCP("192.168.1.100").wifi("SSID", "password")`. Port 9000 unless told otherwise. */
using TCP = TCPTransport<Config::hasWifi && Config::hasStreams>;

/** UDP over Wi-Fi: less to send, and nothing to keep open: for sensors that sleep. Port 9000 unless told otherwise. */
using UDP = UDPTransport<Config::hasWifi && Config::hasDatagrams>;

/**
 * A serial line to the server: `USMP::UART(Serial1)`. The sketch has called `Serial1.begin(115200)`; the line belongs to the
 * library from then on, so not the one that the sketch prints to.
 */
class UART : public Transport {
  public:
    explicit UART(Stream &line) : Transport(Kind::UART)
    {
        static_assert(Config::hasSerial, "USMP_SERIAL is 0: serial lines are not compiled in");
        stream_ = &line;
    }
};

template <bool AVAILABLE> class OverTransport : public NetworkTransport {
  public:
    /**
     * A client that the sketch connects itself: each time that it is connected, a session begins on it. The library stops it
     * when the session is over.
     */
    explicit OverTransport(Client &client) : NetworkTransport(Kind::Over, (const char *)nullptr, 0)
    {
        client_ = &client;
    }
    /** A client that the library connects, again and again. How long that may block is up to the client's own time-out. */
    OverTransport(Client &client, const char *host, uint16_t port = 9000) : NetworkTransport(Kind::Over, host, port)
    {
        client_ = &client;
    }
    OverTransport(Client &client, IPAddress address, uint16_t port = 9000) : NetworkTransport(Kind::Over, address, port)
    {
        client_ = &client;
    }

    /** As of TCP, for a client that uses the Wi-Fi of the board, such as WiFiClientSecure. */
    template <typename Text> OverTransport &wifi(Text ssid, const char *password = nullptr)
    {
        static_assert(Config::hasWifi || sizeof(Text) == 0, "this board has no Wi-Fi that the library knows: the sketch joins it");
        ssid_ = ssid;
        password_ = password;
        return *this;
    }
};

template <> class OverTransport<false> : public Transport {
  public:
    template <typename Any, typename... Rest> explicit OverTransport(Any &, Rest...)
    {
        static_assert(sizeof(Any) == 0, "USMP_STREAM is 0: streams are not compiled in");
    }
};

/** TCP by another library, such as Ethernet or TinyGSM: `USMP::Over(ethernetClient, "192.168.1.100")`. */
using Over = OverTransport<Config::hasStreams>;

} // namespace USMP
