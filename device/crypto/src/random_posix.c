/**
 * Random bytes on a POSIX system, for BearSSL, which has none of its own: getrandom where there is one, else /dev/urandom. A
 * microcontroller gets a file of its own in place of this one (`usmp_crypto_random` in usmp/crypto.h).
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* getrandom and O_CLOEXEC are not of C99. NOLINT: a reserved name, for this use */
#endif

#include "usmp/crypto.h"

#if defined(USMP_CRYPTO_BEARSSL) && (defined(__unix__) || defined(__APPLE__))

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__)
#include <sys/random.h>
#define HAVE_GETRANDOM 1
#else
#define HAVE_GETRANDOM 0
#endif

/** How a source is read: as much as it gives at once, or -1 with errno. */
typedef ssize_t source_t(int file, uint8_t *out, size_t length);

/** Up to this many bytes come whole, whatever signals arrive. */
#define CHUNK 256u

static bool fill(source_t *source, int file, uint8_t *out, size_t length)
{
    while (length > 0) {
        ssize_t count = source(file, out, length < CHUNK ? length : CHUNK);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        out += count;
        length -= (size_t)count;
    }
    return true;
}

static ssize_t read_file(int file, uint8_t *out, size_t length)
{
    return read(file, out, length);
}

static bool fill_from_urandom(uint8_t *out, size_t length)
{
    int file;
    do file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
    if (file < 0) return false;

    bool filled = fill(read_file, file, out, length);
    (void)close(file); /* was only read: nothing can be lost */
    return filled;
}

#if HAVE_GETRANDOM
static ssize_t read_kernel(int file, uint8_t *out, size_t length)
{
    (void)file;
    return getrandom(out, length, 0);
}
#endif

bool usmp_crypto_random(uint8_t *out, size_t length)
{
#if HAVE_GETRANDOM
    if (fill(read_kernel, -1, out, length)) return true;
    /* Refused by an old kernel (ENOSYS) or a sandbox (EPERM). */
#endif
    return fill_from_urandom(out, length);
}

#endif
