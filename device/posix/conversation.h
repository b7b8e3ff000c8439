/** What usmp-client does in a session, from its beginning to the moment when BYE can be said. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "client_options.h"
#include "echo_check.h"
#include "lines.h"
#include "usmp/usmp.h"

/** One after the other; those that nobody wants are left out. */
typedef enum step { STEP_REKEY, STEP_PING, STEP_ECHO_CHECK, STEP_MESSAGES, STEP_LISTEN, STEP_NONE } step_t;

typedef struct conversation {
    const client_options_t *options;
    usmp_t *usmp;
    step_t step;
    /** When the step began, or when what it waits for was asked for. */
    uint32_t since;
    /** What the step needs is asked for, and has come. */
    bool asked;
    bool answered;
    bool rekey_asked;
    bool rekeyed;
    size_t next_message;
    echo_check_t echoes;
    lines_t lines;
    bool line_wanted;
    /** Nothing is to be done any more: as wanted, or because something went wrong, which was printed. */
    bool over;
    int exit_code;
} conversation_t;

/** The session is open. */
void conversation_begin(conversation_t *conversation, const client_options_t *options, usmp_t *usmp, uint32_t now);

void conversation_take(conversation_t *conversation, const usmp_event_t *event, uint32_t now);

/** Does what can be done now: call it after events, after writing, and when its time has come. */
void conversation_go_on(conversation_t *conversation, uint32_t now);

/** Milliseconds until it has to go on. */
uint32_t conversation_timeout(const conversation_t *conversation, uint32_t now);

/** Whether the next line of standard input is wanted now. */
bool conversation_wants_stdin(const conversation_t *conversation);

#endif
