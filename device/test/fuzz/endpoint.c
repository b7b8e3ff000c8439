/**
 * A socket that serves many, and a serial line that outlives its sessions: two clients with a key, a stranger without, and whatever
 * else comes. Messages reach the one that they are from and for, in order and once; without a cookie from its own address nobody
 * begins a handshake, and gets no more bytes than it has sent; nobody without the key ends a session of others.
 */
#include "usmp/endpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "usmp/bytes.h"
#include "usmp/frame.h"
#include "usmp/serial_endpoint.h"

#include "ends.h"

#define CLIENTS 3u
#define STRANGER 2u
#define PEERS 3u
#define QUEUED 16u

typedef struct datagram {
    uint8_t bytes[USMP_MAX_FRAME + USMP_COBS_OVERHEAD];
    size_t length;
    uint8_t client;
} datagram_t;

typedef struct queue {
    datagram_t items[QUEUED];
    unsigned count;
} queue_t;

/** A message says whose it is, of which try to connect, and its number. */
typedef struct client {
    usmp_t usmp;
    usmp_settings_t settings;
    uint8_t generation;
    uint8_t sent;
    uint8_t taken;
    bool open;
} client_t;

static const uint8_t PSK[] = "the key of all devices";
static const uint8_t WRONG_PSK[] = "the key of no device";
static const uint8_t DECOY[32] = "nobody has this key";
static const usmp_key_t KEY = {PSK, sizeof PSK - 1};

static uint32_t now;
static bool serial;
static client_t clients[CLIENTS];
static usmp_settings_t settings;
static usmp_peer_t peers[PEERS];
static usmp_endpoint_t endpoint;
static usmp_serial_endpoint_t line;
static queue_t to_server;
static queue_t to_clients;
/** Something was changed on the line, or time was skipped: sessions may end. */
static bool disturbed;
/** By the connection of the server: the newest message that has come. */
static struct {
    uint8_t generation, number;
    bool any;
} taken[PEERS];

static usmp_t *server_side(unsigned index)
{
    return serial ? &line.peers[index] : &peers[index].usmp;
}

static unsigned server_count(void)
{
    return serial ? 2 : PEERS;
}

static void put(queue_t *queue, const uint8_t *bytes, size_t length, uint8_t client)
{
    if (queue->count == QUEUED) {
        disturbed = true;
        return;
    }
    datagram_t *item = &queue->items[queue->count++];
    memcpy(item->bytes, bytes, length);
    item->length = length;
    item->client = client;
}

static datagram_t take_out(queue_t *queue, unsigned index)
{
    datagram_t item = queue->items[index];
    queue->count--;
    memmove(&queue->items[index], &queue->items[index + 1], (queue->count - index) * sizeof item);
    return item;
}

/* ── Applications ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void serve_event(unsigned index, const usmp_event_t *event)
{
    usmp_t *usmp = server_side(index);
    uint8_t whose = serial ? 0 : peers[index].source[0];
    trace("  server %u is told %u (%s)\n", index, event->type, usmp_error_code(event->error));
    switch (event->type) {
    case USMP_EVENT_KEYS_WANTED:
        taken[index].any = false;
        usmp_provide_keys(usmp, event->data, &KEY, 1, now);
        break;
    case USMP_EVENT_OPEN: REQUIRE(serial || whose != STRANGER, "a stranger is not let in"); break;
    case USMP_EVENT_MESSAGE:
        REQUIRE(event->length == 3 && (serial || event->data[0] == whose), "a message comes from where it was sent");
        REQUIRE(event->data[0] != STRANGER, "a stranger says nothing");
        REQUIRE(!taken[index].any || taken[index].generation == event->data[1], "a session has messages of one session");
        REQUIRE(!taken[index].any || taken[index].number < event->data[2], "messages arrive in order, and once");
        taken[index].any = true;
        taken[index].generation = event->data[1];
        taken[index].number = event->data[2];
        /* Echo, as far as there is room. */
        (void)!usmp_send(usmp, event->data, 0, now);
        break;
    default: break;
    }
}

static void be_timely(usmp_t *usmp)
{
    for (unsigned i = 0; usmp_poll_timeout(usmp, now) == 0; i++) {
        REQUIRE(i < 8, "what is due is done by usmp_handle_timeout");
        usmp_handle_timeout(usmp, now);
    }
}

static void drain_server(void)
{
    usmp_event_t event;
    size_t length;
    const uint8_t *bytes;
    for (unsigned i = 0; i < server_count(); i++) {
        usmp_t *usmp = server_side(i);
        be_timely(usmp);
        while (usmp_poll_event(usmp, &event)) serve_event(i, &event);
        for (unsigned n = 0; !serial && (bytes = usmp_poll_transmit(usmp, now, &length)) != NULL; n++) {
            REQUIRE(n < 300, "output comes to an end");
            put(&to_clients, bytes, length, peers[i].source[0]);
            usmp_transmitted(usmp, length, now);
        }
    }
    for (unsigned n = 0; serial && (bytes = usmp_serial_endpoint_poll_transmit(&line, now, &length)) != NULL; n++) {
        REQUIRE(n < 300, "output comes to an end");
        if (length > sizeof to_clients.items[0].bytes) length = sizeof to_clients.items[0].bytes;
        put(&to_clients, bytes, length, 0);
        usmp_serial_endpoint_transmitted(&line, length, now);
    }
}

static void drain_client(unsigned index)
{
    client_t *client = &clients[index];
    usmp_event_t event;
    size_t length;
    const uint8_t *bytes;
    be_timely(&client->usmp);
    while (usmp_poll_event(&client->usmp, &event)) {
        trace("  client %u is told %u (%s)\n", index, event.type, usmp_error_code(event.error));
        REQUIRE(event.type != USMP_EVENT_OPEN || index != STRANGER, "a stranger is not let in");
        if (event.type == USMP_EVENT_OPEN) client->open = true;
        if (event.type == USMP_EVENT_CLOSED) client->open = false;
        bool undisturbed = serial && index == 0 && !disturbed && event.type == USMP_EVENT_CLOSED;
        REQUIRE(!undisturbed || event.error == USMP_ERROR_CLOSED || event.error == USMP_ERROR_REFUSED ||
                    event.error == USMP_ERROR_HANDSHAKE_TIMEOUT,
                "nobody without the key ends a session of others");
    }
    for (unsigned n = 0; (bytes = usmp_poll_transmit(&client->usmp, now, &length)) != NULL; n++) {
        REQUIRE(n < 300, "output comes to an end");
        if (length > sizeof to_server.items[0].bytes) length = sizeof to_server.items[0].bytes;
        put(&to_server, bytes, length, (uint8_t)index);
        usmp_transmitted(&client->usmp, length, now);
    }
}

/* ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned busy_peers(uint8_t source)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PEERS; i++) {
        count += usmp_state(&peers[i].usmp) != USMP_STATE_IDLE && peers[i].source_length > 0 && peers[i].source[0] == source;
    }
    return count;
}

static void take_datagram(const datagram_t *datagram, uint8_t source)
{
    static const uint8_t SOURCES[CLIENTS + 1][USMP_MAX_SOURCE] = {{0, 1, 2, 3, 4, 5}, {1, 1, 2, 3, 4, 5}, {2}, {3, 3}};
    static const size_t LENGTHS[CLIENTS + 1] = {6, 6, USMP_MAX_SOURCE, 2};
    size_t answered = 0;
    unsigned before = busy_peers(source);
    uint8_t *exact = malloc(datagram->length + 1);
    memcpy(exact, datagram->bytes, datagram->length);
    usmp_peer_t *peer =
        usmp_endpoint_handle_datagram(&endpoint, exact, datagram->length, SOURCES[source], LENGTHS[source], now);
    free(exact);
    for (unsigned i = 0; i < 2; i++) {
        if (endpoint.answer_lengths[i] == 0) continue;
        answered += endpoint.answer_lengths[i];
        put(&to_clients, endpoint.answers[i], endpoint.answer_lengths[i], source);
    }
    REQUIRE(answered <= datagram->length, "who has shown no cookie gets no more bytes than it has sent");
    REQUIRE(peer == NULL || peer->source[0] == source, "a datagram goes to a peer of its source");
    REQUIRE(busy_peers(source) <= before || datagram->length == USMP_HEADER_LENGTH + USMP_HELLO_LENGTH + USMP_COOKIE_LENGTH,
            "only a HELLO with a cookie begins a handshake");
    REQUIRE(busy_peers(3) == 0, "a cookie is of no use at another address");
}

static void deliver_to_server(unsigned index, uint8_t from_elsewhere)
{
    if (to_server.count == 0) return;
    datagram_t item = take_out(&to_server, index % to_server.count);
    if (!serial) {
        take_datagram(&item, from_elsewhere != 0 ? 3 : item.client);
    } else {
        size_t at = 0;
        for (unsigned i = 0; at < item.length; i++) {
            REQUIRE(i < 2000, "bytes are taken in the end");
            size_t count = usmp_serial_endpoint_handle_input(&line, item.bytes + at, item.length - at, now);
            REQUIRE(count <= item.length - at, "no more is taken than was given");
            at += count;
            drain_server();
        }
    }
    drain_server();
}

/** On a serial line all hear what the server says, and only who speaks there can be meant. */
static void deliver_to_client(unsigned index)
{
    if (to_clients.count == 0) return;
    datagram_t item = take_out(&to_clients, index % to_clients.count);
    if (item.client >= CLIENTS) return;
    usmp_t *usmp = &clients[item.client].usmp;
    for (size_t at = 0, i = 0; at < item.length; i++) {
        REQUIRE(i < 2000, "bytes are taken in the end");
        size_t count = usmp_handle_input(usmp, item.bytes + at, item.length - at, now);
        REQUIRE(count <= item.length - at, "no more is taken than was given");
        at += count;
        drain_client(item.client);
        if (!serial) break;
    }
}

static void drain(void)
{
    for (unsigned i = 0; i < 400; i++) {
        for (unsigned c = 0; c < CLIENTS; c++) drain_client(c);
        drain_server();
        if (to_server.count == 0 && to_clients.count == 0) return;
        while (to_server.count > 0) deliver_to_server(0, 0);
        while (to_clients.count > 0) deliver_to_client(0);
    }
    broken("the conversations come to rest", __FILE__, __LINE__);
}

static void pass_time(uint32_t milliseconds)
{
    for (unsigned i = 0; i < 1000 && milliseconds > 0; i++) {
        uint32_t step = milliseconds;
        for (unsigned n = 0; n < CLIENTS + server_count(); n++) {
            const usmp_t *usmp = n < CLIENTS ? &clients[n].usmp : server_side(n - CLIENTS);
            uint32_t in = usmp_poll_timeout(usmp, now);
            if (in < step) step = in;
        }
        now += step;
        milliseconds -= step;
        drain();
    }
    disturbed |= milliseconds > 0;
    now += milliseconds;
}

static void flip(queue_t *queue, script_t *script)
{
    unsigned index = script_byte(script);
    size_t at = script_number(script);
    uint8_t mask = script_byte(script);
    if (queue->count == 0) return;
    datagram_t *item = &queue->items[index % queue->count];
    item->bytes[at % item->length] ^= mask;
    disturbed = true;
}

static void invent(script_t *script)
{
    uint8_t bytes[USMP_MAX_FRAME];
    size_t length = script_byte(script) % 80;
    uint8_t client = script_byte(script) % (CLIENTS + 1);
    for (size_t i = 0; i < length; i++) bytes[i] = script_byte(script);
    if (length >= USMP_HEADER_LENGTH && (bytes[0] & 1) != 0) {
        usmp_frame_write_header(bytes, (uint8_t)(bytes[3] % 11 + 1), usmp_load32(bytes + 4), length - USMP_HEADER_LENGTH);
        usmp_frame_write_checksum(bytes);
    }
    if (length > 0) put(&to_server, bytes, length, client);
    disturbed = true;
}

static void connect_client(unsigned index)
{
    client_t *client = &clients[index];
    client->generation++;
    client->sent = 0;
    client->open = false;
    (void)!usmp_connect(&client->usmp, &client->settings, now);
    /* The stranger speaks between frames of the others, who are on the same line. */
    drain_client(index);
}

static void send_from(unsigned index)
{
    client_t *client = &clients[index];
    uint8_t message[3] = {(uint8_t)index, client->generation, client->sent};
    if (client->sent == UINT8_MAX) return;
    if (usmp_send(&client->usmp, message, sizeof message, now) == USMP_OK) client->sent++;
}

static void act(uint8_t action, script_t *script)
{
    unsigned index = (action >> 5) % (serial ? 1 : STRANGER);
    trace("%u: action %u\n", now, action & 31);
    switch (action & 31) {
    case 0: connect_client(index); break;
    case 1: connect_client(STRANGER); break;
    case 2:
    case 3: send_from(index); break;
    case 4: deliver_to_server(script_byte(script), 0); break;
    case 5: deliver_to_server(0, 0); break;
    case 6: deliver_to_client(script_byte(script)); break;
    case 7: deliver_to_client(0); break;
    case 8: drain_client(index); break;
    case 9: drain(); break;
    case 10: pass_time((uint32_t)script_byte(script) * 20); break;
    case 11: pass_time((uint32_t)script_byte(script) * 400); break;
    case 12: flip(&to_server, script); break;
    case 13: flip(&to_clients, script); break;
    case 14: invent(script); break;
    case 15:
        if (to_server.count > 0) put(&to_server, to_server.items[0].bytes, to_server.items[0].length, to_server.items[0].client);
        disturbed = true;
        break;
    case 16:
        if (to_server.count > 0) (void)take_out(&to_server, 0);
        disturbed = true;
        break;
    case 17:
        if (to_clients.count > 0) (void)take_out(&to_clients, 0);
        disturbed = true;
        break;
    case 18: usmp_close(&clients[index].usmp, now); break;
    case 19: deliver_to_server(script_byte(script), 1); break;
    case 20: (void)!usmp_rekey(&clients[index].usmp, true); break;
    case 21:
        /* Who closes takes the session of a line from its client, of course. */
        disturbed = true;
        usmp_close(server_side(script_byte(script) % server_count()), now);
        break;
    case 22:
        now += script_number(script);
        disturbed = true;
        break;
    default: drain(); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script_t script = {data, data + (size < 1024 ? size : 1024)};
    uint8_t choice = script_byte(&script);
    usmp_transport_t transport = (choice & 1) != 0 ? USMP_TRANSPORT_SERIAL : USMP_TRANSPORT_DATAGRAM;
    serial = (choice & 1) != 0;
    watch_begin(choice);
    now = (choice & 2) != 0 ? 0xFFFFF000 : 5000;
    disturbed = false;
    to_server.count = to_clients.count = 0;
    memset(taken, 0, sizeof taken);
    memset(&settings, 0, sizeof settings);
    settings.transport = transport;
    settings.decoy_key = DECOY;
    memset(clients, 0, sizeof clients);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].settings.transport = transport;
        clients[i].settings.psk = i == STRANGER ? WRONG_PSK : PSK;
        clients[i].settings.psk_length = (i == STRANGER ? sizeof WRONG_PSK : sizeof PSK) - 1;
        clients[i].settings.device_id[0] = (uint8_t)i;
    }
    memset(peers, 0, sizeof peers);
    memset(&line, 0, sizeof line);
    if (serial) REQUIRE(usmp_serial_endpoint_begin(&line, &settings, now) == USMP_OK, "a line can begin");
    else REQUIRE(usmp_endpoint_begin(&endpoint, &settings, peers, PEERS, now) == USMP_OK, "a socket can begin");
    for (unsigned i = 0; i < 100 && script.at < script.end; i++) act(script_byte(&script), &script);
    drain();
    for (unsigned i = 0; i < server_count(); i++) {
        usmp_wipe(server_side(i));
        watch_over(server_side(i));
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        usmp_wipe(&clients[i].usmp);
        watch_over(&clients[i].usmp);
    }
    return 0;
}
