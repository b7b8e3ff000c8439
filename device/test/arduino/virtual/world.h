/**
 * A world in virtual time for tests of the Arduino library: a server that is the core's own, in the same program, behind a network that
 * can break in all ways. Time goes on only in `World::step`, and where the library waits.
 */
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include <Arduino.h>
#include <Client.h>

#include "Shim.h"
#include "usmp/usmp.h"

/** The far end of one connection at a time, as a TCP server that lives forever would be. */
class Server : public ShimPeer {
  public:
    Server();
    ~Server() override;

    /* What the test does to it. */
    std::string key = "your-psk-here-16+";
    /** Whether connections are accepted. Else they are refused at once, or with `isSilent` after the time-out. */
    bool isUp = true;
    bool isSilent = false;
    /** Echoes each message. */
    bool echoes = false;
    /** Takes nothing of what comes, and sends nothing. */
    bool isStuck = false;
    /** Bytes get lost on the way, in both directions, without a word. */
    bool isCut = false;

    /** Ends the connection as a system that reboots does: without BYE. */
    void breakOff();
    /** Ends it in good order. */
    void sayBye();
    bool send(const std::string &message);
    bool isConnected() const;

    /* What has happened. */
    std::vector<std::string> received;
    std::string sessionId;
    std::string deviceId;
    unsigned sessions = 0;
    unsigned rekeys = 0;
    unsigned byes = 0;
    unsigned connects = 0;
    std::vector<usmp_error_t> ends;
    std::vector<uint32_t> connectedAt;
    /** Of each attempt to connect, whether it worked or not. */
    std::vector<uint32_t> attemptedAt;

    void step();

    bool connect(unsigned long ms) override;
    size_t send(const uint8_t *bytes, size_t length) override;
    size_t receive(uint8_t *bytes, size_t room) override;
    size_t available() override;
    bool isOpen() override;
    void stop() override;

  private:
    void take(const usmp_event_t &event);
    void drain();

    usmp_t usmp_ = {};
    usmp_settings_t settings_ = {};
    uint8_t decoy_[32] = {7};
    std::string keyInUse_;
    usmp_key_t handed_ = {};
    bool open_ = false;
    /** As far as the client knows, it is open. */
    bool isKnown_ = false;
    std::deque<uint8_t> toServer_;
    std::deque<uint8_t> toClient_;
    std::deque<std::string> waiting_;
};

/** Counts the slow things: X25519 of the client, attempts to connect. */
struct Slow {
    unsigned computed = 0;
    unsigned connected = 0;
};
extern Slow slow;

/** While the server works, its X25519 does not count, and takes no time. */
extern bool isServerAtWork;

/** How long one X25519 of the client takes. Microseconds. */
extern uint32_t x25519Time;

/* ── TAP ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void test(const char *promise, const std::function<void()> &run);
void check(bool condition, const char *text, const char *file, int line);
int finish();

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
