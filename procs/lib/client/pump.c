#include "procs/lib/client/pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "shm/err.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define EVENTS_MAX 512

static u64 unix_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* --- Opening -----------------------------------------------------------------------------------*/

int pump_resolve(const char *where, struct sockaddr_storage *to, socklen_t *to_len)
{
    char host[256];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(where, ':');
    size_t len = colon ? (size_t)(colon - where) : 0;
    if (!len || len >= sizeof host) return err_set("%s: expected host:port", where);
    snprintf(host, sizeof host, "%.*s", (int)len, where);
    if (host[0] == '[' && host[len - 1] == ']')
        snprintf(host, sizeof host, "%.*s", (int)len - 2, where + 1);
    int bad = getaddrinfo(host, colon + 1, &hints, &found);
    if (bad) return err_set("%s: %s", where, gai_strerror(bad));
    memcpy(to, found->ai_addr, found->ai_addrlen);
    *to_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int pump_open(struct pump *p, u32 count, const char *where, const struct pump_calls *calls,
              void *context)
{
    *p = (struct pump){.epoll = -1, .count = count, .calls = calls, .context = context};
    if (pump_resolve(where, &p->to, &p->to_len)) return -1;
    p->peers = calloc(count ? count : 1, sizeof *p->peers);
    p->scratch = malloc(PUMP_ROOM + 1);
    if (!p->peers || !p->scratch) return err_set("memory is short for %u connections", count);
    for (u32 i = 0; i < count; i++) p->peers[i].fd = -1;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    return p->epoll < 0 ? err_sys("epoll") : 0;
}

void pump_close_all(struct pump *p)
{
    for (u32 i = 0; p->peers && i < p->count; i++) {
        pump_close(p, i);
        free(p->peers[i].kept);
        free(p->peers[i].out);
    }
    if (p->epoll >= 0) close(p->epoll);
    free(p->peers);
    free(p->scratch);
    *p = (struct pump){.epoll = -1};
}

/* Leave from an address of our own choice where that multiplies the ports there are. */
static void choose_source(const struct pump *p, u32 peer, int fd)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)&p->to;
    int on = 1;
    if (p->to.ss_family != AF_INET || ntohl(to->sin_addr.s_addr) >> 24 != 127) return;
    if (peer < PUMP_PER_SOURCE) return;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + peer / PUMP_PER_SOURCE);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    (void)bind(fd, (struct sockaddr *)&from, sizeof from); /* else it leaves from 127.0.0.1 */
}

int pump_connect(struct pump *p, u32 peer)
{
    struct pump_peer *c = &p->peers[peer];
    int on = 1;
    CHECK(peer < p->count && c->fd < 0);
    int fd = socket(p->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_sys("a socket for connection %u", peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    choose_source(p, peer, fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u32 = peer};
    if ((connect(fd, (struct sockaddr *)&p->to, p->to_len) && errno != EINPROGRESS) ||
        epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event)) {
        int result = err_sys("connection %u", peer);
        close(fd);
        return result;
    }
    c->fd = fd;
    c->open = false;
    c->kept_len = c->out_from = c->out_len = 0;
    return 0;
}

void pump_close(struct pump *p, u32 peer)
{
    struct pump_peer *c = &p->peers[peer];
    if (c->fd < 0) return;
    close(c->fd);
    c->fd = -1;
    p->connected -= c->open;
    c->open = false;
}

static void lose(struct pump *p, u32 peer, const char *why)
{
    pump_close(p, peer);
    p->calls->closed(p->context, peer, why);
}

/* --- Out ---------------------------------------------------------------------------------------*/

static bool keep_out(struct pump_peer *c, const char *bytes, size_t len)
{
    if (c->out_from + c->out_len + len > c->out_room) {
        size_t room = pow2_up(c->out_len + len);
        char *out = malloc(room);
        if (!out) return false;
        if (c->out_len) memcpy(out, c->out + c->out_from, c->out_len);
        free(c->out);
        c->out = out;
        c->out_room = (u32)room;
        c->out_from = 0;
    }
    memcpy(c->out + c->out_from + c->out_len, bytes, len);
    c->out_len += (u32)len;
    return true;
}

/* Errors of the socket are left to the next read, which meets them too. */
void pump_send(struct pump *p, u32 peer, const char *bytes, size_t len)
{
    struct pump_peer *c = &p->peers[peer];
    size_t sent = 0;
    if (c->fd < 0) return;
    if (c->open && !c->out_len) {
        ssize_t n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        p->writes++;
        if (n > 0) sent = (size_t)n;
    }
    if (sent == len) return;
    CHECK(keep_out(c, bytes + sent, len - sent));
}

static void send_rest(struct pump *p, u32 peer)
{
    struct pump_peer *c = &p->peers[peer];
    while (c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_from, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
        p->writes++;
        if (n <= 0) return;
        c->out_from += (u32)n;
        c->out_len -= (u32)n;
    }
}

/* --- In ----------------------------------------------------------------------------------------*/

static bool keep_in(struct pump_peer *c, const char *bytes, size_t len)
{
    if (len > c->kept_room) {
        size_t room = pow2_up(len);
        char *kept = realloc(c->kept, room);
        if (!kept) return false;
        c->kept = kept;
        c->kept_room = (u32)room;
    }
    if (len) memcpy(c->kept, bytes, len);
    c->kept_len = (u32)len;
    return true;
}

/* What a read left: sockets are registered for edges, so one that filled the room is read again. */
enum { READ_NOTHING, READ_SHORT, READ_FULL };

static u32 receive(struct pump *p, u32 peer)
{
    struct pump_peer *c = &p->peers[peer];
    u32 kept = c->kept_len;
    if (kept >= PUMP_ROOM) {
        lose(p, peer, "a message without end came");
        return READ_NOTHING;
    }
    ssize_t n = recv(c->fd, p->scratch + kept, PUMP_ROOM - kept, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) return READ_FULL;
    if (n < 0 && errno == EAGAIN) return READ_NOTHING;
    if (n <= 0) {
        lose(p, peer, n ? strerrordesc_np(errno) : "closed by the server");
        return READ_NOTHING;
    }
    p->reads++;
    p->bytes_in += (u64)n;
    if (kept) memcpy(p->scratch, c->kept, kept);
    size_t len = kept + (size_t)n;
    p->scratch[len] = '\0';
    size_t used = p->calls->bytes(p->context, peer, p->scratch, len, unix_ns());
    if (c->fd >= 0 && !keep_in(c, p->scratch + used, len - used)) lose(p, peer, "memory is short");
    return len == PUMP_ROOM ? READ_FULL : READ_SHORT;
}

static void finish_connect(struct pump *p, u32 peer)
{
    struct pump_peer *c = &p->peers[peer];
    int bad = 0;
    socklen_t len = sizeof bad;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &bad, &len);
    if (bad) {
        lose(p, peer, strerrordesc_np(bad));
        return;
    }
    c->open = true;
    p->connected++;
    p->calls->opened(p->context, peer);
    if (c->fd >= 0) send_rest(p, peer);
}

static void ready(struct pump *p, u32 peer, u32 events)
{
    struct pump_peer *c = &p->peers[peer];
    bool ends = events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    u32 read = READ_SHORT;
    if (c->fd < 0) return;
    if (!c->open && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) finish_connect(p, peer);
    else if (c->out_len && events & EPOLLOUT) send_rest(p, peer);
    if (!(ends || events & EPOLLIN)) return;
    while (c->open && (read = receive(p, peer)) != READ_NOTHING)
        if (read == READ_SHORT && !ends) break;
}

u32 pump_turn(struct pump *p, u64 wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000UL),
                            .tv_nsec = (long)(wait_ns % 1000000000UL)};
    int n = epoll_pwait2(p->epoll, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < n; i++) ready(p, events[i].data.u32, events[i].events);
    return n > 0 ? (u32)n : 0;
}

void pump_ignore(struct pump *p, u32 peer)
{
    if (p->peers[peer].fd >= 0) epoll_ctl(p->epoll, EPOLL_CTL_DEL, p->peers[peer].fd, NULL);
}
