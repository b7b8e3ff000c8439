#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct addrinfo *resolve(const url_t *url, int type, int flags, problem_t *problem)
{
    struct addrinfo wanted, *found;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_socktype = type;
    wanted.ai_flags = flags | AI_NUMERICSERV;
    int error = getaddrinfo(url->host, url->port, &wanted, &found);
    if (error == 0) return found;
    (void)problem_is(problem, "no address for %s: %s", url->host, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    return NULL;
}

bool unblock(int file)
{
    return fcntl(file, F_SETFL, O_NONBLOCK) == 0 && fcntl(file, F_SETFD, FD_CLOEXEC) == 0;
}

int open_socket(const struct addrinfo *address)
{
    int file = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (file < 0) return -1;
    if (unblock(file)) return file;
    int error = errno;
    (void)close(file);
    errno = error;
    return -1;
}

void hurry(int file)
{
    int one = 1;
    (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void name_of(char name[SOCKET_NAME], const struct sockaddr *address, socklen_t length)
{
    char host[56], port[8];
    bool brackets = address->sa_family == AF_INET6;
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    bool found = getnameinfo(address, length, host, sizeof host, port, sizeof port, flags) == 0;
    (void)snprintf(name, SOCKET_NAME, brackets ? "[%s]:%s" : "%s:%s", found ? host : "?", found ? port : "?");
}
