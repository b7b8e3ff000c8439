#include "conversation.h"

#include <stdio.h>
#include <string.h>

#include "exit_code.h"
#include "show.h"

static bool fail(conversation_t *conversation, int exit_code, const char *text)
{
    (void)fprintf(stderr, "usmp-client: %s\n", text);
    conversation->exit_code = exit_code;
    conversation->over = true;
    return false;
}

static bool fail_with(conversation_t *conversation, usmp_error_t error)
{
    problem_t problem;
    (void)problem_is(&problem, "%s: %s", usmp_error_code(error), usmp_strerror(error));
    return fail(conversation, exit_code_of(error), problem.text);
}

void conversation_begin(conversation_t *conversation, const client_options_t *options, usmp_t *usmp, uint32_t now)
{
    memset(conversation, 0, sizeof *conversation);
    conversation->options = options;
    conversation->usmp = usmp;
    conversation->since = now;
    conversation->echoes.count = options->echo_count;
    conversation->echoes.size = options->echo_size;
}

/* ── What comes ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void take_message(conversation_t *conversation, const usmp_event_t *event, uint32_t now)
{
    problem_t problem;
    if (conversation->step != STEP_ECHO_CHECK) {
        show_message(NULL, event->data, event->length);
        if (conversation->step == STEP_MESSAGES) conversation->answered = true;
    } else if (echo_check_take(&conversation->echoes, event->data, event->length, &problem)) {
        conversation->since = now;
    } else {
        (void)fail(conversation, EXIT_FAILED, problem.text);
    }
}

void conversation_take(conversation_t *conversation, const usmp_event_t *event, uint32_t now)
{
    if (conversation->over) return;
    switch (event->type) {
    case USMP_EVENT_MESSAGE: take_message(conversation, event, now); break;
    case USMP_EVENT_MESSAGE_DROPPED: (void)fail(conversation, EXIT_NO_REPLY, "a message was lost"); break;
    case USMP_EVENT_PONG:
        if (conversation->step == STEP_PING && event->rtt != USMP_NEVER)
            (void)printf("round trip: %lu ms\n", (unsigned long)event->rtt);
        if (conversation->asked && conversation->step != STEP_MESSAGES) conversation->answered = true;
        break;
    case USMP_EVENT_REKEYED: conversation->rekeyed = true; break;
    case USMP_EVENT_REKEY_REFUSED: (void)fail_with(conversation, event->error); break;
    default: break;
    }
}

/* ── What is to be done. Each says whether its step is done; false: not yet, or it has failed ──────────────────────── */

static bool rekey(conversation_t *conversation, uint32_t now)
{
    if (!conversation->options->rekey || conversation->rekeyed) return true;
    if (conversation->rekey_asked) return false;
    conversation->rekey_asked = true;
    conversation->since = now;
    usmp_error_t error = usmp_rekey(conversation->usmp, conversation->options->rekey_forced);
    return error != USMP_OK && fail_with(conversation, error);
}

static bool ping(conversation_t *conversation, uint32_t now)
{
    if (conversation->asked) return conversation->answered;
    conversation->asked = usmp_ping(conversation->usmp) == USMP_OK;
    conversation->since = now;
    return false;
}

/** One message more. False where there is no room, now or because too many echoes are due. */
static bool send_for_echo(conversation_t *conversation, uint32_t now)
{
    uint8_t message[USMP_MAX_MESSAGE];
    echo_check_t *echoes = &conversation->echoes;
    if (echoes->sent == echoes->count || echoes->sent - echoes->echoed == conversation->options->echo_window) return false;
    size_t length = echo_check_message(echoes, echoes->sent, message);
    if (usmp_send(conversation->usmp, message, length, now) != USMP_OK) return false;
    echoes->sent++;
    return true;
}

/** With a PING behind it, whose PONG would come after an echo that came twice. */
static bool check_echoes(conversation_t *conversation, uint32_t now)
{
    echo_check_t *echoes = &conversation->echoes;
    if (echoes->count == 0) return true;
    do {
        if (echoes->sent >= echoes->count / 2 && !conversation->rekey_asked) (void)rekey(conversation, now);
    } while (!conversation->over && send_for_echo(conversation, now));
    if (conversation->over || echoes->echoed < echoes->count || !rekey(conversation, now)) return false;
    if (!ping(conversation, now)) return false;
    (void)printf("%lu echoes of %lu bytes\n", (unsigned long)echoes->echoed, (unsigned long)echoes->bytes);
    return true;
}

/** The next text of the command line or of standard input. */
static line_state_t next_text(conversation_t *conversation, const char **text, size_t *length)
{
    const client_options_t *options = conversation->options;
    if (options->lines_of_stdin) return lines_next(&conversation->lines, text, length);
    if (conversation->next_message == options->message_count) return LINE_NONE;
    *text = options->messages[conversation->next_message++];
    *length = strlen(*text);
    return LINE_THERE;
}

/** One message after the other, each when the reply to the one before is there. */
static bool exchange(conversation_t *conversation, uint32_t now)
{
    bool reply = !conversation->options->no_reply;
    for (;;) {
        const char *text = NULL;
        size_t length = 0;
        if (conversation->asked && reply && !conversation->answered) return false;
        conversation->asked = conversation->answered = conversation->line_wanted = false;
        if (!usmp_can_send(conversation->usmp, USMP_MAX_MESSAGE)) return false;
        switch (next_text(conversation, &text, &length)) {
        case LINE_NONE: return true;
        case LINE_LATER: conversation->line_wanted = true; return false;
        case LINE_TOO_LONG: return fail(conversation, EXIT_USAGE, "a line is longer than a message may be: send it in parts");
        case LINE_THERE: break;
        }
        if (usmp_send(conversation->usmp, (const uint8_t *)text, length, now) != USMP_OK) return false;
        conversation->asked = true;
        conversation->since = now;
    }
}

static bool do_step(conversation_t *conversation, uint32_t now)
{
    switch (conversation->step) {
    case STEP_REKEY: return conversation->echoes.count > 0 || rekey(conversation, now);
    case STEP_PING: return !conversation->options->ping || ping(conversation, now);
    case STEP_ECHO_CHECK: return check_echoes(conversation, now);
    case STEP_MESSAGES: return exchange(conversation, now);
    case STEP_LISTEN: return now - conversation->since >= conversation->options->listen_for;
    default: return false;
    }
}

static void give_up(conversation_t *conversation)
{
    problem_t problem;
    const echo_check_t *echoes = &conversation->echoes;
    if (conversation->step == STEP_ECHO_CHECK && echoes->echoed < echoes->count) {
        (void)problem_is(&problem, "%lu of %lu echoes are missing", (unsigned long)(echoes->sent - echoes->echoed),
                         (unsigned long)echoes->count);
        (void)fail(conversation, EXIT_FAILED, problem.text);
    } else {
        (void)problem_is(&problem, "no reply within %g s: raise --timeout, or give --no-reply if the server does not answer",
                         conversation->options->timeout / 1000.0);
        (void)fail(conversation, EXIT_NO_REPLY, problem.text);
    }
}

/** Whether the peer is to answer: not while a line of standard input is awaited. */
static bool is_waiting(const conversation_t *conversation)
{
    return conversation->step < STEP_MESSAGES || (conversation->step == STEP_MESSAGES && conversation->asked);
}

void conversation_go_on(conversation_t *conversation, uint32_t now)
{
    while (!conversation->over && do_step(conversation, now)) {
        conversation->step++;
        conversation->asked = conversation->answered = false;
        conversation->since = now;
        conversation->over = conversation->step == STEP_NONE;
    }
    if (!conversation->over && conversation_timeout(conversation, now) == 0) give_up(conversation);
}

uint32_t conversation_timeout(const conversation_t *conversation, uint32_t now)
{
    uint32_t elapsed = now - conversation->since;
    uint32_t timeout = conversation->options->timeout;
    if (conversation->over) return USMP_NEVER;
    if (conversation->step == STEP_LISTEN) timeout = conversation->options->listen_for;
    else if (!is_waiting(conversation)) return USMP_NEVER;
    return elapsed < timeout ? timeout - elapsed : 0;
}

bool conversation_wants_stdin(const conversation_t *conversation)
{
    return !conversation->over && conversation->line_wanted;
}
