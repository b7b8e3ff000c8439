/**
 * USMP for Arduino: encrypted, mutually authenticated messages between a device and a server, over Wi-Fi, Ethernet, GSM or a
 * serial line. It connects, stays connected, and keeps your messages while there is no connection.
 *
 *     #include <USMP.h>
 *
 *     USMPClient usmp("your-psk-here-16+");
 *
 *     void setup() {
 *         usmp.begin(USMP::TCP("192.168.1.100").wifi("SSID", "password"));
 *         usmp.send("hello from esp32");
 *     }
 *
 *     void loop() {
 *         usmp.maintain(); // keepalive + reconnect
 *
 *         if (usmp.available()) {
 *             Serial.println(usmp.read());
 *         }
 *     }
 *
 * All memory of a client is inside of the object (its sizes: `usmp/arduino_config.h`); only `read()`, which returns a String, uses
 * the heap. No function may be called from an interrupt, and a client belongs to one task.
 *
 * How long things block, which no loop() can change:
 *
 *   |              | `maintain()` at most                                  | of it one X25519, two a session |
 *   | ------------ | ----------------------------------------------------- | ------------------------------- |
 *   | ESP32        | 2 s where a server does not answer (USMP_CONNECT_TIMEOUT), and what DNS takes if the host is a name | 0.2 s |
 *   | ESP8266      | the same; looking up a name another 2 s               | 0.1 s                           |
 *   | RP2040       | the same as ESP8266                                   | 0.1 s                           |
 *   | AVR, 16 MHz  | 9 s                                                   | 8 s                             |
 *
 * With a session open it is far below 50 ms on all but AVR, where sealing or opening a message takes up to 0.17 s. `Over(client)`
 * adds what the client's own connect and write take; a UART that cannot say how much it takes, the time of one message.
 */
#pragma once

#include <Arduino.h>
#include <Client.h>
#include <Print.h>
#include <Stream.h>

#include "usmp/arduino/board.h"
#include "usmp/arduino/fifo.h"
#include "usmp/arduino/link.h"
#include "usmp/arduino/transport.h"
#include "usmp/errors.h"

/**
 * Random numbers of your own, where the board has none that can be trusted, or you have a better source: define this function in
 * the sketch, and it is the only one that is asked. Not used on an ESP32. See README.md, Random numbers.
 *
 * @return whether all `length` bytes are unpredictable; false ends the attempt to connect
 */
extern "C" bool usmp_random(uint8_t *out, size_t length) __attribute__((weak));

/** Where a client stands. */
enum class USMPState : uint8_t {
    /** Before `begin`, and after `close`. */
    Idle,
    /** Waits for Wi-Fi, or for the client that the sketch connects. */
    Offline,
    /** Waits before it tries again. */
    Waiting,
    /** Connects, or shakes hands. */
    Connecting,
    /** A session is open. */
    Connected,
    /** Says good-bye. */
    Closing
};

/** A device's connection to its server. */
class USMPClient : public Print {
  public:
    /** @param user what was given along with the callback */
    using Callback = void (*)(USMPClient &client, void *user);
    using MessageCallback = void (*)(USMPClient &client, const uint8_t *message, size_t length, void *user);

    /**
     * @param key the key that the server knows of this device: at least 16 characters. It is not copied: text in quotes is
     *        fine. A key in memory that changes later is not
     */
    explicit USMPClient(const char *key);
    /** The same, of any bytes. */
    USMPClient(const uint8_t *key, size_t length);
    /** Without a key, until `setKey`: for keys that are loaded in `setup()`, see USMPKeyStore.h. */
    USMPClient();
    ~USMPClient();

    USMPClient(const USMPClient &) = delete;
    USMPClient &operator=(const USMPClient &) = delete;

    /** Before `begin`. The bytes stay where they are; nothing is copied. */
    void setKey(const uint8_t *key, size_t length);
    void setKey(const char *key);

    /* ── Begin and end ───────────────────────────────────────────────────────────────────────────────────────────── */

    /**
     * Connects, and waits until the session is open.
     *
     *     if (!usmp.begin(USMP::TCP("192.168.1.100").wifi("SSID", "password"))) Serial.println(usmp.errorText());
     *
     * @param timeout milliseconds; 15,000 (AVR: 60,000) unless told otherwise. A single step may take longer than what is left
     * @return whether the session is open. When it is not, `maintain()` goes on trying, unless the key is too short
     */
    bool begin(const USMP::Transport &transport, uint32_t timeout = USMP::Config::beginTimeout);

    /**
     * The same without waiting: `maintain()` does all of it.
     *
     * @return false when it cannot work: the key is too short, or this was called in a callback; `errorText()` says so
     */
    bool beginAsync(const USMP::Transport &transport);

    /**
     * Connects, reconnects, sends, receives, answers, and keeps the session alive: all that is done is done in here, so call it
     * as often as `loop()` comes round. It returns when there is nothing to do at once, or after one slow step: see the table
     * above.
     */
    void maintain();

    /**
     * Sends what waits, says good-bye, and does not connect again until the next `begin`.
     *
     * @param timeout milliseconds to wait for that; 3,000 unless told otherwise. In a callback it does not wait: `maintain()` does
     *        the rest
     * @return whether all messages were handed over, and over UDP acknowledged. When not, those that were left are dropped, and
     *         counted by `lost()`
     */
    bool close(uint32_t timeout = 3000);

    /* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────── */

    /**
     * Sends a message, at once or when there is a session: it waits in a queue of USMP_QUEUE_SIZE bytes (2,048; AVR: 512).
     *
     *     if (!usmp.send("door opened")) Serial.println(usmp.errorText());
     *
     * @return whether it was taken. False when it is longer than USMP_MAX_MESSAGE (452 bytes), when the queue is full, or when the
     *         key is too short; `errorText()` says so
     */
    bool send(const uint8_t *message, size_t length);
    bool send(const char *text);
    bool send(const String &text);
    /** Text that stays in flash: `send(F("door opened"))`. */
    bool send(const __FlashStringHelper *text);

    /** Messages that have come and wait for `read`. What `maintain()` has not received yet does not count. */
    int available() const;

    /**
     * The oldest message, as text. An empty String when there is none, and when there is no heap for it: then the message stays.
     */
    String read();

    /**
     * The oldest message, as bytes.
     *
     * @return its length, which may be 0; -1 when there is none, or it is longer than `size`: then it stays, and `nextLength()`
     *         says how long it is
     */
    int read(uint8_t *buffer, size_t size);

    /** Length of the message that `read` returns next; 0 when there is none. */
    size_t nextLength() const;

    /**
     * As a Print it puts messages together: `print` gathers, `println` sends what was gathered as one message without the line
     * end. Each line is a message, so a line feed inside of a text ends one too; `send` is for bytes.
     *
     *     usmp.print("temperature ");
     *     usmp.println(21.5);
     *
     * One that is longer than USMP_PRINT_SIZE (452 bytes; AVR: 128) is not sent: `getWriteError()` and `errorText()` tell.
     */
    size_t write(uint8_t character) override;
    size_t write(const uint8_t *bytes, size_t size) override;
    using Print::write;

    /** Sends what `print` has gathered, if anything. */
    void flush();

    /* ── What is going on ────────────────────────────────────────────────────────────────────────────────────────── */

    /** Whether a session is open. */
    bool connected() const;
    explicit operator bool() const
    {
        return connected();
    }

    USMPState state() const;

    /** What went wrong last; USMP_OK when nothing did since the session was opened. The names are in usmp/errors.h. */
    usmp_error_t lastError() const
    {
        return error_;
    }

    /** The same in words, and what to do about it. Valid until the next call. */
    const char *errorText();

    /** Messages that wait to be sent. */
    uint16_t queued() const
    {
        return queue_.count();
    }

    /**
     * Messages handed to the session of which nothing proves yet that the server has them. Over UDP that is until it has
     * acknowledged them, else until a PING that was sent later is answered: `ping()` sends one, and `maintain()` does while there are
     * such messages, each 25 s (five sixths of `keepalive`).
     */
    uint16_t unconfirmed() const
    {
        return unconfirmed_;
    }

    /**
     * Messages, since the start, that may not have arrived: those that were unconfirmed when their session broke, and those that
     * `close` dropped. They are not sent again, as they might then arrive twice.
     */
    uint32_t lost() const
    {
        return lost_;
    }

    /** Received messages, since the start, that were lost: longer than USMP_MAX_MESSAGE, or not read for 5 s while others waited. */
    uint32_t dropped() const
    {
        return dropped_;
    }

    /** Sessions since the start. */
    uint32_t sessions() const
    {
        return sessions_;
    }

    /** Asks the server for a sign of life; `unconfirmed()` becomes 0 when it has come. @return whether a session is open */
    bool ping();

    /* ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────── */

    /**
     * Who this device is, such as "24:6f:28:aa:bb:cc": its MAC address; of an RP2040, made from the id of its flash; of an AVR, drawn
     * once and kept in EEPROM. On ESP32 and ESP8266 known at any time, else from `begin` on.
     */
    const char *deviceId();

    /**
     * Before `begin`.
     *
     * @param text six bytes in hexadecimal with colons, "02:00:00:00:00:01"
     * @return false when it is not that
     */
    bool setDeviceId(const char *text);
    void setDeviceId(const uint8_t id[6]);

    /** Of the present session, or the last one: 32 hexadecimal digits, as in the server's log. "" before the first one. */
    const char *sessionId() const
    {
        return sessionId_;
    }

    /**
     * A PING is sent after this long without sending or hearing anything. Takes effect with the next session.
     *
     * @param interval milliseconds; 30,000 unless told otherwise; 0 for never, and then a server that has vanished is not noticed
     * @param timeout milliseconds in which a sign of life is expected after it; 20,000 unless told otherwise. The third PING in a row
     *        that goes unanswered ends the session
     */
    void keepalive(uint32_t interval, uint32_t timeout = 20000);

    /**
     * Called by `maintain()` when a session was opened, and when it ended: then `lastError()` says why. Also by `close` and `begin`,
     * which end one.
     */
    void onConnect(Callback callback, void *user = nullptr);
    void onDisconnect(Callback callback, void *user = nullptr);

    /**
     * Called by `maintain()` for each message, in place of `available` and `read`. The message is valid during the call. Anything but
     * `begin` and `read` may be called in there.
     */
    void onMessage(MessageCallback callback, void *user = nullptr);

    /**
     * Changes the keys of the session.
     *
     * @return false when there is no session, or over UDP it would be unsafe: connect again then
     */
    bool rekey();

  private:
    /** What is done by the next `maintain()`. */
    enum class Phase : uint8_t { Idle, Network, KeyPair, Pause, Running };

    /** More about an error than its code. */
    enum class Detail : uint8_t {
        None,
        Key,
        TooLong,
        QueueFull,
        PrintTooLong,
        ReadTooLong,
        NoHeap,
        Dropped,
        NoSession,
        DeviceId,
        Unread,
        InCallback,
        Unsent,
        Obstacle,
        NoRandom
    };

    struct Core;
    Core &core();
    const Core &core() const;

    void step();
    void makeKeyPair();
    void connect();
    void wait(uint32_t now);
    void run();
    void workOff();
    void takeEvents();
    void opened(const uint8_t *sessionId);
    void ended(usmp_error_t error);
    void askForProof(uint32_t now);
    void confirm(uint32_t rtt);
    void hold(const uint8_t *message, size_t length);
    bool placeHeld(uint32_t now);
    void deliver();
    void transmit();
    bool readIn();
    bool mustCompute() const;
    bool canSend(size_t length);
    bool sendNow(const uint8_t *message, size_t length);
    void sendQueued();
    void endSession();
    void retry(usmp_error_t error);
    bool sayGoodbye(uint32_t now);
    void finishClosing();
    void forget();
    void abandon();
    bool fail(usmp_error_t error, Detail detail = Detail::None, size_t number = 0);
    void endLine();
    bool checkKey();

    const uint8_t *key_;
    size_t keyLength_;

    USMP::Link link_;
    Phase phase_ = Phase::Idle;
    /** In `maintain()`: whatever is called now, a callback calls. */
    bool busy_ = false;
    bool delivering_ = false;
    bool open_ = false;
    bool offline_ = false;
    bool keyIsBad_ = false;
    bool hasKeyPair_ = false;
    bool hasDeviceId_ = false;

    bool closing_ = false;
    bool closedWell_ = false;
    uint32_t closingSince_ = 0;
    uint32_t closingTime_ = 0;

    uint8_t failures_ = 0;
    uint32_t pauseSince_ = 0;
    uint32_t pause_ = 0;
    uint32_t openSince_ = 0;
    uint32_t heardAt_ = 0;
    /** For the core, where 0 stands for its default. */
    uint32_t keepaliveInterval_ = 0;
    uint32_t keepaliveTimeout_ = 0;

    usmp_error_t error_ = USMP_OK;
    usmp_error_t endedBy_ = USMP_OK;
    Detail detail_ = Detail::None;
    uint16_t number_ = 0;

    uint16_t unconfirmed_ = 0;
    /** How many of them were sent before `ping()`, and when that was. */
    uint16_t beforePing_ = 0;
    uint32_t pingedAt_ = 0;
    uint32_t lastSent_ = 0;
    uint32_t lost_ = 0;
    uint32_t dropped_ = 0;
    uint32_t sessions_ = 0;

    Callback onConnect_ = nullptr;
    Callback onDisconnect_ = nullptr;
    MessageCallback onMessage_ = nullptr;
    void *connectUser_ = nullptr;
    void *disconnectUser_ = nullptr;
    void *messageUser_ = nullptr;

    /** A message that the inbox has no room for stays in the core, which may not be called meanwhile. */
    const uint8_t *held_ = nullptr;
    size_t heldLength_ = 0;
    uint32_t heldSince_ = 0;

    uint8_t deviceId_[6] = {};
    char deviceIdText_[18] = {};
    char sessionId_[33] = {};
    char text_[80] = {};

    bool lineTooLong_ = false;
    uint16_t lineLength_ = 0;
    uint8_t line_[USMP::Config::printSize] = {};

    uint16_t inputStart_ = 0;
    uint16_t inputEnd_ = 0;
    uint8_t input_[USMP::Config::inputSize] = {};

    USMP::Fifo<USMP::Config::queueSize> queue_;
    USMP::Fifo<USMP::Config::inboxSize> inbox_;

    alignas(void *) alignas(uint64_t) uint8_t core_[USMP::Config::coreSize] = {};
};
