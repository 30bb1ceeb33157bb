#include "procs/lib/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/err.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int address_of(const char *ip, u16 port, union address *at)
{
    memset(at, 0, sizeof *at);
    if (inet_pton(AF_INET, ip, &at->v4.sin_addr) == 1) {
        at->v4.sin_family = AF_INET;
        at->v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, ip, &at->v6.sin6_addr) == 1) {
        at->v6.sin6_family = AF_INET6;
        at->v6.sin6_port = htons(port);
    } else {
        return err_set("%s is no IPv4 or IPv6 address", ip);
    }
    return 0;
}

int listen_bind(const char *ip, u16 port, bool shared)
{
    int on = 1;
    union address at;
    if (address_of(ip, port, &at)) return -1;
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        bind(fd, &at.any, at.any.sa_family == AF_INET ? sizeof at.v4 : sizeof at.v6) == 0)
        return fd;
    err_sys("listening on %s port %u", ip, port);
    if (fd >= 0) close(fd);
    return -1;
}

/* Those who share a port do not notice another instance there; one who does not share it does. */
static int port_is_free(const char *ip, u16 port)
{
    int fd = listen_bind(ip, port, false);
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

int listen_bind_all(const char *ip, u16 *port, u32 count, int *fds)
{
    if (*port && port_is_free(ip, *port)) return -1;
    for (u32 i = 0; i < count; i++) {
        fds[i] = listen_bind(ip, *port, true);
        if (fds[i] < 0) {
            while (i) close(fds[--i]);
            return -1;
        }
        if (!*port) *port = listen_port(fds[i]);
    }
    return 0;
}

u16 listen_port(int fd)
{
    union address at = {0};
    socklen_t len = sizeof at;
    CHECK(getsockname(fd, &at.any, &len) == 0);
    return ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
}
