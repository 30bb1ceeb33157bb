#include "procs/api/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "procs/api/answer.h"
#include "procs/api/limit.h"
#include "procs/api/stream.h"

#define WASTE_READS 64U /* of a closing connection, in a turn */

/* ---- Lists and buffers ---- */

/* Wait for something else from now on; the time of what it waits for already goes on. */
static void wait_in(struct http *h, struct conn *c, struct link *list)
{
    if (c->list == list) return;
    link_remove(&c->timed);
    c->list = list;
    c->since_ns = h->api->now_ns;
    if (list) link_append(list, &c->timed);
}

static char *take_buffer(struct http *h, u32 room)
{
    struct spare *s = &h->spare[room == h->room];
    char *buffer = s->first;
    if (!buffer) return malloc(room);
    memcpy(&s->first, buffer, sizeof s->first);
    s->count--;
    return buffer;
}

static void give_buffer(struct http *h, char *buffer, u32 room)
{
    struct spare *s = &h->spare[room == h->room];
    if (!buffer) return;
    if (s->count == CONN_SPARE_MAX) {
        free(buffer);
        return;
    }
    memcpy(buffer, &s->first, sizeof s->first);
    s->first = buffer;
    s->count++;
}

void conn_free_spares(struct http *h)
{
    for (u32 i = 0; i < 2; i++)
        while (h->spare[i].count) free(take_buffer(h, i ? h->room : CONN_ROOM_SMALL));
}

static void drop_input(struct http *h, struct conn *c)
{
    give_buffer(h, c->in, c->in_room);
    c->in = NULL;
    c->in_from = c->in_to = c->in_room = 0;
}

/* ---- Life ---- */

bool conn_open(struct http *h, int fd, u64 address)
{
    bool reuse = !link_empty(&h->free);
    if (!reuse && h->made == h->api->config->api.connections_max) return false;
    struct conn *c = reuse ? LINK_OF(h->free.next, struct conn, timed) : &h->conns[h->made];
    int on = 1;
    /* bit 0 tells a connection from a WebSocket */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = (u64)(uintptr_t)c | 1};
    struct ssl_st *tls;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!stream_open(h->api, fd, &tls)) return false;
    if (epoll_ctl(h->api->epoll, EPOLL_CTL_ADD, fd, &event)) {
        stream_forget(tls);
        return false;
    }
    link_remove(&c->timed);
    h->made += !reuse;
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->tls = tls;
    c->address = address;
    h->open++;
    wait_in(h, c, tls ? &h->reading : &h->idle); /* a handshake is not to take long */
    return true;
}

void conn_end(struct http *h, struct conn *c, bool keep_fd)
{
    if (c->fd < 0) return;
    if (!keep_fd) {
        stream_close(c->fd, c->tls);
        limit_disconnect(h->api, c->address);
    }
    c->fd = -1;
    c->tls = NULL;
    if (c->request) {
        c->request->connection = NULL; /* its answer goes nowhere */
        if (c->request->state == REQUEST_DONE) request_free(h->api, c->request);
    }
    c->request = NULL;
    c->bare = false;
    link_remove(&c->writes);
    wait_in(h, c, &h->dead);
    drop_input(h, c);
    free(c->out);
    c->out = NULL;
    h->open--;
}

void conn_bury(struct http *h)
{
    while (!link_empty(&h->dead)) link_prepend(&h->free, link_pop(&h->dead));
}

/* ---- In ---- */

/* Make room behind the bytes it holds. False: memory is short. */
static bool make_room(struct http *h, struct conn *c)
{
    u32 held = c->in_to - c->in_from, room = c->in_room;
    if (c->in_to < room) return true;
    char *to = c->in;
    if (!c->in_from) {
        CHECK(room < h->room); /* a request that needs more was refused */
        room = h->room;
        to = take_buffer(h, room);
        if (!to) return false;
    }
    memmove(to, c->in + c->in_from, held);
    if (to != c->in) give_buffer(h, c->in, c->in_room);
    c->in = to;
    c->in_from = 0;
    c->in_to = held;
    c->in_room = room;
    return true;
}

/* Keep bytes that lie in the shared memory. */
static bool keep(struct http *h, struct conn *c, const char *bytes, u32 len)
{
    if (!len) return true;
    c->in_room = len < CONN_ROOM_SMALL ? CONN_ROOM_SMALL : h->room;
    c->in = take_buffer(h, c->in_room);
    if (!c->in) return false;
    memcpy(c->in, bytes, len);
    c->in_from = 0;
    c->in_to = len;
    return true;
}

/* Up to `room` bytes of the socket; 0 = nothing for now, or its end. */
static u32 receive(struct conn *c, char *to, u32 room)
{
    while (c->readable) {
        ssize_t n = stream_read(c->fd, c->tls, to, room, &c->again);
        if (n < 0 && errno == EINTR) continue;
        /* one that came short emptied the socket; the next byte is a new edge */
        c->readable = n > 0 && ((u32)n == room || c->hung_up || c->tls);
        if (n > 0) return (u32)n;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) c->ended = true;
    }
    return 0;
}

/* The parser's verdict on bytes[0..len), which stay where they are. How many of them are used. */
static u32 judge(struct http *h, struct conn *c, char *bytes, u32 *len)
{
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_parse *p = &c->parse;
    switch (http_parse(p, bytes, len, h->api->config->api.body_max)) {
    case HTTP_MORE:
        if (p->expects) conn_say(h, c, CONTINUE, sizeof CONTINUE - 1);
        p->expects = false;
        return 0;
    case HTTP_BAD: http_refuse(h, c, p->status, p->field, p->detail); return *len;
    case HTTP_DONE: break;
    }
    u32 used = p->at;
    http_request(h, c, bytes, *len - used);
    http_parse_begin(p);
    return used;
}

/* Read into the shared memory; what is left over moves into a buffer. */
static void read_shared(struct http *h, struct conn *c)
{
    u32 len = receive(c, h->scratch, h->room);
    if (!len) return;
    u32 used = judge(h, c, h->scratch, &len);
    if (c->fd >= 0 && !keep(h, c, h->scratch + used, len - used)) conn_end(h, c, false);
}

/* Go on with what it holds. */
static void parse_held(struct http *h, struct conn *c)
{
    u32 len = c->in_to - c->in_from;
    u32 used = judge(h, c, c->in + c->in_from, &len);
    if (c->fd < 0) return;
    c->in_from += used;
    c->in_to = c->in_from + len - used;
    if (c->in_from == c->in_to) drop_input(h, c);
}

/* Read behind what it holds; false: nothing came. */
static bool read_held(struct http *h, struct conn *c)
{
    if (!make_room(h, c)) {
        conn_end(h, c, false);
        return false;
    }
    u32 n = receive(c, c->in + c->in_to, c->in_room - c->in_to);
    c->in_to += n;
    return n > 0;
}

void conn_advance(struct http *h, struct conn *c)
{
    if (c->in && !conn_busy(c)) parse_held(h, c);
    while (c->fd >= 0 && !conn_busy(c) && c->readable) {
        if (!c->in) read_shared(h, c);
        else if (read_held(h, c)) parse_held(h, c);
    }
    if (c->fd < 0) return;
    if (conn_busy(c)) wait_in(h, c, NULL);
    else if (c->ended) conn_end(h, c, false);
    else wait_in(h, c, c->in || !stream_is_ready(c->tls) ? &h->reading : &h->idle);
}

/* ---- Out ---- */

bool conn_say(struct http *h, struct conn *c, const char *text, size_t len)
{
    if (stream_write(c->fd, c->tls, text, len) == (ssize_t)len) return true;
    conn_end(h, c, false);
    return false;
}

/* The answer is written. */
static void answered(struct http *h, struct conn *c)
{
    if (c->keep_alive) {
        conn_advance(h, c);
    } else if (c->ended || !stream_end(c->fd, c->tls)) {
        conn_end(h, c, false);
    } else { /* closing with bytes unread would take the answer back */
        c->closing = c->readable = true;
        drop_input(h, c);
        wait_in(h, c, &h->closing);
    }
}

/* Keep what the socket did not take: `skip` bytes of the parts are gone. */
static void stall(struct http *h, struct conn *c, const struct iovec part[2], size_t skip)
{
    size_t len = part[0].iov_len + part[1].iov_len;
    c->out = malloc(len);
    if (!c->out) {
        conn_end(h, c, false);
        return;
    }
    memcpy(c->out, part[0].iov_base, part[0].iov_len);
    if (part[1].iov_len) memcpy(c->out + part[0].iov_len, part[1].iov_base, part[1].iov_len);
    c->out_from = skip;
    c->out_to = len;
    wait_in(h, c, &h->stalled);
}

void conn_answer(struct http *h, struct conn *c, const char *head, size_t head_len,
                 const char *body, size_t body_len)
{
    struct iovec part[2] = {{ptr_at(head, 0), head_len}, {ptr_at(body, 0), body_len}};
    ssize_t n;
    do n = stream_write_parts(c->fd, c->tls, part, body_len ? 2 : 1);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) conn_end(h, c, false);
    else if (n >= 0 && (size_t)n == head_len + body_len) answered(h, c);
    else stall(h, c, part, n < 0 ? 0 : (size_t)n);
}

/* The socket has room again. */
static void write_rest(struct http *h, struct conn *c)
{
    while (c->out_from < c->out_to) {
        ssize_t n = stream_write(c->fd, c->tls, c->out + c->out_from, c->out_to - c->out_from);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            conn_end(h, c, false);
            return;
        }
        c->out_from += (size_t)n;
        wait_in(h, c, NULL); /* it takes something: its time begins anew */
        wait_in(h, c, &h->stalled);
    }
    free(c->out);
    c->out = NULL;
    wait_in(h, c, NULL);
    answered(h, c);
}

/* Read away what it still says after its last answer. */
static void drain(struct http *h, struct conn *c)
{
    for (u32 i = 0; i < WASTE_READS && c->readable; i++) receive(c, h->scratch, h->room);
    if (c->ended || c->readable) conn_end(h, c, false);
}

void conn_ready(struct http *h, struct conn *c, u32 events)
{
    if (c->fd < 0) return;
    if (events & EPOLLERR) {
        conn_end(h, c, false);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) c->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP)) c->hung_up = true;
    if ((events & EPOLLOUT) && c->again) c->readable = true;
    if (c->closing) drain(h, c);
    else if (c->out) write_rest(h, c);
    else if (!conn_busy(c) && c->readable) conn_advance(h, c);
}

/* ---- Time ---- */

static u32 end_old(struct http *h, struct link *list, u64 limit_ns)
{
    u32 n = 0;
    while (!link_empty(list)) {
        struct conn *c = LINK_OF(list->next, struct conn, timed);
        if (h->api->now_ns - c->since_ns <= limit_ns) break;
        conn_end(h, c, false);
        n++;
    }
    return n;
}

u32 conn_timeouts(struct http *h)
{
    u32 n = 0;
    while (!link_empty(&h->reading)) {
        struct conn *c = LINK_OF(h->reading.next, struct conn, timed);
        if (h->api->now_ns - c->since_ns <= h->api->config->api.read_timeout_ns) break;
        n++;
        if (!stream_is_ready(c->tls)) {
            conn_end(h, c, false);
            continue;
        }
        http_refuse(h, c, 408, "request",
                    "the request was not complete in time (api.read_timeout)");
        drop_input(h, c);
        wait_in(h, c, NULL);
    }
    n += end_old(h, &h->idle, h->api->config->api.idle_timeout_ns);
    n += end_old(h, &h->stalled, CONN_STALL_NS);
    return n + end_old(h, &h->closing, CONN_CLOSE_NS);
}
