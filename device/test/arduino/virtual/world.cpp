#include "world.h"

#include <stdio.h>

bool isServerAtWork = false;
uint32_t x25519Time = 0;
Slow slow;

extern "C" bool __real_usmp_crypto_x25519_public_key(uint8_t *, const uint8_t *);
extern "C" bool __real_usmp_crypto_x25519_agree(uint8_t *, const uint8_t *, const uint8_t *, bool *);

static void passTime()
{
    if (isServerAtWork) return;
    slow.computed++;
    shimNow += x25519Time;
}

extern "C" bool __wrap_usmp_crypto_x25519_public_key(uint8_t *out, const uint8_t *key)
{
    passTime();
    return __real_usmp_crypto_x25519_public_key(out, key);
}

extern "C" bool __wrap_usmp_crypto_x25519_agree(uint8_t *secret, const uint8_t *key, const uint8_t *peer, bool *low)
{
    passTime();
    return __real_usmp_crypto_x25519_agree(secret, key, peer, low);
}

static std::string hex(const uint8_t *bytes, size_t length)
{
    std::string text;
    char digits[3];
    for (size_t i = 0; i < length; i++) {
        snprintf(digits, sizeof digits, "%02x", bytes[i]);
        text += digits;
    }
    return text;
}

/* ── Server ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

Server::Server()
{
    shimPeer = this;
}

Server::~Server()
{
    usmp_wipe(&usmp_);
    shimPeer = nullptr;
}

bool Server::connect(unsigned long ms)
{
    slow.connected++;
    attemptedAt.push_back((uint32_t)millis());
    stop();
    if (!isUp || isCut || !shimAir) {
        if (isSilent || isCut || !shimAir) delay(ms);
        return false;
    }
    settings_ = usmp_settings_t();
    settings_.transport = USMP_TRANSPORT_STREAM;
    settings_.decoy_key = decoy_;
    if (usmp_accept(&usmp_, &settings_, (uint32_t)millis()) != USMP_OK) return false;
    toServer_.clear();
    toClient_.clear();
    waiting_.clear();
    connects++;
    connectedAt.push_back((uint32_t)millis());
    open_ = isKnown_ = true;
    return true;
}

void Server::breakOff()
{
    open_ = false;
    toServer_.clear();
    usmp_handle_end(&usmp_);
    drain();
}

void Server::sayBye()
{
    usmp_close(&usmp_, (uint32_t)millis());
    step();
}

bool Server::isConnected() const
{
    return open_ && usmp_state(&usmp_) == USMP_STATE_OPEN;
}

bool Server::send(const std::string &message)
{
    if (!isConnected()) return false;
    waiting_.push_back(message);
    return true;
}

void Server::take(const usmp_event_t &event)
{
    std::string text;
    switch (event.type) {
    case USMP_EVENT_KEYS_WANTED:
        deviceId = hex(event.data, event.length);
        keyInUse_ = key;
        handed_.bytes = (const uint8_t *)keyInUse_.data();
        handed_.length = keyInUse_.size();
        usmp_provide_keys(&usmp_, event.data, &handed_, 1, (uint32_t)millis());
        break;
    case USMP_EVENT_OPEN:
        sessions++;
        sessionId = hex(event.data, event.length);
        break;
    case USMP_EVENT_MESSAGE:
        text.assign((const char *)event.data, event.length);
        received.push_back(text);
        if (echoes) waiting_.push_back(text);
        break;
    case USMP_EVENT_REKEYED: rekeys++; break;
    case USMP_EVENT_CLOSED:
        ends.push_back(event.error);
        if (event.error == USMP_ERROR_BYE) byes++;
        break;
    default: break;
    }
}

void Server::drain()
{
    usmp_event_t event;
    while (usmp_poll_event(&usmp_, &event)) take(event);
}

void Server::step()
{
    isServerAtWork = true;
    uint32_t now = (uint32_t)millis();
    drain();
    while (open_ && !isStuck && !isCut && shimAir && !toServer_.empty()) {
        uint8_t byte = toServer_.front();
        if (usmp_handle_input(&usmp_, &byte, 1, now) == 1) toServer_.pop_front();
        drain();
    }
    if (open_ && usmp_poll_timeout(&usmp_, now) == 0) usmp_handle_timeout(&usmp_, now);
    drain();
    while (!waiting_.empty() && usmp_can_send(&usmp_, waiting_.front().size())) {
        if (usmp_send(&usmp_, (const uint8_t *)waiting_.front().data(), waiting_.front().size(), now) != USMP_OK) break;
        waiting_.pop_front();
    }
    size_t length;
    const uint8_t *bytes;
    /* What TCP takes on its way. */
    while (!isStuck && toClient_.size() < 4096 && (bytes = usmp_poll_transmit(&usmp_, now, &length)) != nullptr) {
        if (open_ && !isCut && shimAir) toClient_.insert(toClient_.end(), bytes, bytes + length);
        usmp_transmitted(&usmp_, length, now);
    }
    drain();
    if (usmp_state(&usmp_) == USMP_STATE_CLOSED && !usmp_lingers(&usmp_)) open_ = false;
    isServerAtWork = false;
}

size_t Server::send(const uint8_t *bytes, size_t length)
{
    if (!open_) return 0;
    if (isCut || !shimAir) return length;
    if (toServer_.size() + length > 4096) return 0;
    toServer_.insert(toServer_.end(), bytes, bytes + length);
    return length;
}

size_t Server::receive(uint8_t *bytes, size_t room)
{
    size_t count = 0;
    while (count < room && !toClient_.empty()) {
        bytes[count++] = toClient_.front();
        toClient_.pop_front();
    }
    return count;
}

size_t Server::available()
{
    return isCut || !shimAir ? 0 : toClient_.size();
}

bool Server::isOpen()
{
    /* Of the end of a connection that was cut nobody tells. */
    if (!open_ && !isCut && shimAir) isKnown_ = false;
    return isKnown_ || !toClient_.empty();
}

/** The client has hung up: what it has sent before still comes. */
void Server::stop()
{
    if (open_) {
        step();
        if (usmp_state(&usmp_) != USMP_STATE_CLOSED) usmp_handle_end(&usmp_);
        drain();
    }
    open_ = isKnown_ = false;
    toClient_.clear();
}

/* ── TAP ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned tests = 0;
static unsigned failures = 0;
static bool failed;

void check(bool condition, const char *text, const char *file, int line)
{
    if (condition) return;
    failed = true;
    printf("# %s:%d: %s\n", file, line, text);
}

void test(const char *promise, const std::function<void()> &run)
{
    failed = false;
    shimAir = true;
    x25519Time = 0;
    run();
    tests++;
    if (failed) failures++;
    printf("%s %u - %s\n", failed ? "not ok" : "ok", tests, promise);
    fflush(stdout);
}

int finish()
{
    printf("1..%u\n", tests);
    return failures == 0 ? 0 : 1;
}
