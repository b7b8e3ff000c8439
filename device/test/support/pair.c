#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seam.h"
#include "tap.h"

/** Rounds after which a connection that always wants something is taken for mad. */
#define MAX_ROUNDS 10000u

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *grown(void *memory, size_t size)
{
    void *larger = realloc(memory, size);
    if (larger == NULL) abort();
    return larger;
}

/** Of exactly this size, so that a sanitizer sees who reads beyond it. */
static uint8_t *copy_of(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = grown(NULL, length == 0 ? 1 : length);
    if (length > 0) memcpy(copy, bytes, length);
    return copy;
}

/* ── The line ────────────────────────────────────────────────────────────────────────────────────────────────────── */

unsigned frame_type(const pair_t *pair, const uint8_t *frame)
{
    if (pair->options.transport == USMP_TRANSPORT_SERIAL) return frame[5];
    return frame[0] == 0xAC ? 0 : frame[3];
}

size_t line_count_type(const line_t *line, unsigned type)
{
    size_t count = 0;
    for (size_t i = 0; i < line->frames; i++) count += line->types[i] == type;
    return count;
}

static void line_add(line_t *line, uint64_t at, const uint8_t *bytes, size_t length, bool begins, bool keeps_order)
{
    if (line->first == line->count) line->first = line->count = 0;
    if (line->count == line->size) {
        line->size = line->size * 2 + 16;
        line->pieces = grown(line->pieces, line->size * sizeof *line->pieces);
    }
    size_t place = line->count++;
    if (keeps_order && place > line->first && at < line->pieces[place - 1].at) at = line->pieces[place - 1].at;
    for (; place > line->first && at < line->pieces[place - 1].at; place--) line->pieces[place] = line->pieces[place - 1];
    line->pieces[place] = (piece_t){at, copy_of(bytes, length), length, begins};
}

/** Puts a frame on the line once. */
static void line_carry(pair_t *pair, end_t *end, uint8_t *frame, size_t length, uint32_t more_delay)
{
    const pair_options_t *options = &pair->options;
    bool is_datagram = options->transport == USMP_TRANSPORT_DATAGRAM;
    bool begins = options->transport == USMP_TRANSPORT_SERIAL && frame_type(pair, frame) == 0x01;
    size_t most = is_datagram || begins || options->largest_piece == 0 ? length : options->largest_piece;
    for (size_t start = 0; start < length;) {
        size_t size = most == length ? length : chance_between(&pair->chance, 1, (uint32_t)most);
        if (size > length - start) size = length - start;
        uint64_t at = pair->time + more_delay + chance_between(&pair->chance, options->least_delay, options->most_delay);
        line_add(&end->line, at, frame + start, size, begins, !is_datagram);
        start += size;
    }
}

static void line_write_frame(pair_t *pair, end_t *end, uint8_t *frame, size_t length)
{
    line_t *line = &end->line;
    const pair_options_t *options = &pair->options;
    if (line->frames % 64 == 0) line->types = grown(line->types, line->frames + 64);
    line->types[line->frames++] = (uint8_t)frame_type(pair, frame);
    if (line->corrupt_mask != 0 && line->corrupt_at >= line->written && line->corrupt_at < line->written + length) {
        frame[line->corrupt_at - line->written] ^= line->corrupt_mask;
    }
    line->written += length;
    pair->cut = 0;
    memset(pair->more_delay, 0, sizeof pair->more_delay);
    unsigned copies = options->path == NULL ? 1 : options->path(pair, end, frame, length);
    length -= pair->cut;
    if (line->silent) return;
    if (options->transport == USMP_TRANSPORT_DATAGRAM) {
        if (options->loses > 0 && chance_percent(&pair->chance, options->loses)) return;
        if (options->doubles > 0 && chance_percent(&pair->chance, options->doubles)) copies++;
        if (options->damages > 0 && chance_percent(&pair->chance, options->damages)) {
            frame[chance_between(&pair->chance, 0, (uint32_t)length - 1)] ^=
                (uint8_t)(1u << chance_between(&pair->chance, 0, 7));
        }
    }
    for (unsigned i = 0; i < copies; i++) line_carry(pair, end, frame, length, pair->more_delay[i % 4]);
}

/** Length of the first frame in what was written; 0 while it is not complete. */
static size_t frame_length(const pair_t *pair, const uint8_t *bytes, size_t length)
{
    if (pair->options.transport == USMP_TRANSPORT_DATAGRAM) return length;
    if (pair->options.transport == USMP_TRANSPORT_SERIAL) {
        const uint8_t *end = length > 1 ? memchr(bytes + 1, 0, length - 1) : NULL;
        return end == NULL ? 0 : (size_t)(end - bytes) + 1;
    }
    size_t size = length < 12 ? 12 : 12 + (size_t)bytes[8] + 256 * (size_t)bytes[9];
    return size <= length ? size : 0;
}

static void line_write(pair_t *pair, end_t *end, const uint8_t *bytes, size_t length)
{
    line_t *line = &end->line;
    if (line->partial_length + length > sizeof line->partial) abort();
    memcpy(line->partial + line->partial_length, bytes, length);
    line->partial_length += length;
    size_t size;
    while (line->partial_length > 0 && (size = frame_length(pair, line->partial, line->partial_length)) > 0) {
        uint8_t *frame = copy_of(line->partial, size);
        line->partial_length -= size;
        memmove(line->partial, line->partial + size, line->partial_length);
        line_write_frame(pair, end, frame, size);
        free(frame);
    }
}

static uint64_t line_next(const line_t *line)
{
    return line->first == line->count ? NO_TIME : line->pieces[line->first].at;
}

size_t line_take(line_t *line, uint8_t *out, size_t most)
{
    size_t taken = 0;
    while (line->first < line->count && taken < most) {
        piece_t *piece = &line->pieces[line->first];
        size_t size = piece->length < most - taken ? piece->length : most - taken;
        memcpy(out + taken, piece->bytes, size);
        taken += size;
        piece->length -= size;
        memmove(piece->bytes, piece->bytes + size, piece->length);
        if (piece->length > 0) break;
        free(piece->bytes);
        line->first++;
    }
    return taken;
}

static void line_free(line_t *line)
{
    for (size_t i = line->first; i < line->count; i++) free(line->pieces[i].bytes);
    free(line->pieces);
    free(line->types);
}

/* ── An end ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The connections of an end: one, or those that its endpoint has. */

static bool has_serial_endpoint(const pair_t *pair, const end_t *end)
{
    return pair->options.endpoint && end == &pair->server && pair->options.transport == USMP_TRANSPORT_SERIAL;
}

static bool has_socket(const pair_t *pair, const end_t *end)
{
    return pair->options.endpoint && end == &pair->server && pair->options.transport == USMP_TRANSPORT_DATAGRAM;
}

static size_t peer_count(const pair_t *pair, const end_t *end)
{
    return has_serial_endpoint(pair, end) ? 2 : has_socket(pair, end) ? PAIR_PEERS : 1;
}

static usmp_t *peer_of(pair_t *pair, end_t *end, size_t number)
{
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, end)) return &pair->serial.peers[number];
#endif
#if USMP_SERVER && USMP_DATAGRAM
    if (has_socket(pair, end)) return &pair->peers[number].usmp;
#endif
    (void)number;
    (void)pair;
    return &end->own;
}

static void find_newest(pair_t *pair, end_t *end)
{
    end->usmp = peer_of(pair, end, 0);
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, end)) end->usmp = &pair->serial.peers[pair->serial.newest];
#endif
#if USMP_SERVER && USMP_DATAGRAM
    for (size_t i = 1; has_socket(pair, end) && i < PAIR_PEERS; i++) {
        const usmp_peer_t *newest = (const usmp_peer_t *)(void *)end->usmp;
        if (pair->peers[i].order > newest->order) end->usmp = &pair->peers[i].usmp;
    }
#endif
}

static const uint8_t *poll_transmit(pair_t *pair, end_t *end, usmp_t *usmp, size_t *length)
{
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, end)) return usmp_serial_endpoint_poll_transmit(&pair->serial, pair_now(pair), length);
#endif
    (void)end;
    return usmp_poll_transmit(usmp, pair_now(pair), length);
}

static void transmitted(pair_t *pair, end_t *end, usmp_t *usmp, size_t length)
{
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, end)) {
        usmp_serial_endpoint_transmitted(&pair->serial, length, pair_now(pair));
        return;
    }
#endif
    (void)end;
    usmp_transmitted(usmp, length, pair_now(pair));
}

static size_t handle_input(pair_t *pair, end_t *end, uint8_t *bytes, size_t length)
{
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, end)) {
        return usmp_serial_endpoint_handle_input(&pair->serial, bytes, length, pair_now(pair));
    }
#endif
#if USMP_SERVER && USMP_DATAGRAM
    if (has_socket(pair, end)) {
        static const uint8_t source[6] = {192, 0, 2, 1, 0x12, 0x34};
        (void)usmp_endpoint_handle_datagram(&pair->socket, bytes, length, source, sizeof source, pair_now(pair));
        for (size_t i = 0; i < 2; i++) {
            if (pair->socket.answer_lengths[i] > 0)
                line_write(pair, end, pair->socket.answers[i], pair->socket.answer_lengths[i]);
        }
        return length;
    }
#endif
    return usmp_handle_input(end->usmp, bytes, length, pair_now(pair));
}

static uint32_t poll_timeout(const pair_t *pair, const end_t *end)
{
    uint32_t earliest = USMP_NEVER;
    for (size_t i = 0; i < peer_count(pair, end); i++) {
        uint32_t in = usmp_poll_timeout(peer_of((pair_t *)(uintptr_t)pair, (end_t *)(uintptr_t)end, i), pair_now(pair));
        if (in < earliest) earliest = in;
    }
    return earliest;
}

static void answer(pair_t *pair, usmp_t *usmp, const uint8_t *device_id)
{
#if USMP_SERVER
    if (!pair->options.leaves_keys_open) usmp_provide_keys(usmp, device_id, pair->keys, pair->key_count, pair_now(pair));
#else
    (void)pair;
    (void)usmp;
    (void)device_id;
#endif
}

static void log_event(pair_t *pair, end_t *end, usmp_t *usmp, const usmp_event_t *event)
{
    if (end->event_count == end->event_size) {
        end->event_size = end->event_size * 2 + 16;
        end->events = grown(end->events, end->event_size * sizeof *end->events);
    }
    logged_t *logged = &end->events[end->event_count++];
    logged->event = *event;
    logged->data = event->data == NULL ? NULL : copy_of(event->data, event->length);
    logged->event.data = logged->data;
    logged->at = pair->time;
    logged->usmp = usmp;
}

void end_drain_events(pair_t *pair, end_t *end)
{
    usmp_event_t event;
    unsigned rounds = 0;
    find_newest(pair, end);
    for (size_t i = 0; i < peer_count(pair, end); i++) {
        usmp_t *usmp = peer_of(pair, end, i);
        while (usmp_poll_event(usmp, &event)) {
            if (rounds++ == MAX_ROUNDS) {
                FAIL("%s never stops telling events", end->name);
                return;
            }
            log_event(pair, end, usmp, &event);
            if (event.type == USMP_EVENT_KEYS_WANTED) answer(pair, usmp, event.data);
        }
    }
}

/** Puts on the line what a connection wants to send. */
static void drain_output(pair_t *pair, end_t *end, usmp_t *usmp)
{
    size_t length;
    const uint8_t *bytes;
    bool is_datagram = pair->options.transport == USMP_TRANSPORT_DATAGRAM;
    for (unsigned rounds = 0; !end->line.blocked; rounds++) {
        bytes = poll_transmit(pair, end, usmp, &length);
        if (bytes == NULL) return;
        if (length == 0) FAIL("%s gives out nothing, but not null", end->name);
        if (rounds == MAX_ROUNDS) {
            FAIL("%s never stops sending", end->name);
            return;
        }
        if (end->line.capacity > 0 && length > end->line.capacity && !is_datagram) length = end->line.capacity;
        line_write(pair, end, bytes, length);
        transmitted(pair, end, usmp, length);
    }
}

void end_drain(pair_t *pair, end_t *end)
{
    for (unsigned rounds = 0; rounds < MAX_ROUNDS; rounds++) {
        end_drain_events(pair, end);
        for (size_t i = 0; i < peer_count(pair, end); i++) drain_output(pair, end, peer_of(pair, end, i));
        end_drain_events(pair, end);
        if (poll_timeout(pair, end) > 0) return;
        for (size_t i = 0; i < peer_count(pair, end); i++) usmp_handle_timeout(peer_of(pair, end, i), pair_now(pair));
    }
    FAIL("%s never comes to rest", end->name);
}

size_t end_take_output(pair_t *pair, end_t *end, uint8_t *out, size_t size)
{
    size_t length, taken = 0;
    const uint8_t *bytes;
    while ((bytes = poll_transmit(pair, end, end->usmp, &length)) != NULL) {
        if (taken + length > size) abort();
        memcpy(out + taken, bytes, length);
        taken += length;
        transmitted(pair, end, end->usmp, length);
    }
    return taken;
}

void end_input(pair_t *pair, end_t *end, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = copy_of(bytes, length);
    size_t taken = 0;
    unsigned idle = 0;
    do {
        size_t count = handle_input(pair, end, copy + taken, length - taken);
        if (count > length - taken) {
            FAIL("%s takes %zu of %zu bytes", end->name, count, length - taken);
            break;
        }
        taken += count;
        idle = count == 0 ? idle + 1 : 0;
        end_drain_events(pair, end);
    } while (taken < length && idle < 3);
    if (taken < length && pair->options.transport != USMP_TRANSPORT_DATAGRAM) FAIL("%s takes no more input", end->name);
    free(copy);
}

usmp_error_t end_send(pair_t *pair, end_t *end, const uint8_t *message, size_t length)
{
    uint8_t *copy = copy_of(message, length);
    bool could = usmp_can_send(end->usmp, length);
    bool spent = usmp_state(end->usmp) == USMP_STATE_OPEN && end->usmp->layer.record.tx_seq > 0xFFFFFF00u;
    usmp_error_t error = usmp_send(end->usmp, copy, length, pair_now(pair));
    if (could != (error == USMP_OK) && !spent && !seam_has_failed()) {
        FAIL("can_send says %d, send says %s", could, usmp_error_code(error));
    }
    /* The memory belongs to the caller again. */
    memset(copy, 0x5A, length);
    free(copy);
    return error;
}

void end_send_pattern(pair_t *pair, end_t *end, unsigned number, size_t length)
{
    uint8_t message[USMP_MAX_MESSAGE + 1];
    pattern(message, length, number);
    if (!usmp_can_send(end->usmp, length)) end_drain(pair, end);
    CHECK_OK(end_send(pair, end, message, length));
}

size_t end_count(const end_t *end, usmp_event_type_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < end->event_count; i++) count += end->events[i].event.type == type;
    return count;
}

const usmp_event_t *end_event(const end_t *end, usmp_event_type_t type, size_t n)
{
    for (size_t i = 0; i < end->event_count; i++) {
        if (end->events[i].event.type == type && n-- == 0) return &end->events[i].event;
    }
    return NULL;
}

usmp_error_t end_closed(const end_t *end)
{
    const usmp_event_t *event = end_event(end, USMP_EVENT_CLOSED, 0);
    return event == NULL ? USMP_OK : event->error;
}

void end_forget_events(end_t *end)
{
    for (size_t i = 0; i < end->event_count; i++) free(end->events[i].data);
    end->event_count = 0;
}

bool end_has_message(const end_t *end, size_t n, unsigned number, size_t length)
{
    uint8_t expected[2000];
    const usmp_event_t *event = end_event(end, USMP_EVENT_MESSAGE, n);
    if (event == NULL) return false;
    pattern(expected, length, number);
    return event->length == length && memcmp(event->data, expected, length) == 0;
}

/* ── Both ends ───────────────────────────────────────────────────────────────────────────────────────────────────── */

uint32_t pair_now(const pair_t *pair)
{
    return (uint32_t)(pair->options.clock + pair->time);
}

end_t *pair_other(pair_t *pair, const end_t *end)
{
    return end == &pair->client ? &pair->server : &pair->client;
}

static uint32_t time_or_never(uint32_t time)
{
    return time == 0 ? USMP_NEVER : time;
}

static void set_times(usmp_settings_t *settings, const usmp_settings_t *wanted)
{
    settings->handshake_timeout = wanted->handshake_timeout;
    settings->keepalive_interval = time_or_never(wanted->keepalive_interval);
    settings->keepalive_timeout = wanted->keepalive_timeout;
    settings->idle_timeout = time_or_never(wanted->idle_timeout);
}

static usmp_key_t key_of(const char *text)
{
    return (usmp_key_t){(const uint8_t *)text, strlen(text)};
}

void pair_begin(pair_t *pair, const pair_options_t *options)
{
    static const uint8_t device_id[6] = TEST_DEVICE_ID;
    memset(pair, 0, sizeof *pair);
    pair->options = *options;
    pair->client.usmp = &pair->client.own;
    pair->server.usmp = &pair->server.own;
    pair->chance.state = options->seed;
    seam_reset(options->seed + 1);
    if (options->seed > 0) test_context("seed %u", (unsigned)options->seed);

    for (size_t i = 0; i < 3 && options->server_keys[i] != NULL; i++)
        pair->keys[pair->key_count++] = key_of(options->server_keys[i]);
    if (pair->key_count == 0 && !options->knows_nobody) pair->keys[pair->key_count++] = key_of(TEST_PSK);
    usmp_key_t psk = key_of(options->client_key != NULL ? options->client_key : TEST_PSK);

    pair->client.name = "client";
    pair->client.settings.transport = pair->server.settings.transport = options->transport;
    pair->client.settings.psk = psk.bytes;
    pair->client.settings.psk_length = psk.length;
    memcpy(pair->client.settings.device_id, device_id, sizeof device_id);
    set_times(&pair->client.settings, &options->client);
    pair->server.name = "server";
    pair->server.settings.decoy_key = (const uint8_t *)TEST_DECOY;
    set_times(&pair->server.settings, &options->server);
    CHECK_OK(usmp_connect(pair->client.usmp, &pair->client.settings, pair_now(pair)));
#if USMP_SERVER && USMP_SERIAL
    if (has_serial_endpoint(pair, &pair->server)) {
        CHECK_OK(usmp_serial_endpoint_begin(&pair->serial, &pair->server.settings, pair_now(pair)));
    }
#endif
#if USMP_SERVER && USMP_DATAGRAM
    if (has_socket(pair, &pair->server)) {
        CHECK_OK(usmp_endpoint_begin(&pair->socket, &pair->server.settings, pair->peers, PAIR_PEERS, pair_now(pair)));
    }
#endif
    find_newest(pair, &pair->server);
#if USMP_SERVER
    if (!options->endpoint) CHECK_OK(usmp_accept(pair->server.usmp, &pair->server.settings, pair_now(pair)));
#endif
}

void pair_reset_client(pair_t *pair)
{
    usmp_wipe(pair->client.usmp);
    pair->client.line.partial_length = 0;
    end_forget_events(&pair->client);
    CHECK_OK(usmp_connect(pair->client.usmp, &pair->client.settings, pair_now(pair)));
}

void pair_open(pair_t *pair, const pair_options_t *options)
{
    pair_begin(pair, options);
    pair_settle(pair);
    CHECK_NUMBER(usmp_state(pair->client.usmp), USMP_STATE_OPEN);
    CHECK_NUMBER(usmp_state(pair->server.usmp), USMP_STATE_OPEN);
    end_forget_events(&pair->client);
    end_forget_events(&pair->server);
}

void pair_free(pair_t *pair)
{
    end_t *ends[] = {&pair->client, &pair->server};
    if (seam_violation() != NULL) FAIL("%s", seam_violation());
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < peer_count(pair, ends[i]); j++) {
            usmp_t *usmp = peer_of(pair, ends[i], j);
            usmp_wipe(usmp);
            if (seam_finds_secret(usmp, sizeof *usmp)) FAIL("a secret is left in the %s", ends[i]->name);
        }
        end_forget_events(ends[i]);
        free(ends[i]->events);
        line_free(&ends[i]->line);
    }
    if (seam_live_keys() > 0) FAIL("%u keys were not released", seam_live_keys());
}

static void flush(pair_t *pair)
{
    end_drain(pair, &pair->client);
    end_drain(pair, &pair->server);
}

static uint64_t deadline_of(const pair_t *pair, const end_t *end)
{
    uint32_t in = poll_timeout(pair, end);
    return in == USMP_NEVER ? NO_TIME : pair->time + in;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_arrival(const pair_t *pair)
{
    return least(line_next(&pair->client.line), line_next(&pair->server.line));
}

static uint64_t next_due(const pair_t *pair)
{
    uint64_t deadline = least(deadline_of(pair, &pair->client), deadline_of(pair, &pair->server));
    return least(deadline, next_arrival(pair));
}

/** The next piece to an end, if it has arrived. */
static void arrive(pair_t *pair, end_t *to)
{
    line_t *line = &pair_other(pair, to)->line;
    if (line_next(line) > pair->time) return;
    piece_t piece = line->pieces[line->first++];
#if USMP_SERVER
    /* A line brings every HELLO to a new conversation (§10). */
    if (piece.begins && to == &pair->server && !pair->options.endpoint) {
        CHECK_OK(usmp_accept(to->usmp, &to->settings, pair_now(pair)));
    }
#endif
    if (pair->options.watch != NULL) pair->options.watch(pair, to, piece.bytes, piece.length);
    end_input(pair, to, piece.bytes, piece.length);
    free(piece.bytes);
}

static void run_to(pair_t *pair, uint64_t at)
{
    uint64_t next = least(at, next_due(pair));
    if (next > pair->time) pair->time = next;
    arrive(pair, &pair->client);
    arrive(pair, &pair->server);
    flush(pair);
}

void pair_settle(pair_t *pair)
{
    uint64_t at;
    unsigned rounds = 0;
    flush(pair);
    while ((at = next_arrival(pair)) != NO_TIME) {
        if (rounds++ > 100 * MAX_ROUNDS) {
            FAIL("the line never comes to rest");
            return;
        }
        run_to(pair, at);
    }
}

void pair_advance(pair_t *pair, uint64_t milliseconds)
{
    uint64_t until = pair->time + milliseconds;
    uint64_t at;
    flush(pair);
    while ((at = next_due(pair)) <= until) run_to(pair, at);
    pair->time = until;
}

bool pair_step(pair_t *pair, uint64_t until)
{
    uint64_t at = next_due(pair);
    if (at > until) {
        pair->time = until;
        return false;
    }
    run_to(pair, at);
    return true;
}

void pair_inject(pair_t *pair, end_t *to, const uint8_t *bytes, size_t length, uint32_t delay)
{
    line_add(&pair_other(pair, to)->line, pair->time + delay, bytes, length, false, false);
}

void pair_deliver(pair_t *pair, end_t *to, size_t most)
{
    static uint8_t bytes[100000];
    flush(pair);
    size_t length = line_take(&pair_other(pair, to)->line, bytes, most < sizeof bytes ? most : sizeof bytes);
    if (length > 0) end_input(pair, to, bytes, length);
    flush(pair);
}

/* ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

uint16_t slow_crc16(const uint8_t *bytes, size_t length, uint16_t crc)
{
    for (; length > 0; length--) {
        crc ^= *bytes++;
        for (unsigned bit = 0; bit < 8; bit++) crc = (uint16_t)((crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1);
    }
    return crc;
}

size_t make_frame(uint8_t *out, unsigned type, uint32_t seq, const uint8_t *payload, size_t length)
{
    const uint8_t header[10] = {0xCD, 0xAB, 2, (uint8_t)type, (uint8_t)seq, (uint8_t)(seq >> 8), (uint8_t)(seq >> 16),
                                (uint8_t)(seq >> 24), (uint8_t)length, (uint8_t)(length >> 8)};
    memcpy(out, header, sizeof header);
    if (length > 0) memmove(out + 12, payload, length);
    uint16_t crc = slow_crc16(out + 12, length, slow_crc16(out, 10, 0xFFFF));
    out[10] = (uint8_t)crc;
    out[11] = (uint8_t)(crc >> 8);
    return 12 + length;
}

unsigned path_losing(pair_t *pair, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    (void)length;
    if (frame_type(pair, frame) != pair->type || pair->counter == 0) return 1;
    pair->counter--;
    return 0;
}

unsigned path_damaging(pair_t *pair, end_t *from, uint8_t *frame, size_t length)
{
    (void)from;
    if (frame_type(pair, frame) != pair->type || pair->counter == 0) return 1;
    pair->counter--;
    frame[length - 3] ^= 0x10;
    return 1;
}
