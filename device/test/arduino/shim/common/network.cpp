/** Wi-Fi and its sockets: everything goes to one server of this machine. */
#include "Shim.h"

#include "Arduino.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(ARDUINO_ARCH_ESP8266)
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif

bool shimAir = true;
ShimPeer *shimPeer = nullptr;
unsigned shimJoins = 0;
uint16_t shimServer = 0;

/** Joining takes this long. Milliseconds. */
static const unsigned long JOIN_TIME = 50;

static bool joining = false;
static bool refused = false;
static bool absent = false;
static unsigned long joinedAt = 0;
static bool wasUp = false;

bool shimIsReadable(int file)
{
    pollfd one = {file, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
}

static sockaddr_in placeOf(uint16_t port)
{
    sockaddr_in place = {};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place.sin_port = htons(port);
    return place;
}

int shimConnectLine()
{
    const char *port = getenv("SHIM_LINE");
    if (port == nullptr) return -1;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place = placeOf((uint16_t)atoi(port));
    int on = 1;
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(file, (sockaddr *)&place, sizeof place) == 0) return file;
    close(file);
    return -1;
}

bool IPAddress::fromString(const char *text)
{
    in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) return false;
    memcpy(bytes_, &address, sizeof bytes_);
    return true;
}

/* ── TCP ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

ShimClient::~ShimClient()
{
    if (file_ >= 0) close(file_);
}

int ShimClient::connect(IPAddress, uint16_t)
{
    return connectWithin(5000);
}

int ShimClient::connect(const char *, uint16_t)
{
    return connectWithin(5000);
}

int ShimClient::connectWithin(unsigned long ms)
{
    if (shimPeer != nullptr) return shimPeer->connect(ms);
    stop();
    if (!shimAir) {
        delay(ms);
        return 0;
    }
    file_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in place = placeOf(shimServer);
    int error = 0;
    socklen_t size = sizeof error;
    if (::connect(file_, (sockaddr *)&place, sizeof place) != 0) {
        pollfd one = {file_, POLLOUT, 0};
        bool ready = errno == EINPROGRESS && poll(&one, 1, (int)ms) == 1;
        if (!ready || getsockopt(file_, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            stop();
            return 0;
        }
    }
    return 1;
}

int ShimClient::setNoDelay(bool on)
{
    if (shimPeer != nullptr) return 0;
    int value = on;
    return setsockopt(file_, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
}

void ShimClient::stop()
{
    if (shimPeer != nullptr) shimPeer->stop();
    if (file_ >= 0) close(file_);
    file_ = -1;
}

size_t ShimClient::write(uint8_t byte)
{
    return write(&byte, 1);
}

size_t ShimClient::write(const uint8_t *bytes, size_t size)
{
    if (shimPeer != nullptr) return shimPeer->send(bytes, size);
    if (file_ < 0 || !shimAir) return 0;
    ssize_t count = send(file_, bytes, size, MSG_NOSIGNAL);
    return count > 0 ? (size_t)count : 0;
}

int ShimClient::available()
{
    if (shimPeer != nullptr) return (int)shimPeer->available();
    int count = 0;
    if (file_ < 0 || !shimAir || ioctl(file_, FIONREAD, &count) != 0) return 0;
    return count;
}

int ShimClient::read()
{
    uint8_t byte;
    return read(&byte, 1) == 1 ? byte : -1;
}

int ShimClient::read(uint8_t *bytes, size_t size)
{
    if (available() == 0) return -1;
    if (shimPeer != nullptr) return (int)shimPeer->receive(bytes, size);
    return (int)recv(file_, bytes, size, MSG_DONTWAIT);
}

uint8_t ShimClient::connected()
{
    if (shimPeer != nullptr) return shimPeer->isOpen();
    if (file_ < 0) return 0;
    if (!shimAir) return 1;
    char byte;
    ssize_t count = recv(file_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

/* ── UDP ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

WiFiUDP::~WiFiUDP()
{
    WiFiUDP::stop();
}

uint8_t WiFiUDP::begin(uint16_t)
{
    stop();
    file_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return file_ >= 0;
}

void WiFiUDP::stop()
{
    if (file_ >= 0) close(file_);
    file_ = -1;
    inputStart_ = inputEnd_ = 0;
}

int WiFiUDP::beginPacket(IPAddress address, uint16_t port)
{
    address_ = address;
    port_ = port;
    outputLength_ = 0;
    return 1;
}

size_t WiFiUDP::write(uint8_t byte)
{
    return write(&byte, 1);
}

size_t WiFiUDP::write(const uint8_t *bytes, size_t size)
{
    if (size > sizeof output_ - outputLength_) return 0;
    memcpy(output_ + outputLength_, bytes, size);
    outputLength_ += size;
    return size;
}

int WiFiUDP::endPacket()
{
    sockaddr_in place = placeOf(shimServer);
    if (!shimAir) return 0;
    return sendto(file_, output_, outputLength_, 0, (sockaddr *)&place, sizeof place) >= 0;
}

int WiFiUDP::parsePacket()
{
    inputStart_ = inputEnd_ = 0;
    if (file_ < 0 || !shimAir) return 0;
    ssize_t count = recv(file_, input_, sizeof input_, MSG_DONTWAIT);
    if (count <= 0) return 0;
    inputEnd_ = (size_t)count;
    return (int)count;
}

int WiFiUDP::available()
{
    return (int)(inputEnd_ - inputStart_);
}

int WiFiUDP::read()
{
    return inputStart_ < inputEnd_ ? input_[inputStart_++] : -1;
}

int WiFiUDP::read(unsigned char *bytes, size_t size)
{
    size_t count = inputEnd_ - inputStart_;
    if (count > size) count = size;
    memcpy(bytes, input_ + inputStart_, count);
    inputStart_ += count;
    return (int)count;
}

void shimForgetWifi()
{
    joining = wasUp = false;
    shimJoins = 0;
}

/* ── Wi-Fi ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

int ShimWiFi::begin(const char *ssid, const char *password)
{
    joining = true;
    shimJoins++;
    absent = strcmp(ssid, "nowhere") == 0;
    refused = password != nullptr && strcmp(password, "wrong") == 0;
    joinedAt = millis() + JOIN_TIME;
    return status();
}

/** Joins again by itself when the air is back, as the cores do. */
wl_status_t ShimWiFi::status()
{
    if (!joining) return WL_IDLE_STATUS;
    if (absent) return WL_NO_SSID_AVAIL;
#if defined(ARDUINO_ARCH_ESP8266)
    if (refused) return WL_WRONG_PASSWORD;
#endif
    if (refused) return WL_CONNECT_FAILED;
    if (!shimAir) {
        wasUp = false;
        return WL_DISCONNECTED;
    }
    if (!wasUp) joinedAt = millis() + JOIN_TIME;
    wasUp = true;
    return (int32_t)(millis() - joinedAt) >= 0 ? WL_CONNECTED : WL_DISCONNECTED;
}

bool ShimWiFi::lookUp(const char *host, IPAddress &address)
{
    if (strcmp(host, "usmp.example") != 0) return false;
    address = IPAddress(192, 0, 2, 7);
    return true;
}

uint8_t *ShimWiFi::macAddress(uint8_t *mac)
{
    memcpy(mac, "\x24\x6f\x28\xaa\xbb\xcc", 6);
    return mac;
}

IPAddress ShimWiFi::localIP()
{
    return IPAddress(127, 0, 0, 1);
}

#if defined(ARDUINO_ARCH_ESP32)

#include <Preferences.h>
#include <lwip/sockets.h>

WiFiClass WiFi;

int WiFiClient::connect(IPAddress, uint16_t, int32_t timeout)
{
    return connectWithin((unsigned long)timeout);
}

extern "C" long lwip_send(int file, const void *bytes, size_t length, int)
{
    if (shimPeer != nullptr) return (long)shimPeer->send((const uint8_t *)bytes, length);
    if (!shimAir) return -1;
    return send(file, bytes, length, 0x40 /* MSG_DONTWAIT of this machine */ | MSG_NOSIGNAL);
}

bool WiFiClass::mode(WiFiMode_t)
{
    return true;
}

bool WiFiClass::setAutoReconnect(bool)
{
    return true;
}

bool WiFiClass::disconnect(bool, bool)
{
    joining = false;
    return true;
}

int WiFiClass::hostByName(const char *host, IPAddress &address)
{
    return lookUp(host, address);
}

/* One value is enough. In the file that SHIM_NVS names it outlives the program. */
static uint8_t stored[256];
static size_t storedLength = 0;

static FILE *openStored(const char *mode)
{
    const char *path = getenv("SHIM_NVS");
    return path == nullptr ? nullptr : fopen(path, mode);
}

bool Preferences::begin(const char *, bool readOnly, const char *)
{
    FILE *file = openStored("rb");
    if (file != nullptr) {
        storedLength = fread(stored, 1, sizeof stored, file);
        fclose(file);
    }
    open_ = true;
    readOnly_ = readOnly;
    return !readOnly || storedLength > 0;
}

void Preferences::end()
{
    open_ = false;
}

bool Preferences::remove(const char *)
{
    storedLength = 0;
    return true;
}

size_t Preferences::putBytes(const char *, const void *value, size_t length)
{
    if (!open_ || readOnly_ || length > sizeof stored) return 0;
    memcpy(stored, value, length);
    storedLength = length;
    FILE *file = openStored("wb");
    if (file != nullptr) {
        fwrite(stored, 1, length, file);
        fclose(file);
    }
    return length;
}

size_t Preferences::getBytes(const char *, void *buffer, size_t size)
{
    if (!open_ || storedLength > size) return 0;
    memcpy(buffer, stored, storedLength);
    return storedLength;
}

size_t Preferences::getBytesLength(const char *)
{
    return open_ ? storedLength : 0;
}

#else

#include <EEPROM.h>

int WiFiClient::availableForWrite()
{
    return file_ >= 0 ? 1460 : 0;
}

bool WiFiClient::stop(unsigned int)
{
    ShimClient::stop();
    return true;
}

EEPROMClass EEPROM;

void EEPROMClass::begin(size_t size)
{
    if (size_ == 0) memset(bytes_, 0xFF, sizeof bytes_);
    size_ = size;
}

uint8_t EEPROMClass::read(int address)
{
    return bytes_[address];
}

void EEPROMClass::write(int address, uint8_t value)
{
    bytes_[address] = value;
}

bool EEPROMClass::commit()
{
    return true;
}

bool EEPROMClass::end()
{
    return commit();
}

#if defined(ARDUINO_ARCH_ESP8266)

ESP8266WiFiClass WiFi;

bool ESP8266WiFiClass::mode(WiFiMode_t)
{
    return true;
}

bool ESP8266WiFiClass::setAutoReconnect(bool)
{
    return true;
}

bool ESP8266WiFiClass::disconnect(bool)
{
    joining = false;
    return true;
}

int ESP8266WiFiClass::hostByName(const char *host, IPAddress &address, uint32_t)
{
    return lookUp(host, address);
}

#else

WiFiClass WiFi;

void WiFiClass::mode(WiFiMode_t)
{
}

int WiFiClass::begin(const char *ssid, const char *password, const uint8_t *)
{
    return ShimWiFi::begin(ssid, password);
}

int WiFiClass::begin(const char *ssid)
{
    return begin(ssid, nullptr);
}

uint8_t WiFiClass::status()
{
    return ShimWiFi::status();
}

int WiFiClass::disconnect(bool)
{
    joining = false;
    return WL_DISCONNECTED;
}

int WiFiClass::hostByName(const char *host, IPAddress &address, int)
{
    return lookUp(host, address);
}

#endif
#endif
