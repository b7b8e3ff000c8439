/** What the exit code of a program says: the same numbers as those of the command line `usmp`. */
#ifndef EXIT_CODE_H
#define EXIT_CODE_H

#include "usmp/errors.h"

enum {
    /** Also after Ctrl-C. */
    EXIT_DONE = 0,
    /** This machine is in the way, or an echo check has failed. */
    EXIT_FAILED = 1,
    /** A mistake on the command line, in a key, or in a file that it names. */
    EXIT_USAGE = 2,
    /** The server does not accept us, or we do not accept it. */
    EXIT_REFUSED = 3,
    /** Nobody answers there. */
    EXIT_UNREACHABLE = 4,
    /** No reply in time, or the session ended before it came. */
    EXIT_NO_REPLY = 5,
    /** The other side does not keep to the protocol. */
    EXIT_PROTOCOL = 6
};

/** For `--help`. */
#define EXIT_CODES_HELP                                                                                                \
    "Exit codes:\n"                                                                                                    \
    "  0 done, also after Ctrl-C     4 unreachable\n"                                                                  \
    "  1 failed                      5 a reply is missing\n"                                                           \
    "  2 usage                       6 protocol error\n"                                                               \
    "  3 refused\n"

/** For the error that has ended a session. */
int exit_code_of(usmp_error_t error);

#endif
