/**
 * A client on a UART: connects, sends messages and compares their echoes, changes the keys in between, and says BYE. What it
 * does is told by arguments:
 *
 *   seed=HEX      64 digits: where its random bytes come from. Wanted
 *   messages=N    how many it sends, 100 otherwise
 *   rekey=N       changes the keys after N echoes, after half of the messages otherwise; more than there are: never
 *   cut=N         at the first start: after N echoes sends half a frame, and resets the chip
 *   again=N       connects anew up to N times when a session or a handshake has ended otherwise than by its own BYE, and goes on
 *                 with the message that has not come back; 0 otherwise
 *   pause=N       milliseconds that it waits before, 0 otherwise
 *   handshake=N   milliseconds for a handshake, 30,000 otherwise
 *   keepalive=N   milliseconds of silence until a PING, and for its answer; 30,000 and 20,000 otherwise
 *
 * It reports what has happened, one fact a line: `start N`, `open`, `rekeyed`, `reset`, `lost CODE` (and it connects anew),
 * `echoes N`, `bye`, `instructions handshake N`, `instructions seal N` (a message of 32 bytes, sealed and framed for the line),
 * `stack N`; or `failed CODE`. The emulator ends with 0, or with 1 when something went wrong.
 */
#include <string.h>

#include "board.h"
#include "facts.h"
#include "random.h"
#include "usmp/usmp.h"

#define MEASURED_LENGTH 32u

static usmp_settings_t settings = {
    .transport = USMP_TRANSPORT_SERIAL,
    .psk = (const uint8_t *)"your-psk-here-16+",
    .psk_length = 17,
    .device_id = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01},
};

/** How often this chip has started: it survives a reset. The memory of the emulator is zero when it is new. */
static uint32_t starts __attribute__((section(".noinit")));

static struct {
    uint8_t seed[32];
    uint32_t messages, rekey_after, cut_after, tries, pause;
} task;

static usmp_t usmp;
static uint32_t sent, echoed;
static bool closed, lost, failed;

/* ── The task ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int digit(char character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    return -1;
}

/** The text behind `name=` among the arguments, or null. */
static const char *argument(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *word = text; *word != '\0'; word++) {
        bool begins = word == text || word[-1] == ' ';
        if (begins && strncmp(word, name, length) == 0 && word[length] == '=') return word + length + 1;
    }
    return NULL;
}

static uint32_t number(const char *text, const char *name, uint32_t otherwise)
{
    const char *at = argument(text, name);
    uint32_t value = 0;
    if (at == NULL) return otherwise;
    for (; *at >= '0' && *at <= '9'; at++) value = value * 10 + (uint32_t)(*at - '0');
    return value;
}

/** @return false when there is no seed */
static bool read_task(void)
{
    static char text[256];
    const char *seed;
    (void)board_arguments(text, sizeof text);
    task.messages = number(text, "messages", 100);
    task.rekey_after = number(text, "rekey", task.messages / 2);
    task.cut_after = number(text, "cut", UINT32_MAX);
    task.tries = number(text, "again", 0);
    task.pause = number(text, "pause", 0);
    /* 0 stands for the default. */
    settings.handshake_timeout = number(text, "handshake", 0);
    settings.keepalive_interval = settings.keepalive_timeout = number(text, "keepalive", 0);
    seed = argument(text, "seed");
    for (size_t index = 0; index < sizeof task.seed; index++) {
        int high = seed == NULL ? -1 : digit(seed[2 * index]);
        int low = high < 0 ? -1 : digit(seed[2 * index + 1]);
        if (low < 0) return false;
        task.seed[index] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Of all sizes from 0 to USMP_MAX_MESSAGE: the ends first, and the one that is measured. */
static size_t length_of(uint32_t index)
{
    if (index == 0) return MEASURED_LENGTH;
    if (index == 1) return 0;
    if (index == 2) return USMP_MAX_MESSAGE;
    return (index * 197) % (USMP_MAX_MESSAGE + 1);
}

static uint8_t byte_of(uint32_t index, size_t position)
{
    return (uint8_t)(index * 31 + position * 7 + (position >> 8));
}

static bool is_echo(const usmp_event_t *event)
{
    bool same = event->length == length_of(echoed);
    for (size_t position = 0; same && position < event->length; position++)
        same = event->data[position] == byte_of(echoed, position);
    return same;
}

static void report_code(const char *key, const char *code)
{
    char line[64] = "";
    strncat(line, key, sizeof line - 1);
    board_report(strncat(line, code, sizeof line - strlen(line) - 1));
}

static void fail(const char *code)
{
    if (failed) return;
    report_code("failed ", code);
    failed = true;
}

static void check(usmp_error_t error)
{
    if (error != USMP_OK) fail(usmp_error_code(error));
}

static void send_next(void)
{
    static uint8_t message[USMP_MAX_MESSAGE];
    size_t length = length_of(sent);
    usmp_error_t error;
    for (size_t position = 0; position < length; position++) message[position] = byte_of(sent, position);
    (void)counter_take();
    COUNTED(error = usmp_send(&usmp, message, length, board_milliseconds()));
    if (sent == 0) report_number("instructions seal", counter_take());
    check(error);
    sent++;
}

/** Half a frame on the line, and the chip begins anew, as when somebody stumbles over its cable. */
static void cut(void)
{
    size_t length;
    const uint8_t *bytes = usmp_poll_transmit(&usmp, board_milliseconds(), &length);
    for (size_t index = 0; bytes != NULL && index < length / 2; index++)
        while (!board_uart_write(bytes[index])) {}
    board_report("reset");
    board_reset();
}

/** After the session has opened, an echo has come or keys were changed. */
static void go_on(void)
{
    if (sent == task.messages) {
        report_number("echoes", echoed);
        usmp_close(&usmp, board_milliseconds());
        return;
    }
    send_next();
    if (starts == 1 && echoed == task.cut_after) cut();
}

static void on_closed(usmp_error_t error)
{
    closed = true;
    if (error == USMP_ERROR_CLOSED) return;
    lost = task.tries > 0;
    if (!lost) {
        check(error);
        return;
    }
    task.tries--;
    report_code("lost ", usmp_error_code(error));
}

static void on_event(const usmp_event_t *event)
{
    switch (event->type) {
    case USMP_EVENT_OPEN:
        board_report("open");
        report_number("instructions handshake", counter_take());
        go_on();
        break;
    case USMP_EVENT_MESSAGE:
        if (!is_echo(event)) fail("wrong_echo");
        echoed++;
        if (echoed == task.rekey_after) check(usmp_rekey(&usmp, false));
        else go_on();
        break;
    case USMP_EVENT_REKEYED:
        board_report("rekeyed");
        go_on();
        break;
    case USMP_EVENT_CLOSED: on_closed(event->error); break;
    default: break;
    }
}

/* ── The line ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void handle_events(void)
{
    for (;;) {
        usmp_event_t event;
        bool has;
        COUNTED(has = usmp_poll_event(&usmp, &event));
        if (!has || failed) return;
        on_event(&event);
    }
}

static void transmit(void)
{
    size_t length, count = 0;
    const uint8_t *bytes;
    COUNTED(bytes = usmp_poll_transmit(&usmp, board_milliseconds(), &length));
    if (bytes == NULL) return;
    while (count < length && board_uart_write(bytes[count])) count++;
    COUNTED(usmp_transmitted(&usmp, count, board_milliseconds()));
}

/** @return false when nothing has come */
static bool receive(void)
{
    uint8_t bytes[64];
    size_t count = 0, taken = 0;
    int byte;
    while (count < sizeof bytes && (byte = board_uart_read()) >= 0) bytes[count++] = (uint8_t)byte;
    while (taken < count && !failed) {
        COUNTED(taken += usmp_handle_input(&usmp, bytes + taken, count - taken, board_milliseconds()));
        handle_events();
        transmit();
    }
    return count > 0;
}

/** Until the session is over, and its BYE is on the line. */
static void converse(void)
{
    usmp_error_t error;
    closed = lost = false;
    COUNTED(error = usmp_connect(&usmp, &settings, board_milliseconds()));
    check(error);
    for (;;) {
        uint32_t timeout;
        handle_events();
        transmit();
        if (failed || (closed && !usmp_lingers(&usmp))) return;
        COUNTED(timeout = usmp_poll_timeout(&usmp, board_milliseconds()));
        if (timeout == 0) COUNTED(usmp_handle_timeout(&usmp, board_milliseconds()));
        else if (!receive() && usmp_pending_transmit(&usmp) == 0) board_sleep(timeout);
    }
}

/** Nobody is interested in what comes meanwhile. */
static void wait(void)
{
    uint32_t began = board_milliseconds(), passed;
    while ((passed = board_milliseconds() - began) < task.pause) {
        while (board_uart_read() >= 0) {}
        board_sleep(task.pause - passed);
    }
}

static void run(void)
{
    for (;;) {
        converse();
        if (!lost || failed) return;
        sent = echoed;
        wait();
    }
}

int main(void)
{
    board_init();
    report_number("start", starts++);
    if (!read_task()) {
        fail("no_seed");
        return 1;
    }
    random_begin(task.seed, starts);
    board_stack_paint();
    run();
    if (failed) return 1;
    board_report("bye");
    report_number("stack", (uint32_t)board_stack_peak());
    return 0;
}
