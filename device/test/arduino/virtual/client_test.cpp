/** What `USMPClient` promises, against a server in virtual time. */
/* First: the headers of C++ do not want the macros of a core. */
#include "world.h"

#include <USMP.h>
#include <USMPKeyStore.h>

#include <WiFi.h>

static const char KEY[] = "your-psk-here-16+";

/** A client that is joined to its server, and time. */
struct Bed {
    Server server;
    USMPClient client{KEY};
    /** Milliseconds that pass between two rounds of loop(). */
    unsigned long pace = 5;

    Bed()
    {
        shimForgetWifi();
    }

    static USMP::TCP tcp()
    {
        return USMP::TCP("192.168.1.100").wifi("SSID", "password");
    }

    void step()
    {
        client.maintain();
        server.step();
        delay(pace);
    }

    void pass(unsigned long ms)
    {
        uint32_t since = (uint32_t)millis();
        while ((uint32_t)millis() - since < ms) step();
    }

    bool until(const std::function<bool()> &condition, unsigned long ms = 120000)
    {
        uint32_t since = (uint32_t)millis();
        while (!condition() && (uint32_t)millis() - since < ms) step();
        return condition();
    }

    bool open()
    {
        if (!client.beginAsync(tcp())) return false;
        return until([this] { return client.connected() && server.isConnected(); });
    }

    std::string text()
    {
        String message = client.read();
        return std::string(message.c_str(), message.length());
    }
};

static std::string errorOf(USMPClient &client)
{
    return client.errorText();
}

/* ── Keys, ids ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void keys()
{
    test("a short key: begin() returns false, and says how long it is and must be", [] {
        Server server;
        USMPClient client("short-key-123");
        CHECK(!client.begin(Bed::tcp()));
        CHECK(errorOf(client) == "key is 13 bytes, at least 16");
        CHECK(client.lastError() == USMP_ERROR_KEY_TOO_SHORT);
        CHECK(client.state() == USMPState::Idle);
        CHECK(!client.send("x"));
        CHECK(errorOf(client) == "key is 13 bytes, at least 16");
        CHECK(server.attemptedAt.empty());
    });
    test("no key at all is a short one; a key may be set later", [] {
        Server server;
        USMPClient client;
        CHECK(!client.beginAsync(Bed::tcp()));
        CHECK(errorOf(client) == "key is 0 bytes, at least 16");
        client.setKey(KEY);
        CHECK(client.beginAsync(Bed::tcp()));
    });
    test("a key of bytes may have zeros in it", [] {
        Bed bed;
        static const uint8_t bytes[16] = {0, 1, 0, 2};
        bed.server.key.assign((const char *)bytes, sizeof bytes);
        bed.client.setKey(bytes, sizeof bytes);
        CHECK(bed.open());
    });
    test("the device id is the MAC address, unless it is set", [] {
        Bed bed;
        CHECK(std::string(bed.client.deviceId()) == "24:6f:28:aa:bb:cc");
        CHECK(bed.open());
        CHECK(bed.server.deviceId == "246f28aabbcc");

        CHECK(!bed.client.setDeviceId("02:00:00:00:00"));
        CHECK(!bed.client.setDeviceId("02:00:00:00:00:0g"));
        CHECK(!bed.client.setDeviceId("02-00-00-00-00-01"));
        CHECK(errorOf(bed.client) == "a device id looks like 02:00:00:00:00:01");
        CHECK(bed.client.lastError() == USMP_ERROR_INVALID_ARGUMENT);
        CHECK(bed.client.setDeviceId("02:00:00:00:00:aF"));
        CHECK(std::string(bed.client.deviceId()) == "02:00:00:00:00:af");
        CHECK(bed.open());
        CHECK(bed.server.deviceId == "0200000000af");
    });
    test("a key store keeps what it is given, and refuses what cannot be a key", [] {
        USMP::KeyStore store;
        store.erase();
        CHECK(!store.load());
        CHECK(store.length() == 0);
        CHECK(!store.save("fifteen-bytes-x"));
        CHECK(store.save("sixteen-bytes-xx"));
        USMP::KeyStore other;
        CHECK(other.load());
        CHECK(other.length() == 16 && memcmp(other.key(), "sixteen-bytes-xx", 16) == 0);
        CHECK(store.erase());
        CHECK(!other.load());
    });
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void messages()
{
    test("what is sent before there is a session waits, and goes in order, once", [] {
        Bed bed;
        CHECK(bed.client.send("before begin"));
        bed.server.isUp = false;
        CHECK(bed.client.beginAsync(Bed::tcp()));
        bed.pass(3000);
        CHECK(bed.client.send("before the session"));
        CHECK(bed.client.queued() == 2);
        bed.server.isUp = true;
        CHECK(bed.until([&] { return bed.server.received.size() == 2; }));
        CHECK(bed.client.queued() == 0);
        CHECK(bed.client.send("after"));
        bed.pass(1000);
        std::vector<std::string> expected = {"before begin", "before the session", "after"};
        CHECK(bed.server.received == expected);
    });
    test("texts, bytes and Strings; empty messages, the longest, and none that is longer", [] {
        Bed bed;
        bed.server.echoes = true;
        CHECK(bed.open());
        uint8_t bytes[453];
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
        CHECK(bed.client.send(bytes, 452));
        CHECK(!bed.client.send(bytes, 453));
        CHECK(errorOf(bed.client) == "message is 453 bytes, at most 452");
        CHECK(!bed.client.send(bytes, 65536 + 10));
        CHECK(errorOf(bed.client) == "message is 65535 bytes, at most 452");
        CHECK(bed.client.send(String("a String")));
        CHECK(bed.client.send(""));
        CHECK(bed.until([&] { return bed.client.available() == 3; }));

        uint8_t buffer[452];
        CHECK(bed.client.nextLength() == 452);
        CHECK(bed.client.read(buffer, 451) == -1);
        CHECK(errorOf(bed.client) == "message has 452 bytes, the buffer less");
        CHECK(bed.client.read(buffer, sizeof buffer) == 452);
        CHECK(memcmp(buffer, bytes, 452) == 0);
        CHECK(bed.text() == "a String");
        CHECK(bed.client.nextLength() == 0);
        CHECK(bed.client.read(buffer, 0) == 0);
        CHECK(bed.client.read(buffer, sizeof buffer) == -1);
        CHECK(bed.client.available() == 0);
        CHECK(bed.text() == "");
    });
    test("text in flash goes in order with the others, at once or from the queue", [] {
        Bed bed;
        CHECK(bed.client.send("first"));
        CHECK(bed.client.send(F("second, in flash")));
        CHECK(bed.open());
        CHECK(bed.until([&] { return bed.server.received.size() == 2; }));
        CHECK(bed.client.send(F("third, in flash")));
        CHECK(bed.client.queued() == 0);
        CHECK(bed.client.send(F("")));
        bed.pass(500);
        std::vector<std::string> expected = {"first", "second, in flash", "third, in flash", ""};
        CHECK(bed.server.received == expected);

        static const std::string tooLong(453, 'x');
        CHECK(!bed.client.send(reinterpret_cast<const __FlashStringHelper *>(tooLong.c_str())));
        CHECK(errorOf(bed.client) == "message is 453 bytes, at most 452");
        bed.server.isStuck = true;
        int taken = 0;
        while (bed.client.send(F("0123456789 0123456789 0123456789 0123456789"))) taken++;
        CHECK(bed.client.lastError() == USMP_ERROR_BUSY);
        bed.server.isStuck = false;
        CHECK(bed.until([&] { return bed.server.received.size() == 4u + (unsigned)taken; }));
    });
    test("a line end alone sends what was gathered, whatever kind it is", [] {
        Bed bed;
        CHECK(bed.open());
        bed.client.print("unix");
        bed.client.print("\n");
        bed.client.print("dos");
        bed.client.write((const uint8_t *)"\r\n", 2);
        bed.client.print(F("flash"));
        bed.client.println();
        bed.client.print('c');
        bed.client.print(1);
        bed.client.print(String("s"));
        bed.client.write('\n');
        bed.pass(500);
        std::vector<std::string> expected = {"unix", "dos", "flash", "c1s"};
        CHECK(bed.server.received == expected);
    });
    test("a String has all bytes of its message", [] {
        Bed bed;
        CHECK(bed.open());
        CHECK(bed.server.send(std::string("a\0b\xff", 4)));
        CHECK(bed.until([&] { return bed.client.available() == 1; }));
        CHECK(bed.text() == std::string("a\0b\xff", 4));
    });
    test("a full queue takes nothing more, and says so; nothing that it took is lost", [] {
        Bed bed;
        std::vector<std::string> taken;
        for (int i = 0; i < 40; i++) {
            std::string message(100, (char)('0' + i));
            bool fits = bed.client.send(message.c_str());
            CHECK(fits == (i < 20));
            if (fits) taken.push_back(message);
        }
        CHECK(errorOf(bed.client) == "queue is full: 20 messages wait to be sent");
        CHECK(bed.client.lastError() == USMP_ERROR_BUSY);
        CHECK(bed.open());
        CHECK(bed.until([&] { return bed.server.received.size() == 20; }));
        CHECK(bed.server.received == taken);
    });
    test("what the session cannot take at once waits, and goes in order", [] {
        Bed bed;
        CHECK(bed.open());
        bed.server.isStuck = true;
        std::vector<std::string> taken;
        for (int i = 0; i < 100; i++) {
            std::string message(150, (char)(' ' + i));
            if (bed.client.send(message.c_str())) taken.push_back(message);
            bed.pass(20);
        }
        CHECK(taken.size() > 20 && taken.size() < 100);
        bed.server.isStuck = false;
        CHECK(bed.until([&] { return bed.server.received.size() == taken.size(); }));
        CHECK(bed.server.received == taken);
        CHECK(bed.client.lost() == 0);
    });
    test("print gathers; println and flush send one message without the line end", [] {
        Bed bed;
        CHECK(bed.open());
        bed.client.print("temperature ");
        bed.client.print(21.5, 1);
        bed.pass(500);
        CHECK(bed.server.received.empty());
        bed.client.println(" C");
        bed.client.println(42);
        bed.client.print("by flush");
        bed.client.flush();
        bed.client.flush();
        bed.client.println();
        bed.client.print("one\ntwo\r\n");
        bed.pass(500);
        std::vector<std::string> expected = {"temperature 21.5 C", "42", "by flush", "", "one", "two"};
        CHECK(bed.server.received == expected);
    });
    test("a line that is too long is not sent in part, and the next one is whole again", [] {
        Bed bed;
        CHECK(bed.open());
        CHECK(bed.client.println(std::string(452, 'x').c_str()) == 454);
        CHECK(bed.client.getWriteError() == 0);
        CHECK(bed.client.println(std::string(453, 'y').c_str()) == 454);
        CHECK(bed.client.getWriteError() != 0);
        CHECK(errorOf(bed.client) == "line is longer than 452 bytes");
        bed.client.println("next");
        bed.pass(500);
        CHECK(bed.server.received.size() == 2);
        CHECK(bed.server.received[0] == std::string(452, 'x'));
        CHECK(bed.server.received[1] == "next");
    });
    test("messages that are not read stay, and hold back what comes behind them", [] {
        Bed bed;
        CHECK(bed.open());
        for (int i = 0; i < 6; i++) CHECK(bed.server.send(std::string(450, (char)('0' + i))));
        bed.pass(3000);
        CHECK(bed.client.available() == 4);
        for (int i = 0; i < 6; i++) {
            CHECK(bed.until([&] { return bed.client.available() > 0; }, 1000));
            CHECK(bed.text() == std::string(450, (char)('0' + i)));
        }
        CHECK(bed.client.dropped() == 0);
        CHECK(bed.client.connected());
    });
    test("where nobody reads for 5 s the oldest message gives way and is counted, and the session lives", [] {
        Bed bed;
        bed.pace = 50;
        CHECK(bed.open());
        for (int i = 0; i < 6; i++) CHECK(bed.server.send(std::string(450, (char)('0' + i))));
        bed.pass(6000);
        CHECK(bed.client.dropped() == 1);
        CHECK(errorOf(bed.client) == "a received message was dropped: nobody called read()");
        bed.pass(200000);
        CHECK(bed.client.dropped() == 2);
        CHECK(bed.client.connected());
        CHECK(bed.server.sessions == 1);
        CHECK(bed.text() == std::string(450, '2'));
    });
}

/* ── Callbacks ───────────────────────────────────────────────────────────────────────────────────────────────────── */

struct Seen {
    std::string log;
    int number = 0;
};

static void logConnect(USMPClient &client, void *user)
{
    ((Seen *)user)->log += client.connected() ? "connect " : "?";
}

static void logDisconnect(USMPClient &client, void *user)
{
    ((Seen *)user)->log += std::string("disconnect(") + usmp_error_code(client.lastError()) + ") ";
}

static void echo(USMPClient &client, const uint8_t *message, size_t length, void *user)
{
    Seen *seen = (Seen *)user;
    seen->log += std::string((const char *)message, length) + " ";
    CHECK(client.send(message, length));
    client.maintain();
    String none = client.read();
    CHECK(none.length() == 0);
    CHECK(client.available() == 0);
    CHECK(std::string((const char *)message, length).size() == length);
}

static void callbacks()
{
    test("callbacks come in order, with what was given along, and may use the client", [] {
        Bed bed;
        Seen seen;
        bed.client.onConnect(logConnect, &seen);
        bed.client.onDisconnect(logDisconnect, &seen);
        bed.client.onMessage(echo, &seen);
        CHECK(bed.open());
        CHECK(bed.server.send("one"));
        CHECK(bed.server.send("two"));
        CHECK(bed.until([&] { return bed.server.received.size() == 2; }));
        std::vector<std::string> expected = {"one", "two"};
        CHECK(bed.server.received == expected);
        bed.server.sayBye();
        CHECK(bed.until([&] { return bed.server.sessions == 2 && bed.client.connected(); }));
        CHECK(seen.log == "connect one two disconnect(bye) connect ");
        CHECK(bed.client.available() == 0);
    });
    test("begin() in a callback is refused, close() is done when the callback has returned", [] {
        Bed bed;
        Seen seen;
        bed.client.onConnect(
            [](USMPClient &client, void *user) {
                CHECK(!client.begin(Bed::tcp()));
                ((Seen *)user)->log = client.errorText();
                CHECK(client.send("last words"));
                client.close();
                CHECK(client.state() == USMPState::Closing);
            },
            &seen);
        CHECK(bed.client.beginAsync(Bed::tcp()));
        CHECK(bed.until([&] { return bed.client.state() == USMPState::Idle; }));
        CHECK(seen.log == "begin() cannot be called in a callback");
        CHECK(bed.server.received.size() == 1);
        CHECK(bed.server.byes == 1);
    });
    test("a callback that is set just before close() gets all that has waited, and is a callback there too", [] {
        Bed bed;
        Seen seen;
        CHECK(bed.open());
        for (char name = 'a'; name < 'g'; name++) CHECK(bed.server.send(std::string(400, name)));
        bed.pass(500);
        CHECK(bed.client.available() == 5);
        bed.client.onMessage(
            [](USMPClient &client, const uint8_t *message, size_t length, void *user) {
                CHECK(length == 400);
                ((Seen *)user)->log += (char)message[0];
                CHECK(!client.beginAsync(Bed::tcp()));
            },
            &seen);
        CHECK(bed.client.close());
        CHECK(seen.log == "abcdef");
        CHECK(bed.client.dropped() == 0);
        CHECK(bed.client.state() == USMPState::Idle);
    });
    test("a callback that is set late gets what has waited", [] {
        Bed bed;
        Seen seen;
        CHECK(bed.open());
        CHECK(bed.server.send("early"));
        CHECK(bed.until([&] { return bed.client.available() == 1; }));
        bed.client.onMessage(echo, &seen);
        CHECK(bed.until([&] { return bed.server.received.size() == 1; }));
        CHECK(seen.log == "early ");
    });
    test("begin() while a session is open ends that one, and says so", [] {
        Bed bed;
        Seen seen;
        bed.client.onConnect(logConnect, &seen);
        bed.client.onDisconnect(
            [](USMPClient &client, void *user) {
                CHECK(client.lastError() == USMP_ERROR_CLOSED);
                ((Seen *)user)->log += "disconnect ";
                client.close();
            },
            &seen);
        CHECK(bed.open());
        CHECK(bed.open());
        CHECK(seen.log == "connect disconnect connect ");
    });
}

/* ── The session ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void session()
{
    test("the session has an id, the same at both ends; states are what they are called", [] {
        Bed bed;
        CHECK(bed.client.state() == USMPState::Idle);
        CHECK(std::string(bed.client.sessionId()) == "");
        CHECK(bed.client.beginAsync(Bed::tcp()));
        CHECK(bed.client.state() == USMPState::Offline);
        CHECK(bed.until([&] { return bed.client.connected() && bed.server.isConnected(); }));
        CHECK(bed.client.state() == USMPState::Connected);
        CHECK((bool)bed.client);
        CHECK(bed.server.sessionId == bed.client.sessionId());
        CHECK(bed.client.lastError() == USMP_OK);
        CHECK(errorOf(bed.client) == "no error");
    });
    test("keys change, and messages go on under the new ones; without a session they cannot", [] {
        Bed bed;
        CHECK(!bed.client.rekey());
        CHECK(errorOf(bed.client) == "no session is open");
        CHECK(!bed.client.rekey());
        CHECK(bed.client.lastError() == USMP_ERROR_NOT_CONNECTED);
        CHECK(bed.open());
        CHECK(bed.client.send("before"));
        CHECK(bed.client.rekey());
        CHECK(bed.client.send("after"));
        CHECK(bed.until([&] { return bed.server.received.size() == 2; }));
        bed.pass(1000);
        CHECK(bed.server.sessions == 1 && bed.client.connected());
    });
    test("a server that has vanished is noticed: interval, and three times the time-out", [] {
        Bed bed;
        bed.pace = 20;
        bed.client.keepalive(10000, 2000);
        CHECK(bed.open());
        bed.server.isCut = true;
        uint32_t since = (uint32_t)millis();
        CHECK(bed.until([&] { return !bed.client.connected(); }));
        uint32_t took = (uint32_t)millis() - since;
        CHECK(took >= 15500 && took < 16500);
        CHECK(bed.client.lastError() == USMP_ERROR_IDLE_TIMEOUT);
    });
    test("keepalive(0) sends no PING", [] {
        Bed bed;
        bed.pace = 500;
        bed.client.keepalive(0);
        CHECK(bed.open());
        bed.server.isCut = true;
        bed.pass(3600000);
        CHECK(bed.client.connected());
    });
    test("with a silent sketch PINGs keep the session, for a day", [] {
        Bed bed;
        bed.pace = 250;
        CHECK(bed.open());
        bed.pass(86400000);
        CHECK(bed.client.connected());
        CHECK(bed.server.sessions == 1);
    });
    test("unconfirmed() counts until a PONG proves it; ping() asks for that", [] {
        Bed bed;
        CHECK(!bed.client.ping());
        CHECK(bed.open());
        CHECK(bed.client.send("one"));
        CHECK(bed.client.send("two"));
        CHECK(bed.client.unconfirmed() == 2);
        bed.pass(1000);
        CHECK(bed.client.unconfirmed() == 2);
        CHECK(bed.client.ping());
        CHECK(bed.client.send("three"));
        CHECK(bed.until([&] { return bed.client.unconfirmed() == 1; }, 1000));
        bed.pass(31000);
        CHECK(bed.client.unconfirmed() == 0);
    });
    test("what was handed to a session that broke is not sent again, and counted", [] {
        Bed bed;
        CHECK(bed.open());
        bed.server.isCut = true;
        CHECK(bed.client.send("into the void"));
        CHECK(bed.client.send("this too"));
        bed.server.isCut = false;
        bed.server.breakOff();
        CHECK(bed.until([&] { return !bed.client.connected(); }));
        CHECK(bed.client.lost() == 2);
        CHECK(bed.client.lastError() == USMP_ERROR_CONNECTION_LOST);
        CHECK(bed.client.send("afterwards"));
        CHECK(bed.until([&] { return bed.server.received.size() == 1; }));
        bed.pass(1000);
        CHECK(bed.server.received == std::vector<std::string>{"afterwards"});
        CHECK(bed.client.sessions() == 2);
    });
}

/* ── Closing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** While `close` waits, the world has to go on. */
class Stepping : public Server {
  public:
    size_t available() override
    {
        step();
        return Server::available();
    }
};

static void closing()
{
    test("close() sends what waits, says BYE, and does not connect again", [] {
        Stepping server;
        USMPClient client(KEY);
        shimForgetWifi();
        CHECK(client.begin(Bed::tcp()));
        CHECK(client.connected());
        for (int i = 0; i < 5; i++) CHECK(client.send(std::string(400, 'x').c_str()));
        client.print("gathered");
        CHECK(client.close());
        CHECK(server.received.size() == 6);
        CHECK(server.byes == 1);
        CHECK(client.state() == USMPState::Idle);
        CHECK(client.lost() == 0);
        for (int i = 0; i < 1000; i++) {
            client.maintain();
            delay(100);
        }
        CHECK(server.sessions == 1);
        CHECK(client.begin(Bed::tcp()));
        CHECK(server.sessions == 2);
    });
    test("close() without a server gives up in time, and counts what is dropped", [] {
        Bed bed;
        bed.server.isUp = false;
        CHECK(bed.client.beginAsync(Bed::tcp()));
        bed.pass(1000);
        CHECK(bed.client.send("one"));
        CHECK(bed.client.send("two"));
        uint32_t since = (uint32_t)millis();
        CHECK(!bed.client.close(1500));
        CHECK((uint32_t)millis() - since >= 1500 && (uint32_t)millis() - since < 1600);
        CHECK(errorOf(bed.client) == "closed, and 2 messages were not sent");
        CHECK(bed.client.lost() == 2);
        CHECK(bed.client.queued() == 0);
        CHECK(bed.client.state() == USMPState::Idle);
    });
    test("close() of what is closed is quick", [] {
        Bed bed;
        uint32_t since = (uint32_t)millis();
        CHECK(bed.client.close());
        CHECK((uint32_t)millis() - since < 5);
    });
}

/* ── Connecting again ────────────────────────────────────────────────────────────────────────────────────────────── */

static void reconnecting()
{
    test("it connects again, and the waits are random, double, and have a cap", [] {
        Bed bed;
        bed.pace = 10;
        CHECK(bed.open());
        bed.server.isUp = false;
        bed.server.breakOff();
        bed.server.attemptedAt.clear();
        uint32_t since = (uint32_t)millis();
        CHECK(bed.until([&] { return bed.server.attemptedAt.size() == 40; }, 40 * 61000));
        uint32_t before = since;
        uint32_t longest = 0;
        uint32_t sum = 0;
        for (unsigned i = 0; i < 40; i++) {
            uint32_t wait = bed.server.attemptedAt[i] - before;
            before = bed.server.attemptedAt[i];
            uint32_t ceiling = i < 7 ? 500u << i : 60000u;
            CHECK(wait <= ceiling + 50);
            if (i >= 7) sum += wait;
            if (wait > longest) longest = wait;
        }
        CHECK(longest > 30000);
        CHECK(sum / 33 > 15000 && sum / 33 < 45000);
        bed.server.isUp = true;
        CHECK(bed.until([&] { return bed.client.connected(); }));
    });
    test("a server that ends each session at once is not tried at full speed; one that lasted begins anew", [] {
        Bed bed;
        bed.pace = 10;
        CHECK(bed.open());
        for (int i = 0; i < 12; i++) {
            bed.server.sayBye();
            CHECK(bed.until([&] { return !bed.client.connected(); }));
            CHECK(bed.until([&] { return bed.client.connected(); }));
        }
        bed.pass(61000);
        bed.server.sayBye();
        CHECK(bed.until([&] { return !bed.client.connected(); }));
        uint32_t since = (uint32_t)millis();
        CHECK(bed.until([&] { return bed.client.connected(); }));
        CHECK((uint32_t)millis() - since < 800);
    });
    test("a wrong key is refused, said, and tried slowly, until it is put right", [] {
        Bed bed;
        bed.pace = 20;
        bed.server.key = "another-key-of-16+";
        CHECK(bed.client.beginAsync(Bed::tcp()));
        CHECK(bed.until([&] { return bed.client.lastError() == USMP_ERROR_REFUSED || bed.client.lastError() == USMP_ERROR_ROGUE_SERVER; }));
        CHECK(errorOf(bed.client).find("key") != std::string::npos);
        bed.pass(600000);
        CHECK(bed.server.connects >= 8 && bed.server.connects < 60);
        bed.server.key = KEY;
        CHECK(bed.until([&] { return bed.client.connected(); }));
    });
    test("begin() waits for the session, no longer than it is told, and maintain() goes on", [] {
        Bed bed;
        bed.server.isUp = false;
        uint32_t since = (uint32_t)millis();
        CHECK(!bed.client.begin(Bed::tcp(), 4000));
        CHECK((uint32_t)millis() - since >= 4000 && (uint32_t)millis() - since < 4010);
        CHECK(bed.client.lastError() == USMP_ERROR_UNREACHABLE);
        CHECK(errorOf(bed.client) == "nothing listens there: check host, port, and the network");
        bed.server.isUp = true;
        CHECK(bed.until([&] { return bed.client.connected(); }));
    });
    test("a host that has no address is said", [] {
        Bed bed;
        CHECK(!bed.client.begin(USMP::TCP("nobody.example").wifi("SSID", "password"), 1000));
        CHECK(errorOf(bed.client) == "no address found for the host: check its name, and DNS");
        CHECK(bed.client.beginAsync(USMP::TCP("usmp.example", 1234).wifi("SSID", "password")));
        CHECK(bed.until([&] { return bed.client.connected(); }));
    });
}

static void wifi()
{
    test("Wi-Fi that is not there, or does not want us, is said", [] {
        Bed bed;
        CHECK(!bed.client.begin(USMP::TCP("192.168.1.100").wifi("nowhere", "password"), 1000));
        CHECK(errorOf(bed.client) == "no Wi-Fi of that name in reach");
        CHECK(bed.client.state() == USMPState::Offline);
        shimForgetWifi();
        CHECK(!bed.client.begin(USMP::TCP("192.168.1.100").wifi("SSID", "wrong"), 1000));
        CHECK(errorOf(bed.client) == "Wi-Fi refused us: check its password");
        CHECK(bed.server.attemptedAt.empty());
    });
    test("Wi-Fi that is lost ends the session; when it is back there is another, and nothing is tried meanwhile", [] {
        Bed bed;
        CHECK(bed.open());
        shimAir = false;
        CHECK(bed.until([&] { return !bed.client.connected(); }));
        CHECK(bed.client.send("meanwhile"));
        bed.server.breakOff();
        size_t attempts = bed.server.attemptedAt.size();
        bed.pass(300000);
        CHECK(bed.server.attemptedAt.size() == attempts);
        CHECK(bed.client.state() == USMPState::Offline);
        CHECK(shimJoins >= 10);
        shimAir = true;
        CHECK(bed.until([&] { return bed.client.connected(); }, 2000));
        CHECK(bed.until([&] { return bed.server.received.size() == 1; }, 1000));
    });
    test("a network that the sketch has joined is left to the sketch", [] {
        Bed bed;
        CHECK(bed.client.beginAsync(USMP::TCP(IPAddress(192, 168, 1, 100))));
        CHECK(bed.until([&] { return bed.client.connected(); }));
        CHECK(shimJoins == 0);
    });
}

static void overClients()
{
    test("over a client of the sketch, which the library connects", [] {
        Bed bed;
        WiFiClient other;
        CHECK(bed.client.beginAsync(USMP::Over(other, "192.168.1.100")));
        CHECK(bed.until([&] { return bed.client.connected(); }));
        bed.server.breakOff();
        CHECK(bed.until([&] { return bed.server.sessions == 2; }));
        CHECK(bed.client.close());
    });
    test("over a client that needs Wi-Fi, which the library joins, and joins again", [] {
        Bed bed;
        WiFiClient other;
        CHECK(bed.client.beginAsync(USMP::Over(other, "192.168.1.100").wifi("SSID", "password")));
        CHECK(bed.until([&] { return bed.client.connected(); }));
        CHECK(shimJoins == 1);
        shimAir = false;
        CHECK(bed.until([&] { return !bed.client.connected(); }));
        bed.server.breakOff();
        shimAir = true;
        CHECK(bed.until([&] { return bed.client.connected() && bed.server.sessions == 2; }));
        shimForgetWifi();
        CHECK(!bed.client.begin(USMP::Over(other).wifi("nowhere"), 500));
        CHECK(errorOf(bed.client) == "no Wi-Fi of that name in reach");
    });
    test("over a client that the sketch connects: a session each time that it is", [] {
        Bed bed;
        WiFiClient other;
        CHECK(bed.client.beginAsync(USMP::Over(other)));
        bed.pass(10000);
        CHECK(bed.server.attemptedAt.empty());
        CHECK(bed.client.state() == USMPState::Offline);
        CHECK(errorOf(bed.client) == "the client of the sketch is not connected");
        for (unsigned i = 1; i <= 2; i++) {
            CHECK(other.connect(IPAddress(192, 168, 1, 100), 9000) == 1);
            CHECK(bed.until([&] { return bed.client.connected(); }, 2000));
            CHECK(bed.server.sessions == i);
            bed.server.breakOff();
            CHECK(bed.until([&] { return !bed.client.connected(); }, 2000));
        }
    });
}

/* ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void blocking()
{
    test("maintain() does one slow thing at most: one X25519, or one attempt to connect within its time-out", [] {
        Bed bed;
        x25519Time = 200000;
        bed.server.isUp = false;
        bed.server.isSilent = true;
        CHECK(bed.client.beginAsync(Bed::tcp()));
        unsigned mostThings = 0;
        uint64_t longest = 0;
        for (int i = 0; i < 120000; i++) {
            if (i == 10000) bed.server.isUp = true;
            if (i == 50000) bed.server.breakOff();
            if (i == 90000) bed.server.isCut = true;
            if (i == 110000) shimAir = false;
            slow = Slow();
            uint64_t since = shimNow;
            bed.client.maintain();
            if (shimNow - since > longest) longest = shimNow - since;
            if (slow.computed + slow.connected > mostThings) mostThings = slow.computed + slow.connected;
            bed.server.step();
            delay(5);
        }
        CHECK(mostThings == 1);
        CHECK(longest <= 2000000);
        CHECK(bed.server.sessions >= 2);
    });
    test("the key pair is made before the transport opens, so HELLO follows at once", [] {
        Bed bed;
        x25519Time = 5000000;
        CHECK(bed.client.beginAsync(Bed::tcp()));
        while (bed.server.connects == 0) bed.step();
        uint32_t opened = bed.server.connectedAt[0];
        bed.server.step();
        CHECK(bed.server.deviceId == "246f28aabbcc");
        CHECK((uint32_t)millis() - opened < 100);
    });
}

int main()
{
    shimIsVirtual = true;
    /* Near the end of what millis() counts: all of it wraps on the way. */
    shimNow = (0x100000000ull - 200000u) * 1000u;
    keys();
    messages();
    callbacks();
    session();
    closing();
    reconnecting();
    wifi();
    overClients();
    blocking();
    return finish();
}
