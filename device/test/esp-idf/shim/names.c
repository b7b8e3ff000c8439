/** A name that has two addresses, as localhost has on many systems: at the first one, 127.0.0.2, nobody listens. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

typedef int lookup_t(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    lookup_t *next = (lookup_t *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(name, "two.test") != 0) return next(name, service, hints, result);
    int error = next("127.0.0.2", service, hints, result);
    return error != 0 ? error : next("127.0.0.1", service, hints, &(*result)->ai_next);
}
