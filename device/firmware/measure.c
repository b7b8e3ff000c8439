/**
 * Measures the core with its cryptography, for `size.js`: a session over a stream whose server is a recording, so that every
 * run executes the same instructions. The recording is one of spec/vectors/sessions.json; `build.js` makes `recording.h` of it.
 * Everything that the client sends is compared with the recording, so that nothing is measured that does not work.
 *
 * Reports facts, `key value`, and ends the emulator with 1 when something was not as recorded.
 */
#include <string.h>

#include "board.h"
#include "facts.h"
#include "recording.h"
#include "usmp/usmp.h"

static usmp_settings_t settings = {
    .transport = USMP_TRANSPORT_STREAM,
    .psk = RECORDING_PSK,
    .psk_length = sizeof RECORDING_PSK,
};

static usmp_t usmp;
static bool failed;
static size_t stack;

/** A call whose instructions and stack count. */
#define MEASURED(call) \
    do { \
        board_stack_paint(); \
        COUNTED(call); \
        note_stack(board_stack_peak()); \
    } while (0)

static void note_stack(size_t peak)
{
    if (peak > stack) stack = peak;
}

static uint32_t stack_take(void)
{
    size_t taken = stack;
    stack = 0;
    return (uint32_t)taken;
}

/* Not random at all: the recorded client's key. */
bool usmp_crypto_random(uint8_t *out, size_t length)
{
    if (length != sizeof RECORDING_CLIENT_PRIVATE) return false;
    memcpy(out, RECORDING_CLIENT_PRIVATE, length);
    return true;
}

static void expect(bool holds, const char *what)
{
    if (holds) return;
    board_report(what);
    failed = true;
}

static bool next_event(usmp_event_t *event)
{
    bool has;
    MEASURED(has = usmp_poll_event(&usmp, event));
    return has;
}

static void act_on_timeouts(void)
{
    uint32_t timeout;
    do {
        MEASURED(timeout = usmp_poll_timeout(&usmp, 0));
        if (timeout == 0) MEASURED(usmp_handle_timeout(&usmp, 0));
    } while (timeout == 0);
}

/** @return the bytes sent */
static size_t transmit(const uint8_t *recorded, size_t recorded_length, const char *what)
{
    size_t length;
    const uint8_t *bytes;
    MEASURED(bytes = usmp_poll_transmit(&usmp, 0, &length));
    expect(bytes != NULL && length == recorded_length && memcmp(bytes, recorded, length) == 0, what);
    MEASURED(usmp_transmitted(&usmp, length, 0));
    return length;
}

static void receive(const uint8_t *recorded, size_t length)
{
    uint8_t bytes[RECORDING_LONGEST];
    size_t taken;
    memcpy(bytes, recorded, length);
    MEASURED(taken = usmp_handle_input(&usmp, bytes, length, 0));
    expect(taken == length, "failed input");
}

static void handshake(void)
{
    usmp_event_t event = {0};
    usmp_error_t error;
    MEASURED(error = usmp_connect(&usmp, &settings, 0));
    expect(error == USMP_OK, "failed connect");
    size_t out = transmit(RECORDING_HELLO, sizeof RECORDING_HELLO, "failed hello");
    receive(RECORDING_CHALLENGE, sizeof RECORDING_CHALLENGE);
    out += transmit(RECORDING_HELLO_ACK, sizeof RECORDING_HELLO_ACK, "failed hello_ack");
    act_on_timeouts();
    receive(RECORDING_SESSION_OK, sizeof RECORDING_SESSION_OK);
    expect(next_event(&event) && event.type == USMP_EVENT_OPEN, "failed open");
    report_number("instructions handshake", counter_take());
    report_number("wire handshake", (uint32_t)(out + sizeof RECORDING_CHALLENGE + sizeof RECORDING_SESSION_OK));
}

static void seal(const uint8_t *text, size_t text_length, const uint8_t *frame, size_t length)
{
    usmp_error_t error;
    MEASURED(error = usmp_send(&usmp, text, text_length, 0));
    expect(error == USMP_OK, "failed send");
    (void)transmit(frame, length, "failed frame");
}

static void open(const uint8_t *frame, size_t length)
{
    usmp_event_t event = {0};
    receive(frame, length);
    expect(next_event(&event) && event.type == USMP_EVENT_MESSAGE, "failed message");
    expect(event.length == sizeof RECORDING_TEXT && memcmp(event.data, RECORDING_TEXT, event.length) == 0, "failed text");
}

int main(void)
{
    board_init();
    memcpy(settings.device_id, RECORDING_DEVICE_ID, sizeof settings.device_id);
    handshake();
    report_number("instructions step", counter_longest());
    report_number("stack handshake", stack_take());

    /* As recorded by the independent implementation, then a message of the length that is measured. */
    seal(RECORDING_FIRST, sizeof RECORDING_FIRST, RECORDING_FIRST_FRAME, sizeof RECORDING_FIRST_FRAME);
    (void)counter_take();
    seal(RECORDING_TEXT, sizeof RECORDING_TEXT, RECORDING_TEXT_FRAME, sizeof RECORDING_TEXT_FRAME);
    report_number("instructions seal", counter_take());
    report_number("wire message", (uint32_t)sizeof RECORDING_TEXT_FRAME);
    open(RECORDING_ANSWER_FRAME, sizeof RECORDING_ANSWER_FRAME);
    report_number("instructions open", counter_take());
    report_number("stack session", stack_take());

    report_number("ram", (uint32_t)sizeof usmp);
    return failed ? 1 : 0;
}
