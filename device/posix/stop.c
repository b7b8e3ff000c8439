#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int pipe_ends[2] = {-1, -1};
static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    int before = errno;
    (void)number;
    if (signals < 2) signals = signals + 1;
    /* Does not block; where the pipe is full, poll() wakes anyway. */
    ssize_t written = write(pipe_ends[1], "", 1);
    (void)written;
    errno = before;
}

static bool prepare_end(int file)
{
    return fcntl(file, F_SETFL, O_NONBLOCK) == 0 && fcntl(file, F_SETFD, FD_CLOEXEC) == 0;
}

bool stop_prepare(void)
{
    struct sigaction action;
    if (pipe(pipe_ends) != 0 || !prepare_end(pipe_ends[0]) || !prepare_end(pipe_ends[1])) return false;
    memset(&action, 0, sizeof action);
    (void)sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0) return false;
    action.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &action, NULL) == 0;
}

bool stop_wanted(void)
{
    return signals > 0;
}

bool stop_at_once(void)
{
    return signals > 1;
}

int stop_file(void)
{
    return pipe_ends[0];
}

void stop_seen(void)
{
    char bytes[8];
    while (read(pipe_ends[0], bytes, sizeof bytes) > 0) continue;
}
