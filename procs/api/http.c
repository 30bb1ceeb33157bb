#include "procs/api/http.h"

#include <errno.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "procs/api/answer.h"
#include "procs/api/conn.h"
#include "procs/api/limit.h"
#include "procs/api/origin.h"
#include "procs/api/routes.h"
#include "procs/api/stamps.h"
#include "procs/api/ws.h"
#include "procs/lib/listen.h"
#include "shm/err.h"

#define ACCEPTS       64U               /* in a turn */
#define ROUNDS        16U               /* pipelined requests of a connection, in a turn */
#define ACCEPT_AGAIN  (100 * NS_PER_MS) /* after descriptors ran out */
#define RESPONSE_HEAD (512U + STAMP_HEADERS + ORIGIN_HEADERS)

/* What a connection without a request gets. */
#define BARE(status_, text_) \
    { \
        status_, sizeof text_ - 1, text_ \
    }
static const struct bare {
    u16 status;
    size_t len;
    const char *text;
} busy = BARE(503, "{\"code\":20002,\"message\":\"Service unavailable\",\"data\":"
                   "{\"detail\":\"too many requests at once\",\"retry_after\":1}}"),
  crowd = BARE(429, "{\"code\":20001,\"message\":\"Rate limit exceeded\",\"data\":"
                    "{\"field\":\"address\",\"detail\":\"too many open connections of one "
                    "address\",\"retry_after\":1}}");

/* ---- Heads of answers ---- */

// clang-format off
static const struct {
    u16 status;
    const char *line;
} lines[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
};
// clang-format on

static const char *status_line(u16 status)
{
    for (u32 i = 0; i < COUNT_OF(lines); i++)
        if (lines[i].status == status) return lines[i].line;
    return "HTTP/1.1 500 Internal Server Error\r\n";
}

static void put(struct json_out *o, const char *text)
{
    json_put_raw(o, text, strlen(text));
}

static void put_number(struct json_out *o, u64 number)
{
    char text[20], *at = text + sizeof text;
    do *--at = (char)('0' + number % 10);
    while (number /= 10);
    json_put_raw(o, at, (size_t)(text + sizeof text - at));
}

static const char *date_line(struct http *h)
{
    time_t now = (time_t)(h->api->unix_ns / NS_PER_S);
    struct tm utc;
    if ((u64)now == h->date_s) return h->date;
    h->date_s = (u64)now;
    gmtime_r(&now, &utc);
    strftime(h->date, sizeof h->date, "Date: %a, %d %b %Y %T GMT\r\n", &utc);
    return h->date;
}

static void put_line(struct json_out *o, const char *name, u64 number)
{
    put(o, name);
    put_number(o, number);
}

static void put_told(struct json_out *o, const struct rate_told *told)
{
    put_line(o, "\r\nX-RateLimit-Limit: ", told->limit);
    put_line(o, "\r\nX-RateLimit-Remaining: ", told->remaining);
    put_line(o, "\r\nX-RateLimit-Reset: ", told->reset_s);
}

/* The head of the answer to `r`, or if that is NULL of `b`. */
static size_t put_head(struct http *h, const struct conn *c, const struct request *r,
                       const struct bare *b, char head[RESPONSE_HEAD])
{
    struct json_out o;
    u32 retry_s = r ? r->retry_after_s : 1;
    json_out_init(&o, head, RESPONSE_HEAD);
    put(&o, status_line(r ? r->status : b->status));
    put(&o, date_line(h));
    put(&o, "Content-Type: ");
    put(&o, r ? r->content_type : "application/json");
    put_line(&o, "\r\nContent-Length: ", r ? r->answer_len : b->len);
    if (retry_s) put_line(&o, "\r\nRetry-After: ", retry_s);
    if (r) stamp_headers(&o, r);
    if (r && r->told.limit) put_told(&o, &r->told);
    if (r) origin_headers(&o, h->api, r);
    if (r && r->header) put(&o, "\r\n"), put(&o, r->header);
    if (!c->keep_alive) put(&o, "\r\nConnection: close");
    else if (c->minor == 0) put(&o, "\r\nConnection: keep-alive");
    put(&o, "\r\n\r\n");
    CHECK(!o.full);
    return o.len;
}

/* ---- Requests ---- */

static void queue(struct http *h, struct conn *c)
{
    if (!c->writes.next) link_append(&h->writes, &c->writes);
}

void http_answered(struct api *a, struct request *r)
{
    queue(a->http, r->connection);
}

/* A request for what the connection asks, or NULL: 503 is on its way. */
static struct request *take_request(struct http *h, struct conn *c)
{
    struct api *a = h->api;
    struct request *r = request_take(a);
    if (!r) {
        c->bare = true;
        queue(h, c);
        return NULL;
    }
    r->connection = c;
    r->begun_ns = a->now_ns;
    r->state = REQUEST_ASKED;
    c->request = r;
    return r;
}

/* A refusal with a status of HTTP's own (404, 405, 413, ...) instead of its code's. */
static void refuse(struct api *a, struct request *r, u16 status, const struct problem *p)
{
    answer_problem(a, r, p, NULL, 0);
    r->status = status;
}

/* These bytes are no request, and where the next one would begin nobody knows. */
void http_refuse(struct http *h, struct conn *c, u16 status, const char *field, const char *detail)
{
    c->keep_alive = false;
    c->head_only = false;
    struct request *r = take_request(h, c);
    if (!r) return;
    struct problem p;
    problem_set(&p, CODE_INVALID_PARAMS, field, NULL, "%s", detail);
    if (status == 413)
        problem_set(&p, CODE_INVALID_PARAMS, field, NULL, "the body may have up to %lu bytes",
                    h->api->config->api.body_max);
    refuse(h->api, r, status, &p);
}

/* 101: the socket becomes a WebSocket; `rest` holds what the client has said on it already. */
static void upgrade(struct http *h, struct conn *c, struct request *r, char *bytes, u32 rest)
{
    char head[RESPONSE_HEAD], accept[WS_ACCEPT_BYTES];
    struct api *a = h->api;
    struct problem p;
    struct json_out o;
    if (r->origin == ORIGIN_OTHER) {
        problem_set(&p, CODE_FORBIDDEN, "Origin", NULL,
                    "pages of this origin may not connect (api.allowed_origins)");
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    const char *fault = ws_upgrade(r, &c->parse, bytes, accept);
    if (fault) {
        problem_set(&p, CODE_INVALID_PARAMS, "Upgrade", NULL, "%s", fault);
        r->header = "Sec-WebSocket-Version: 13";
        answer_problem(a, r, &p, NULL, 0);
        return;
    }
    json_out_init(&o, head, sizeof head);
    put(&o, "HTTP/1.1 101 Switching Protocols\r\n");
    put(&o, date_line(h));
    put(&o, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ");
    put(&o, accept);
    put(&o, "\r\n\r\n");
    c->request = NULL;
    request_free(a, r);
    if (!conn_say(h, c, head, o.len)) return;
    epoll_ctl(a->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    bool taken = ws_open(a, c->fd, c->tls, c->address, bytes + c->parse.at, rest) != NULL;
    conn_end(h, c, taken);
}

static enum method method_in(const char *bytes, struct http_piece piece)
{
    char name[8] = {0};
    if (piece.len < sizeof name) memcpy(name, bytes + piece.at, piece.len);
    return method_of(name);
}

/* Let its handler see what was sent; the bytes are gone afterwards. */
static void handle(struct api *a, struct request *r, const struct http_parse *p, char *bytes)
{
    struct problem problem;
    u16 status;
    if (route_find(a, r, &status, &problem)) {
        refuse(a, r, status, &problem);
        return;
    }
    if (http_has(p, HTTP_AUTHORIZATION)) {
        struct http_piece text = p->value[HTTP_AUTHORIZATION];
        bytes[text.at + text.len] = '\0'; /* a blank or the line's end */
        r->authorization = bytes + text.at;
    }
    r->body = bytes + p->body_at;
    r->body_len = p->body_len;
    route_run(a, r);
    r->body = NULL;
    r->authorization = NULL;
}

void http_request(struct http *h, struct conn *c, char *bytes, u32 rest)
{
    const struct http_parse *p = &c->parse;
    c->keep_alive = p->keep_alive;
    c->minor = p->minor;
    c->head_only = http_piece_is(bytes, p->method, "HEAD");
    struct request *r = take_request(h, c);
    if (!r) return;
    _Static_assert(HTTP_TARGET_MAX < TARGET_MAX, "a target fits into a request");
    r->text_len = p->target.len;
    memcpy(r->text, bytes + p->target.at, p->target.len);
    r->method = c->head_only ? METHOD_GET : method_in(bytes, p->method);
    r->origin = origin_of(h->api, p, bytes);
    stamp_name(r, p, bytes);
    struct problem problem;
    if (limit_request(h->api, r, c->address, &problem))
        answer_problem(h->api, r, &problem, NULL, 0);
    else if (origin_preflight(h->api, r, p, bytes)) return;
    else if (ws_wants_upgrade(r)) upgrade(h, c, r, bytes, rest);
    else handle(h->api, r, p, bytes);
}

/* ---- Answers ---- */

static void write_answer(struct http *h, struct conn *c)
{
    char head[RESPONSE_HEAD];
    struct request *r = c->request;
    const char *body = r ? r->answer : busy.text;
    size_t body_len = r ? r->answer_len : busy.len;
    size_t head_len = put_head(h, c, r, &busy, head);
    c->request = NULL;
    c->bare = false;
    conn_answer(h, c, head, head_len, body, c->head_only ? 0 : body_len);
    if (r) request_free(h->api, r);
}

/* Write what is queued; what is queued meanwhile comes in the next round. */
static u32 write_answers(struct http *h)
{
    u32 n = 0;
    for (u32 round = 0; round < ROUNDS && !link_empty(&h->writes); round++) {
        struct link *last = h->writes.prev, *item;
        do {
            item = link_pop(&h->writes);
            write_answer(h, LINK_OF(item, struct conn, writes));
            n++;
        } while (item != last);
    }
    return n;
}

/* ---- Connections ---- */

/* One too many: say so, and read what it may have asked, or closing takes the answer back. */
static void turn_away(struct http *h, int fd, const struct bare *b)
{
    char text[2 * RESPONSE_HEAD];
    const struct conn none = {.keep_alive = false};
    size_t len = put_head(h, &none, NULL, b, text);
    CHECK(b->len <= RESPONSE_HEAD);
    memcpy(text + len, b->text, b->len);
    metric_add(h->api->block, METRIC_API_CONNECTIONS_REFUSED, 1);
    if (!h->api->tls && send(fd, text, len + b->len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 &&
        !shutdown(fd, SHUT_WR))
        while (recv(fd, h->scratch, h->room, MSG_DONTWAIT) == (ssize_t)h->room) continue;
    close(fd);
}

/* A client has connected. */
static void let_in(struct http *h, int fd, const struct sockaddr *from)
{
    struct api *a = h->api;
    u64 address = limit_address(a, from);
    bool full = h->open + a->hub->count >= a->config->api.connections_max;
    if (full || !limit_connect(a, address)) {
        turn_away(h, fd, full ? &busy : &crowd);
    } else if (!conn_open(h, fd, address)) {
        limit_disconnect(a, address);
        turn_away(h, fd, &busy);
    }
}

static u32 accept_all(struct http *h)
{
    struct api *a = h->api;
    u32 n = 0;
    for (; n < ACCEPTS && h->accepting && a->now_ns >= h->accept_ns; n++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        struct sockaddr *at = (struct sockaddr *)&from;
        int fd = accept4(h->listener, at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) {
            h->accepting = errno != EAGAIN && errno != EWOULDBLOCK;
            if (h->accepting) h->accept_ns = a->now_ns + ACCEPT_AGAIN;
        } else {
            let_in(h, fd, at);
        }
    }
    return n;
}

void http_ready(struct api *a, u64 tag, u32 events)
{
    if (!tag) a->http->accepting = true;
    else conn_ready(a->http, ptr_at(NULL, tag & ~1UL), events);
}

u32 http_turn(struct api *a)
{
    struct http *h = a->http;
    u32 n = accept_all(h) + conn_timeouts(h) + write_answers(h);
    conn_bury(h);
    if (h->open + a->hub->count != h->told) {
        h->told = h->open + a->hub->count;
        metric_set(a->block, METRIC_API_CONNECTIONS, h->told);
    }
    return n;
}

/* ---- Start and stop ---- */

/* The socket the supervisor passed, or one of its own. */
static int listen_on(struct http *h, int listener)
{
    const struct config *config = h->api->config;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    h->listener = listener;
    if (listener < 0)
        h->listener = listen_bind(config->api.listen.s, config->api.port, config->api.workers > 1);
    if (h->listener < 0) return err_wrap("api.listen, api.port");
    if (listen(h->listener, LISTEN_BACKLOG) ||
        epoll_ctl(h->api->epoll, EPOLL_CTL_ADD, h->listener, &event))
        return err_sys("listening");
    atomic_store_explicit(&h->api->block->port, listen_port(h->listener), memory_order_relaxed);
    return 0;
}

int http_start(struct api *a, int listener)
{
    struct http *h = a->http = calloc(1, sizeof *h);
    if (!h) return err_sys("memory for connections");
    h->api = a;
    h->listener = -1;
    h->room = HTTP_HEAD_MAX + (u32)a->config->api.body_max + HTTP_REQUEST_ROOM;
    h->conns = calloc(a->config->api.connections_max, sizeof *h->conns);
    h->scratch = malloc(h->room);
    struct link *lists[] = {&h->free,    &h->dead,    &h->writes, &h->idle,
                            &h->reading, &h->stalled, &h->closing};
    for (u32 i = 0; i < COUNT_OF(lists); i++) link_init(lists[i]);
    if (!h->conns || !h->scratch) return err_sys("memory for connections");
    return listen_on(h, listener);
}

void http_stop(struct api *a)
{
    struct http *h = a->http;
    if (!h) return;
    if (h->listener >= 0) close(h->listener);
    while (!link_empty(&a->waiting)) {
        struct request *r = LINK_OF(a->waiting.next, struct request, by_age);
        link_remove(&r->by_age);
        link_remove(&r->by_seq);
        answer_code(a, r, CODE_UNAVAILABLE, 1000);
    }
    write_answers(h);
    for (u32 i = 0; i < h->made; i++) conn_end(h, &h->conns[i], false);
    conn_free_spares(h);
    free(h->conns);
    free(h->scratch);
    free(h);
    a->http = NULL;
}
