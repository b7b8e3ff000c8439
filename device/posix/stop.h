/** Ctrl-C and SIGTERM: when a program has to say goodbye, and when it has to end at once. */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/** Listens to signals from now on. A pipe that nobody reads is no signal but an error of write(). */
bool stop_prepare(void);

/** A signal has come: say BYE. */
bool stop_wanted(void);

/** A second one has come: leave without a word. */
bool stop_at_once(void);

/** Is readable once a signal has come, so that poll() does not sleep through one that comes just before it. */
int stop_file(void);

/** One signal has been seen: lets poll() sleep until the next. */
void stop_seen(void);

#endif
