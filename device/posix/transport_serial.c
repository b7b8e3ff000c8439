/** A serial port: 8 data bits, no parity, 1 stop bit, no flow control, and every byte as it is. */

/* More than 38,400 baud, flow control by wires, and locks are not of POSIX. */
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE /* NOLINT: a reserved name, for this use */
#else
#define _DEFAULT_SOURCE /* NOLINT: a reserved name, for this use */
#endif

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "transport.h"

typedef struct speed {
    uint32_t baud;
    speed_t value;
} speed_line_t;

static const speed_line_t SPEEDS[] = {
    {1200, B1200},     {2400, B2400},   {4800, B4800},     {9600, B9600},     {19200, B19200},   {38400, B38400},
#ifdef B57600
    {57600, B57600},
#endif
#ifdef B115200
    {115200, B115200},
#endif
#ifdef B230400
    {230400, B230400},
#endif
#ifdef B460800
    {460800, B460800},
#endif
#ifdef B500000
    {500000, B500000},
#endif
#ifdef B921600
    {921600, B921600},
#endif
#ifdef B1000000
    {1000000, B1000000},
#endif
#ifdef B2000000
    {2000000, B2000000},
#endif
};

static const speed_line_t *speed_of(uint32_t baud)
{
    for (size_t i = 0; i < sizeof SPEEDS / sizeof *SPEEDS; i++) {
        if (SPEEDS[i].baud == baud) return &SPEEDS[i];
    }
    return NULL;
}

static const char *reason_of(int error)
{
    switch (error) {
    case ENOENT: return "it is not there: plug it in, or correct the name";
    case EACCES: return "no permission: sudo usermod -aG dialout $USER, and log in again";
    case EWOULDBLOCK: return "another program has it open";
    case ENOTTY: return "it is no serial port";
    default: return strerror(error);
    }
}

/** Nothing of a terminal remains: no echo, no line ends, no signals, no XON and XOFF. */
static bool make_raw(int file, const struct termios *before, const speed_line_t *speed)
{
    struct termios raw = *before;
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | CSTOPB);
#ifdef CRTSCTS
    raw.c_cflag &= ~(tcflag_t)CRTSCTS;
#endif
    raw.c_cflag |= CS8 | CREAD | CLOCAL;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (cfsetispeed(&raw, speed->value) != 0 || cfsetospeed(&raw, speed->value) != 0) return false;
    return tcsetattr(file, TCSANOW, &raw) == 0;
}

bool serial_open(transport_t *transport, const url_t *url, problem_t *problem)
{
    const speed_line_t *speed = speed_of(url->baud);
    if (speed == NULL) return problem_is(problem, "%s: this program has no %lu baud", url->host, (unsigned long)url->baud);
    /* Not to wait for a modem's carrier, and for it not to become the terminal of this program. */
    transport->file = open(url->host, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (transport->file < 0) return problem_is(problem, "%s: %s", url->host, reason_of(errno));
    (void)fcntl(transport->file, F_SETFD, FD_CLOEXEC);
    if (flock(transport->file, LOCK_EX | LOCK_NB) != 0 || tcgetattr(transport->file, &transport->before) != 0)
        return problem_is(problem, "%s: %s", url->host, reason_of(errno));
    transport->is_port = true;
    return make_raw(transport->file, &transport->before, speed) || problem_is(problem, "%s: %s", url->host, reason_of(errno));
}

/** Waits until the last byte is on the line; a signal ends that. */
void serial_finish(transport_t *transport)
{
    (void)tcdrain(transport->file);
}
