/** Twelve hours of a device in a bad place: links that drop, Wi-Fi that goes, servers that restart, hang, or know another key. */
#include "world.h"

#include <USMP.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <set>

static const uint32_t HOURS = 12;
static const uint32_t HOUR = 3600000;

/** Between two rounds of loop(). Milliseconds. */
static const unsigned long PACE = 25;

/** The X25519 of an ESP32, and what maintain() may block: an attempt to connect (USMP_CONNECT_TIMEOUT). Microseconds. */
static const uint32_t COMPUTING = 200000;
static const uint64_t STATED = 2000000;

static uint32_t seed;

static uint32_t drawn(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

struct Trouble {
    const char *name;
    std::function<void(Server &)> begin;
    std::function<void(Server &)> end;
};

static const Trouble TROUBLES[] = {
    {"the link breaks", [](Server &server) { server.breakOff(); }, [](Server &) {}},
    {"the link is cut without a word", [](Server &server) { server.isCut = true; }, [](Server &server) { server.isCut = false; }},
    {"Wi-Fi is lost", [](Server &) { shimAir = false; }, [](Server &) { shimAir = true; }},
    {"the server is shut down", [](Server &server) { server.isUp = false; server.sayBye(); }, [](Server &server) { server.isUp = true; }},
    {"the server hangs", [](Server &server) { server.isStuck = true; }, [](Server &server) { server.isStuck = false; }},
    {"the server crashes", [](Server &server) { server.isUp = false; server.isSilent = true; server.breakOff(); },
     [](Server &server) { server.isUp = true; server.isSilent = false; }},
    {"the key is another one", [](Server &server) { server.key = "a-key-of-nobody-16+"; server.breakOff(); },
     [](Server &server) { server.key = "your-psk-here-16+"; }},
};

int main()
{
    shimIsVirtual = true;
    shimNow = 0xFFFF0000ull * 1000u;
    seed = getenv("USMP_NETWORK_SEED") != nullptr ? (uint32_t)atol(getenv("USMP_NETWORK_SEED")) : (uint32_t)time(nullptr);
    printf("# USMP_NETWORK_SEED=%u\n", seed);
    x25519Time = COMPUTING;

    Server server;
    server.echoes = true;
    USMPClient client("your-psk-here-16+");
    CHECK(client.beginAsync(USMP::TCP("192.168.1.100").wifi("SSID", "password")));

    std::set<unsigned> sent, refused, echoed;
    unsigned number = 0;
    unsigned troubles = 0;
    const Trouble *trouble = nullptr;
    uint64_t longest = 0;
    uint64_t end = shimNow + (uint64_t)HOURS * HOUR * 1000u;
    uint64_t nextMessage = shimNow;
    uint64_t nextTrouble = shimNow + 60000000u;
    uint64_t quiet = end - 600000000u;
    size_t heapAfterAnHour = 0;

    while (shimNow < end) {
        uint64_t since = shimNow;
        client.maintain();
        if (shimNow - since > longest) longest = shimNow - since;
        server.step();
        delay(PACE);

        if (shimNow >= nextMessage && shimNow < quiet) {
            std::string text = std::to_string(number) + std::string(drawn(120), '.');
            if (client.send(text.c_str())) sent.insert(number);
            else refused.insert(number);
            number++;
            nextMessage = shimNow + 1000u * (1000u + drawn(14000));
        }
        while (client.available() > 0) echoed.insert((unsigned)client.read().toInt());
        if (shimNow >= nextTrouble) {
            if (trouble != nullptr) trouble->end(server);
            bool on = trouble == nullptr && shimNow < quiet;
            trouble = on ? &TROUBLES[drawn(sizeof TROUBLES / sizeof TROUBLES[0])] : nullptr;
            if (on) {
                trouble->begin(server);
                troubles++;
            }
            nextTrouble = shimNow + 1000000u * (on ? 1 + drawn(240) : 30 + drawn(900));
        }
        if (heapAfterAnHour == 0 && shimNow > end - (uint64_t)(HOURS - 1) * HOUR * 1000u) heapAfterAnHour = mallinfo2().uordblks;
    }

    std::set<unsigned> arrived;
    size_t doubles = 0;
    bool inOrder = true;
    long before = -1;
    for (const std::string &text : server.received) {
        long at = atol(text.c_str());
        if (!arrived.insert((unsigned)at).second) doubles++;
        inOrder = inOrder && at > before;
        before = at;
    }
    size_t missing = 0;
    for (unsigned one : sent) missing += arrived.count(one) == 0;

    test("a device in a bad place is connected in the end, after many sessions", [&] {
        CHECK(client.connected());
        /* One may have ended before the client knew of it. */
        CHECK(client.sessions() <= server.sessions);
        CHECK(troubles > 40 && server.sessions > troubles / 3);
    });
    test("no message was lost silently: what is missing was counted, what was refused did not arrive", [&] {
        CHECK(sent.size() > 3000);
        CHECK(client.queued() == 0);
        CHECK(missing <= client.lost());
        for (unsigned one : refused) CHECK(arrived.count(one) == 0);
    });
    test("no message arrived twice, and none before an older one", [&] {
        CHECK(doubles == 0);
        CHECK(inOrder);
    });
    test("the count of what may be lost is not far from what is", [&] { CHECK(client.lost() <= missing + 8 * troubles); });
    test("maintain() stayed within its stated time", [&] { CHECK(longest <= STATED); });
    test("no memory has gone", [&] {
        size_t now = mallinfo2().uordblks;
        /* What the test itself keeps: the messages. */
        CHECK(now < heapAfterAnHour + 400 * (sent.size() + server.received.size()) + 100000);
    });
    printf("# %zu sent, %zu refused, %zu arrived, %zu missing, %u counted, %zu echoes, %u troubles, %u sessions, longest %.0f ms\n",
           sent.size(), refused.size(), arrived.size(), missing, (unsigned)client.lost(), echoed.size(), troubles, server.sessions,
           (double)longest / 1000.0);
    return finish();
}
