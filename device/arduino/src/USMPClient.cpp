#include "usmp/usmp.h"

#include "USMP.h"

#include "usmp/arduino/platform.h"

using namespace USMP;

/** The core and its settings, in memory of the object: so a sketch does not see the headers of core and cryptography. */
struct USMPClient::Core {
    usmp_t usmp;
    usmp_settings_t settings;
};

static_assert(Config::inboxSize >= Config::maxMessage + 2, "USMP_INBOX_SIZE must be at least USMP_MAX_MESSAGE + 2");
static_assert(Config::queueSize >= Config::maxMessage + 2, "USMP_QUEUE_SIZE must be at least USMP_MAX_MESSAGE + 2");

/** How often `maintain()` reads of the transport before it returns to the sketch. */
static constexpr uint8_t READS = 32;

USMPClient::USMPClient() : key_(nullptr), keyLength_(0)
{
    static_assert(sizeof(Core) <= sizeof core_, "coreSize in usmp/arduino/board.h is too small");
    static_assert(alignof(Core) <= alignof(uint64_t) || alignof(Core) <= alignof(void *), "the core wants more alignment");
}

USMPClient::USMPClient(const char *key) : USMPClient()
{
    setKey(key);
}

USMPClient::USMPClient(const uint8_t *key, size_t length) : USMPClient()
{
    setKey(key, length);
}

USMPClient::~USMPClient()
{
    forget();
}

USMPClient::Core &USMPClient::core()
{
    void *memory = core_;
    return *static_cast<Core *>(memory);
}

const USMPClient::Core &USMPClient::core() const
{
    const void *memory = core_;
    return *static_cast<const Core *>(memory);
}

void USMPClient::setKey(const uint8_t *key, size_t length)
{
    key_ = key;
    keyLength_ = key == nullptr ? 0 : length;
    keyIsBad_ = false;
}

void USMPClient::setKey(const char *key)
{
    setKey(reinterpret_cast<const uint8_t *>(key), key == nullptr ? 0 : strlen(key));
}

/* ── Begin ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool USMPClient::checkKey()
{
    keyIsBad_ = keyLength_ < USMP_MIN_PSK;
    return !keyIsBad_ || fail(USMP_ERROR_KEY_TOO_SHORT, Detail::Key, keyLength_);
}

bool USMPClient::beginAsync(const Transport &transport)
{
    if (busy_) return fail(USMP_ERROR_BUSY, Detail::InCallback);
    abandon();
    if (!checkKey()) return false;
    link_.use(transport);
    error_ = USMP_OK;
    failures_ = 0;
    pause_ = 0;
    phase_ = Phase::Network;
    return true;
}

bool USMPClient::begin(const Transport &transport, uint32_t timeout)
{
    if (!beginAsync(transport)) return false;
    uint32_t since = millis();
    while (!connected() && millis() - since < timeout) {
        maintain();
        /* The buffer of a serial line is short. */
        if (!link_.isSerial()) delay(1);
        yield();
    }
    if (!connected() && error_ == USMP_OK) (void)fail(USMP_ERROR_HANDSHAKE_TIMEOUT);
    return connected();
}

/** What `begin` finds: a session is over for the sketch, too. */
void USMPClient::abandon()
{
    bool wasOpen = open_;
    forget();
    if (!wasOpen || onDisconnect_ == nullptr) return;
    busy_ = true;
    (void)fail(USMP_ERROR_CLOSED);
    onDisconnect_(*this, disconnectUser_);
    busy_ = closing_ = false;
}

/** Back to the beginning without a word, keys above all. Messages in the queues stay. */
void USMPClient::forget()
{
    lost_ += unconfirmed_;
    unconfirmed_ = beforePing_ = 0;
    open_ = offline_ = closing_ = hasKeyPair_ = false;
    held_ = nullptr;
    inputStart_ = inputEnd_ = 0;
    link_.close();
    usmp_wipe(&core().usmp);
    phase_ = Phase::Idle;
}

/* ── Step by step ────────────────────────────────────────────────────────────────────────────────────────────────── */

void USMPClient::maintain()
{
    if (busy_) return;
    busy_ = true;
    step();
    busy_ = false;
}

/** At most one of the slow things: switching Wi-Fi on, one X25519, one attempt to connect. */
void USMPClient::step()
{
    deliver();
    if (closing_ && sayGoodbye(millis())) return;
    switch (phase_) {
    case Phase::Idle: break;
    case Phase::Network:
        /* First of all: the radio is what the random numbers of some chips come from, and joining goes on by itself. */
        link_.beginNetwork(millis());
        phase_ = Phase::KeyPair;
        break;
    case Phase::KeyPair: makeKeyPair(); break;
    case Phase::Pause: wait(millis()); break;
    case Phase::Running: run(); break;
    }
}

void USMPClient::makeKeyPair()
{
    phase_ = Phase::Pause;
    hasKeyPair_ = usmp_prepare(&core().usmp) == USMP_OK;
    if (hasKeyPair_) return;
    (void)fail(USMP_ERROR_CRYPTO_FAILED, Detail::NoRandom);
    retry(USMP_ERROR_CRYPTO_FAILED);
    phase_ = Phase::Pause;
}

void USMPClient::wait(uint32_t now)
{
    offline_ = !link_.networkIsUp(now);
    if (offline_) (void)fail(USMP_ERROR_UNREACHABLE, Detail::Obstacle);
    if (offline_ || now - pauseSince_ < pause_) return;
    if (hasKeyPair_) connect();
    else makeKeyPair();
}

void USMPClient::connect()
{
    if (!hasDeviceId_) hasDeviceId_ = findDeviceId(deviceId_, true);
    if (!link_.open()) {
        (void)fail(USMP_ERROR_UNREACHABLE, Detail::Obstacle);
        retry(USMP_ERROR_UNREACHABLE);
        return;
    }

    usmp_settings_t &settings = core().settings;
    settings = usmp_settings_t();
    settings.transport = link_.isDatagram() ? USMP_TRANSPORT_DATAGRAM
                         : link_.isSerial() ? USMP_TRANSPORT_SERIAL
                                            : USMP_TRANSPORT_STREAM;
    settings.psk = key_;
    settings.psk_length = keyLength_;
    settings.keepalive_interval = keepaliveInterval_;
    settings.keepalive_timeout = keepaliveTimeout_;
    memcpy(settings.device_id, deviceId_, sizeof deviceId_);

    hasKeyPair_ = false;
    usmp_error_t error = usmp_connect(&core().usmp, &settings, millis());
    if (error != USMP_OK) {
        (void)fail(error);
        link_.close();
        retry(error);
        return;
    }
    phase_ = Phase::Running;
    transmit();
}

/** Exponential back-off with full jitter, as docs/reconnect.md has it. */
void USMPClient::retry(usmp_error_t error)
{
    if (failures_ < 32) failures_++;
    uint32_t ceiling = Config::reconnectBase;
    for (uint8_t i = 1; i < failures_ && ceiling < Config::reconnectCap; i++) ceiling *= 2;
    /* Somebody has to put a key right first. */
    bool hopeless = error == USMP_ERROR_REFUSED || error == USMP_ERROR_ROGUE_SERVER;
    if (hopeless || ceiling > Config::reconnectCap) ceiling = Config::reconnectCap;

    uint32_t drawn = 0;
    uint8_t bytes[sizeof drawn];
    if (usmp_crypto_random(bytes, sizeof bytes)) memcpy(&drawn, bytes, sizeof drawn);
    else drawn = micros();
    pauseSince_ = millis();
    pause_ = drawn % (ceiling + 1);
    phase_ = hasKeyPair_ ? Phase::Pause : Phase::KeyPair;
}

/* ── A session ───────────────────────────────────────────────────────────────────────────────────────────────────── */

void USMPClient::run()
{
    usmp_t *usmp = &core().usmp;
    if (!placeHeld(millis())) return;
    if (!link_.isOpen()) usmp_handle_end(usmp);
    workOff();
    if (mustCompute()) {
        usmp_handle_timeout(usmp, millis());
        workOff();
        return;
    }
    for (uint8_t i = 0; i < READS && held_ == nullptr && !mustCompute(); i++) {
        if (usmp_poll_timeout(usmp, millis()) == 0) usmp_handle_timeout(usmp, millis());
        else if (!readIn()) break;
        workOff();
    }
    if (held_ != nullptr) return;
    sendQueued();
    askForProof(millis());
    if (usmp_state(usmp) == USMP_STATE_CLOSED && !usmp_lingers(usmp)) endSession();
}

/** Whether the next deadline of the core is an X25519, or may be one. */
bool USMPClient::mustCompute() const
{
    const usmp_t *usmp = &core().usmp;
    return usmp_state(usmp) == USMP_STATE_HANDSHAKE && usmp_poll_timeout(usmp, millis()) == 0;
}

/** What the core has to tell and to send. */
void USMPClient::workOff()
{
    takeEvents();
    transmit();
}

void USMPClient::takeEvents()
{
    usmp_event_t event;
    while (held_ == nullptr && usmp_poll_event(&core().usmp, &event)) {
        switch (event.type) {
        case USMP_EVENT_OPEN: opened(event.data); break;
        case USMP_EVENT_MESSAGE:
            if (!inbox_.push(event.data, event.length)) hold(event.data, event.length);
            deliver();
            break;
        case USMP_EVENT_MESSAGE_DROPPED:
            dropped_++;
            (void)fail(USMP_ERROR_MESSAGE_TOO_LONG, Detail::Dropped);
            break;
        case USMP_EVENT_PONG: confirm(event.rtt); break;
        case USMP_EVENT_REKEY_REFUSED: (void)fail(event.error); break;
        case USMP_EVENT_CLOSED: ended(event.error); break;
        default: break;
        }
    }
}

void USMPClient::opened(const uint8_t *sessionId)
{
    open_ = true;
    openSince_ = millis();
    sessions_++;
    pingedAt_ = openSince_;
    error_ = USMP_OK;
    Text(sessionId_, sizeof sessionId_).addHex(sessionId, USMP_SESSION_ID_LENGTH);
    if (onConnect_ != nullptr) onConnect_(*this, connectUser_);
}

void USMPClient::ended(usmp_error_t error)
{
    endedBy_ = error;
    (void)fail(error);
    if (!open_) return;
    open_ = false;
    if (millis() - openSince_ >= Config::reconnectStable) failures_ = 0;
    /* What was sent before our own BYE went on its way: `sayGoodbye` has seen to that. */
    if (error != USMP_ERROR_CLOSED) {
        lost_ += unconfirmed_;
        if (unconfirmed_ > 0) closedWell_ = false;
    }
    unconfirmed_ = beforePing_ = 0;
    if (onDisconnect_ != nullptr) onDisconnect_(*this, disconnectUser_);
}

void USMPClient::endSession()
{
    link_.close();
    inputStart_ = inputEnd_ = 0;
    retry(endedBy_);
}

void USMPClient::transmit()
{
    usmp_t *usmp = &core().usmp;
    const uint8_t *bytes;
    size_t length;
    while (held_ == nullptr && (bytes = usmp_poll_transmit(usmp, millis(), &length)) != nullptr) {
        size_t written = link_.write(bytes, length);
        usmp_transmitted(usmp, written, millis());
        if (written < length) break;
    }
}

/** @return whether anything was read and taken */
bool USMPClient::readIn()
{
    if (inputStart_ == inputEnd_) {
        inputStart_ = 0;
        inputEnd_ = (uint16_t)link_.read(input_, sizeof input_);
        if (inputEnd_ == 0) return false;
    }
    heardAt_ = millis();
    size_t taken = usmp_handle_input(&core().usmp, input_ + inputStart_, (size_t)(inputEnd_ - inputStart_), heardAt_);
    inputStart_ = (uint16_t)(inputStart_ + taken);
    /* A datagram that is not taken comes again. */
    if (link_.isDatagram()) inputStart_ = inputEnd_;
    return taken > 0;
}

/** So that `unconfirmed` never counts much more than the messages of the last interval. */
void USMPClient::askForProof(uint32_t now)
{
    if (link_.isDatagram()) {
        if (usmp_pending_transmit(&core().usmp) == 0) unconfirmed_ = beforePing_ = 0;
        return;
    }
    uint32_t interval = keepaliveInterval_ == 0 ? USMP_KEEPALIVE_INTERVAL : keepaliveInterval_;
    /* A little before the core would send one by itself: of two PINGs at once no PONG tells which one it answers. */
    if (interval != USMP_NEVER && unconfirmed_ > 0 && now - pingedAt_ >= interval - interval / 6) (void)ping();
}

/** PONG proves all that was sent before its PING. */
void USMPClient::confirm(uint32_t rtt)
{
    if (rtt == USMP_NEVER) return;
    uint32_t pinged = heardAt_ - rtt;
    if ((int32_t)(pinged - lastSent_) > 0) {
        unconfirmed_ = beforePing_ = 0;
    } else if ((int32_t)(pinged - pingedAt_) >= 0 && beforePing_ <= unconfirmed_) {
        unconfirmed_ = (uint16_t)(unconfirmed_ - beforePing_);
        beforePing_ = 0;
    }
}

/* ── Closing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool USMPClient::close(uint32_t timeout)
{
    flush();
    closing_ = true;
    closedWell_ = true;
    closingSince_ = millis();
    closingTime_ = timeout;
    if (busy_) return false;
    /* Nobody reads any more, unless a callback does. */
    busy_ = true;
    deliver();
    while (!placeHeld(millis())) {
        inbox_.pop();
        dropped_++;
    }
    busy_ = false;
    while (closing_) {
        maintain();
        if (closing_ && !link_.isSerial()) delay(1);
    }
    return closedWell_;
}

/** @return whether nothing is left to be done */
bool USMPClient::sayGoodbye(uint32_t now)
{
    usmp_t *usmp = &core().usmp;
    bool unsent = queue_.count() > 0 && phase_ != Phase::Idle;
    bool lingers = phase_ == Phase::Running && usmp_lingers(usmp);
    if (now - closingSince_ >= closingTime_ || (!unsent && !open_ && !lingers)) {
        finishClosing();
        return true;
    }
    /* Only then BYE: what comes of a message after it, the core does not tell. */
    bool ready = !unsent && held_ == nullptr && usmp_pending_transmit(usmp) == 0;
    if (connected() && ready) {
        if (link_.isDatagram()) unconfirmed_ = beforePing_ = 0;
        usmp_close(usmp, now);
    }
    return false;
}

void USMPClient::finishClosing()
{
    uint16_t left = queue_.count();
    bool wasOpen = open_;
    bool isWritten = usmp_pending_transmit(&core().usmp) == 0;
    if (left > 0 || (wasOpen && (link_.isDatagram() ? unconfirmed_ > 0 : !isWritten))) closedWell_ = false;
    lost_ += left;
    queue_.clear();
    forget();
    if (left > 0) (void)fail(USMP_ERROR_CLOSED, Detail::Unsent, left);
    if (wasOpen && onDisconnect_ != nullptr) onDisconnect_(*this, disconnectUser_);
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool USMPClient::send(const uint8_t *message, size_t length)
{
    if (!canSend(length)) return false;
    if (queue_.count() == 0 && sendNow(message, length)) return true;
    return queue_.push(message, length) || fail(USMP_ERROR_BUSY, Detail::QueueFull, queue_.count());
}

/** The core takes messages from memory, so this one goes by way of the queue. */
bool USMPClient::send(const __FlashStringHelper *text)
{
    PGM_P flash = reinterpret_cast<PGM_P>(text);
    size_t length = flash == nullptr ? 0 : strlen_P(flash);
    if (!canSend(length)) return false;
    uint8_t *place = queue_.append(length);
    if (place == nullptr) return fail(USMP_ERROR_BUSY, Detail::QueueFull, queue_.count());
    if (length > 0) memcpy_P(place, flash, length);
    sendQueued();
    return true;
}

bool USMPClient::canSend(size_t length)
{
    if (keyIsBad_) return fail(USMP_ERROR_KEY_TOO_SHORT, Detail::Key, keyLength_);
    return length <= Config::maxMessage || fail(USMP_ERROR_MESSAGE_TOO_LARGE, Detail::TooLong, length);
}

bool USMPClient::send(const char *text)
{
    return send(reinterpret_cast<const uint8_t *>(text), text == nullptr ? 0 : strlen(text));
}

bool USMPClient::send(const String &text)
{
    return send(reinterpret_cast<const uint8_t *>(text.c_str()), text.length());
}

bool USMPClient::sendNow(const uint8_t *message, size_t length)
{
    usmp_t *usmp = &core().usmp;
    if (!open_ || held_ != nullptr || !usmp_can_send(usmp, length)) return false;
    if (usmp_send(usmp, message, length, millis()) != USMP_OK) return false;
    lastSent_ = millis();
    if (unconfirmed_ < 0xFFFF) unconfirmed_++;
    transmit();
    return true;
}

void USMPClient::sendQueued()
{
    while (queue_.count() > 0 && sendNow(queue_.front(), queue_.frontLength())) queue_.pop();
}

void USMPClient::hold(const uint8_t *message, size_t length)
{
    held_ = message;
    heldLength_ = length;
    heldSince_ = millis();
}

/** @return whether the core may be called */
bool USMPClient::placeHeld(uint32_t now)
{
    if (held_ == nullptr) return true;
    if (now - heldSince_ >= Config::unreadTime) {
        uint16_t before = inbox_.count();
        while (!inbox_.fits(heldLength_)) inbox_.pop();
        dropped_ += (uint32_t)(before - inbox_.count());
        (void)fail(USMP_ERROR_BUSY, Detail::Unread);
    }
    if (inbox_.push(held_, heldLength_)) held_ = nullptr;
    deliver();
    return held_ == nullptr;
}

void USMPClient::deliver()
{
    if (delivering_) return;
    delivering_ = true;
    while (onMessage_ != nullptr && inbox_.count() > 0) {
        onMessage_(*this, inbox_.front(), inbox_.frontLength(), messageUser_);
        inbox_.pop();
    }
    delivering_ = false;
}

int USMPClient::available() const
{
    return delivering_ ? 0 : (int)inbox_.count();
}

size_t USMPClient::nextLength() const
{
    return delivering_ ? 0 : inbox_.frontLength();
}

String USMPClient::read()
{
    String text;
    if (available() == 0) return text;
    size_t length = inbox_.frontLength();
    if (!text.reserve((unsigned int)length)) {
        (void)fail(USMP_ERROR_BUSY, Detail::NoHeap, length);
        return String();
    }
    const uint8_t *message = inbox_.front();
    for (size_t i = 0; i < length; i++) text += (char)message[i];
    inbox_.pop();
    heldSince_ = millis();
    return text;
}

int USMPClient::read(uint8_t *buffer, size_t size)
{
    if (available() == 0) return -1;
    size_t length = inbox_.frontLength();
    if (length > size) {
        (void)fail(USMP_ERROR_MESSAGE_TOO_LARGE, Detail::ReadTooLong, length);
        return -1;
    }
    memcpy(buffer, inbox_.front(), length);
    inbox_.pop();
    heldSince_ = millis();
    return (int)length;
}

/* ── Print ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

size_t USMPClient::write(uint8_t character)
{
    if (character == '\n') {
        endLine();
        return 1;
    }
    if (lineLength_ == sizeof line_) {
        /* The carriage return of a line end is no part of the message. */
        if (character == '\r') return 1;
        lineTooLong_ = true;
        setWriteError();
        return 0;
    }
    line_[lineLength_++] = character;
    return 1;
}

size_t USMPClient::write(const uint8_t *bytes, size_t size)
{
    size_t taken = 0;
    for (size_t i = 0; i < size; i++) taken += write(bytes[i]);
    return taken;
}

void USMPClient::flush()
{
    if (lineLength_ > 0 || lineTooLong_) endLine();
}

void USMPClient::endLine()
{
    size_t length = lineLength_;
    bool tooLong = lineTooLong_;
    if (length > 0 && line_[length - 1] == '\r') length--;
    lineLength_ = 0;
    lineTooLong_ = false;
    bool sent = tooLong ? fail(USMP_ERROR_MESSAGE_TOO_LARGE, Detail::PrintTooLong) : send(line_, length);
    if (!sent) setWriteError();
}

/* ── What is going on ────────────────────────────────────────────────────────────────────────────────────────────── */

bool USMPClient::connected() const
{
    return open_ && usmp_state(&core().usmp) == USMP_STATE_OPEN;
}

USMPState USMPClient::state() const
{
    if (closing_) return USMPState::Closing;
    switch (phase_) {
    case Phase::Idle: return USMPState::Idle;
    case Phase::Network: return USMPState::Offline;
    case Phase::KeyPair: return failures_ == 0 ? USMPState::Connecting : USMPState::Waiting;
    case Phase::Pause: return offline_ ? USMPState::Offline : USMPState::Waiting;
    default: return connected() ? USMPState::Connected : USMPState::Connecting;
    }
}

bool USMPClient::ping()
{
    if (!connected() || held_ != nullptr) return false;
    pingedAt_ = millis();
    beforePing_ = unconfirmed_;
    bool wanted = usmp_ping(&core().usmp) == USMP_OK;
    transmit();
    return wanted;
}

bool USMPClient::rekey()
{
    if (held_ != nullptr) return fail(USMP_ERROR_BUSY);
    usmp_error_t error = usmp_rekey(&core().usmp, false);
    if (error != USMP_OK) return fail(error, error == USMP_ERROR_NOT_CONNECTED ? Detail::NoSession : Detail::None);
    transmit();
    return true;
}

bool USMPClient::fail(usmp_error_t error, Detail detail, size_t number)
{
    error_ = error;
    detail_ = detail;
    number_ = (uint16_t)(number < 0xFFFF ? number : 0xFFFF);
    return false;
}

/* ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────── */

const char *USMPClient::deviceId()
{
    if (!hasDeviceId_) hasDeviceId_ = findDeviceId(deviceId_, false);
    Text text(deviceIdText_, sizeof deviceIdText_);
    if (hasDeviceId_) text.addHex(deviceId_, sizeof deviceId_, ':');
    return deviceIdText_;
}

void USMPClient::setDeviceId(const uint8_t id[6])
{
    memcpy(deviceId_, id, sizeof deviceId_);
    hasDeviceId_ = true;
}

/** @return 0 to 15; 255 when it is no hexadecimal digit */
static uint8_t digit(char character)
{
    if (character >= '0' && character <= '9') return (uint8_t)(character - '0');
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? (uint8_t)(lower - 'a' + 10) : 255;
}

bool USMPClient::setDeviceId(const char *text)
{
    uint8_t id[6];
    if (text == nullptr || strlen(text) != 17) return fail(USMP_ERROR_INVALID_ARGUMENT, Detail::DeviceId);
    for (uint8_t i = 0; i < 6; i++, text += 3) {
        uint8_t high = digit(text[0]);
        uint8_t low = digit(text[1]);
        if (high > 15 || low > 15 || (i < 5 && text[2] != ':'))
            return fail(USMP_ERROR_INVALID_ARGUMENT, Detail::DeviceId);
        id[i] = (uint8_t)(high << 4 | low);
    }
    setDeviceId(id);
    return true;
}

void USMPClient::keepalive(uint32_t interval, uint32_t timeout)
{
    keepaliveInterval_ = interval == 0 ? USMP_NEVER : interval;
    keepaliveTimeout_ = timeout;
}

void USMPClient::onConnect(Callback callback, void *user)
{
    onConnect_ = callback;
    connectUser_ = user;
}

void USMPClient::onDisconnect(Callback callback, void *user)
{
    onDisconnect_ = callback;
    disconnectUser_ = user;
}

void USMPClient::onMessage(MessageCallback callback, void *user)
{
    onMessage_ = callback;
    messageUser_ = user;
}

/* ── Errors in words ─────────────────────────────────────────────────────────────────────────────────────────────── */

const char *USMPClient::errorText()
{
    if (error_ == USMP_OK) detail_ = Detail::None;
    Text text(text_, sizeof text_);
    switch (detail_) {
    case Detail::Key: text.add(PSTR("key is ")).add(number_).add(PSTR(" bytes, at least 16")); break;
    case Detail::TooLong:
        text.add(PSTR("message is ")).add(number_).add(PSTR(" bytes, at most ")).add((uint16_t)Config::maxMessage);
        break;
    case Detail::PrintTooLong: text.add(PSTR("line is longer than ")).add((uint16_t)sizeof line_).add(PSTR(" bytes")); break;
    case Detail::ReadTooLong: text.add(PSTR("message has ")).add(number_).add(PSTR(" bytes, the buffer less")); break;
    case Detail::NoHeap: text.add(PSTR("no memory for a String of ")).add(number_).add(PSTR(" bytes")); break;
    case Detail::QueueFull: text.add(PSTR("queue is full: ")).add(number_).add(PSTR(" messages wait to be sent")); break;
    case Detail::Dropped:
        text.add(PSTR("a received message was dropped: longer than ")).add((uint16_t)Config::maxMessage);
        text.add(PSTR(" bytes, or incomplete"));
        break;
    case Detail::NoSession: text.add(PSTR("no session is open")); break;
    case Detail::DeviceId: text.add(PSTR("a device id looks like 02:00:00:00:00:01")); break;
    case Detail::Unread: text.add(PSTR("a received message was dropped: nobody called read()")); break;
    case Detail::InCallback: text.add(PSTR("begin() cannot be called in a callback")); break;
    case Detail::Unsent: text.add(PSTR("closed, and ")).add(number_).add(PSTR(" messages were not sent")); break;
    case Detail::NoRandom: text.add(PSTR("no random numbers, or no memory: see README, Random numbers")); break;
    case Detail::Obstacle:
        switch (link_.obstacle()) {
        case Obstacle::NoWifi: text.add(PSTR("no Wi-Fi yet")); break;
        case Obstacle::NoSuchWifi: text.add(PSTR("no Wi-Fi of that name in reach")); break;
        case Obstacle::WifiRefused: text.add(PSTR("Wi-Fi refused us: check its password")); break;
        case Obstacle::NoSuchHost: text.add(PSTR("no address found for the host: check its name, and DNS")); break;
        case Obstacle::NotConnected: text.add(PSTR("the client of the sketch is not connected")); break;
        default: return describe(error_, text_, sizeof text_);
        }
        break;
    default: return describe(error_, text_, sizeof text_);
    }
    return text_;
}
