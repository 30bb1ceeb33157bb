#include "procs/api/ws.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "procs/api/answer.h"
#include "procs/api/limit.h"
#include "procs/api/stream.h"
#include "procs/api/ws_channels.h"
#include "procs/api/ws_frames.h"
#include "shm/err.h"

#define PING_NS    (20 * NS_PER_S) /* protocol.md 4 */
#define SILENCE_NS (60 * NS_PER_S)
#define GOODBYE_NS (2 * NS_PER_S)
#define LOOK_NS    (NS_PER_S / 4)

int ws_start(struct api *a)
{
    struct hub *h = a->hub = calloc(1, sizeof *h);
    if (!h || !(h->text = malloc(SCRATCH_BYTES))) return err_sys("memory for WebSockets");
    link_init(&h->all);
    link_init(&h->writes);
    link_init(&h->ending);
    link_init(&h->dead);
    link_init(&h->waves);
    for (u32 i = 0; i < WALLET_BUCKETS; i++) link_init(&h->wallets[i]);
    return 0;
}

void ws_delete(struct api *a)
{
    struct hub *h = a->hub;
    waves_delete(h);
    free(h->text);
    free(h);
    a->hub = NULL;
}

/* ---- The upgrade ---- */

bool ws_wants_upgrade(const struct request *r)
{
    const char *query = memchr(r->text, '?', r->text_len);
    size_t len = query ? (size_t)(query - r->text) : r->text_len;
    return len == 3 && !memcmp(r->text, "/ws", 3);
}

/* base64(SHA-1(key, GUID of RFC 6455)) */
static void accept_key(const char *key, size_t len, char out[WS_ACCEPT_BYTES])
{
    static const u8 GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    struct sha1_ctx sha;
    u8 digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha);
    sha1_update(&sha, len, (const u8 *)key);
    sha1_update(&sha, sizeof GUID - 1, GUID);
    sha1_digest(&sha, sizeof digest, digest);
    base64_encode_raw(out, sizeof digest, digest);
    out[BASE64_ENCODE_RAW_LENGTH(sizeof digest)] = '\0';
}

const char *ws_upgrade(const struct request *r, const struct http_parse *p, const char *bytes,
                       char accept[WS_ACCEPT_BYTES])
{
    struct http_piece key = p->value[HTTP_WS_KEY];
    if (r->method != METHOD_GET || !p->upgrade || p->minor == 0 || p->body_len ||
        !http_piece_is(bytes, p->value[HTTP_UPGRADE], "websocket"))
        return "/ws speaks WebSocket only: connect with ws://";
    if (!http_piece_is(bytes, p->value[HTTP_WS_VERSION], "13"))
        return "Sec-WebSocket-Version must be 13";
    if (key.len != 24) return "Sec-WebSocket-Key must be 16 bytes in base64";
    accept_key(bytes + key.at, key.len, accept);
    return NULL;
}

/* ---- Life ---- */

static void say_connected(struct ws *ws)
{
    struct api *a = ws->api;
    struct json_out o;
    json_out_init(&o, a->hub->text, SCRATCH_BYTES);
    ws_put_head(&o, "connected", "", a->unix_ns);
    json_put_open(&o, '{');
    json_put_key(&o, "ping_interval"), json_put_u64(&o, PING_NS / NS_PER_MS);
    json_put_key(&o, "timeout"), json_put_u64(&o, SILENCE_NS / NS_PER_MS);
    json_put_close(&o, '}');
    json_put_close(&o, '}');
    ws_send(ws, o.at, o.len);
}

struct ws *ws_open(struct api *a, int fd, struct ssl_st *tls, u64 address, const char *extra,
                   size_t extra_len)
{
    struct ws *ws = calloc(1, sizeof *ws);
    if (!ws) return NULL;
    ws->api = a;
    ws->fd = fd;
    ws->tls = tls;
    ws->address = address;
    ws->heard_ns = ws->pinged_ns = ws->rate_from_ns = a->now_ns;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* ENOTSUP on socket pairs */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = ws};
    if (!wave_join(a->hub, ws) || frames_open(ws, extra, extra_len) ||
        epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event)) {
        if (ws->wave) wave_leave(ws);
        frames_close(ws);
        free(ws);
        return NULL;
    }
    link_append(&a->hub->all, &ws->all);
    a->hub->count++;
    metric_set(a->block, METRIC_API_SOCKETS, a->hub->count);
    say_connected(ws);
    if (extra_len) frames_read(ws);
    return ws;
}

/* No more messages for it. Its subscriptions go later: somebody may be walking over them. */
static void end(struct ws *ws)
{
    if (!ws->ending.next) link_append(&ws->api->hub->ending, &ws->ending);
}

/* Mark it; nothing is sent or read any more. */
static void die(struct ws *ws)
{
    if (ws->dead) return;
    struct api *a = ws->api;
    ws->dead = true;
    epoll_ctl(a->epoll, EPOLL_CTL_DEL, ws->fd, NULL);
    end(ws);
    link_remove(&ws->writes);
    link_remove(&ws->all);
    link_append(&a->hub->dead, &ws->all);
    a->hub->count--;
    metric_set(a->block, METRIC_API_SOCKETS, a->hub->count);
}

/* Requests it still waits for go on without it. */
static void disown(struct api *a, struct ws *ws)
{
    for (struct link *l = a->waiting.next; ws->in_flight && l != &a->waiting; l = l->next) {
        struct request *r = LINK_OF(l, struct request, by_age);
        if (r->socket != ws) continue;
        r->socket = NULL;
        ws->in_flight--;
    }
}

static void bury(struct api *a, struct ws *ws)
{
    disown(a, ws);
    wave_leave(ws);
    frames_close(ws);
    stream_close(ws->fd, ws->tls);
    limit_disconnect(a, ws->address);
    free(ws->out);
    free(ws->subs);
    free(ws);
}

/* ---- Out ---- */

void ws_put_head(struct json_out *o, const char *type, const char *id, u64 unix_ns)
{
    json_put_open(o, '{');
    json_put_key(o, "type"), json_put_cstring(o, type);
    if (id[0]) json_put_key(o, "id"), json_put_json(o, id, strlen(id));
    json_put_key(o, "timestamp"), json_put_u64(o, unix_ns / NS_PER_MS);
    json_put_key(o, "data");
}

/* Room for `need` more bytes; false when memory is short. */
static bool make_room(struct ws *ws, size_t need)
{
    if (ws->out_to + need <= ws->out_room) return true;
    size_t held = ws->out_to - ws->out_from;
    if (held && ws->out_from) memmove(ws->out, ws->out + ws->out_from, held);
    ws->out_from = 0;
    ws->out_to = held;
    if (held + need <= ws->out_room) return true;
    size_t room = pow2_up(max_u64(held + need, 2048));
    char *out = realloc(ws->out, room);
    if (!out) return false;
    ws->out = out;
    ws->out_room = room;
    return true;
}

/* The head of a whole frame; servers do not mask. Returns its length. */
static size_t frame_head(u8 head[10], u8 opcode, size_t len)
{
    head[0] = (u8)(0x80 | opcode);
    if (len < 126) {
        head[1] = (u8)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        head[1] = 126, head[2] = (u8)(len >> 8), head[3] = (u8)len;
        return 4;
    }
    head[1] = 127;
    for (u32 i = 0; i < 8; i++) head[2 + i] = (u8)((u64)len >> (56 - 8 * i));
    return 10;
}

/* Copy the frames it refers to, but for the first `skip` bytes, behind what waits already: they are
 * not written at once. False when memory is short. */
static bool settle(struct ws *ws, size_t skip)
{
    if (!make_room(ws, ws->ref_len - skip)) return false;
    for (u32 i = 0; i < ws->ref_count; i++) {
        const struct frames *f = ws->refs[i];
        size_t done = min_u64(skip, f->len);
        memcpy(ws->out + ws->out_to, f->at + done, f->len - done);
        ws->out_to += f->len - done;
        skip -= done;
    }
    ws->ref_count = 0;
    ws->ref_len = 0;
    return true;
}

static void write_soon(struct ws *ws)
{
    if (!ws->writes.next) link_append(&ws->api->hub->writes, &ws->writes);
}

/* Append bytes that are whole frames. False when memory is short. */
static bool put_bytes(struct ws *ws, const void *head, size_t n, const void *payload, size_t len)
{
    if ((ws->ref_count && !settle(ws, 0)) || !make_room(ws, n + len)) return false;
    memcpy(ws->out + ws->out_to, head, n);
    if (len) memcpy(ws->out + ws->out_to + n, payload, len);
    ws->out_to += n + len;
    write_soon(ws);
    return true;
}

static bool put_frame(struct ws *ws, u8 opcode, const void *payload, size_t len)
{
    u8 head[10];
    return put_bytes(ws, head, frame_head(head, opcode, len), payload, len);
}

/* May `len` more bytes wait for this reader? If not, it is closed. */
static bool may_queue(struct ws *ws, size_t len)
{
    if (ws->dead || ws->closing) return false;
    if (ws_backlog(ws) + len + 256 <= WS_OUT_MAX) return true; /* 256: room for the goodbye */
    metric_add(ws->api->block, METRIC_API_DROPPED, 1);
    ws_close(ws, WS_CLOSE_POLICY, "slow reader: more than 1 MiB is waiting for you");
    return false;
}

bool ws_send(struct ws *ws, const char *text, size_t len)
{
    if (!may_queue(ws, len)) return false;
    if (put_frame(ws, WSLAY_TEXT_FRAME, text, len)) return true;
    die(ws);
    return false;
}

bool ws_send_frames(struct ws *ws, const struct frames *f)
{
    if (!may_queue(ws, f->len)) return false;
    if (ws->out_to == ws->out_from && ws->ref_count < WS_REFS_MAX) {
        ws->refs[ws->ref_count++] = f;
        ws->ref_len += f->len;
        write_soon(ws);
        return true;
    }
    if (put_bytes(ws, f->at, f->len, NULL, 0)) return true;
    die(ws);
    return false;
}

bool frames_add(struct frames *f, const char *text, size_t len)
{
    u8 head[10];
    size_t n = frame_head(head, WSLAY_TEXT_FRAME, len);
    if (f->len + n + len > f->room) {
        size_t room = pow2_up(f->len + n + len);
        char *at = realloc(f->at, room);
        if (!at) return false;
        f->at = at;
        f->room = room;
    }
    memcpy(f->at + f->len, head, n);
    memcpy(f->at + f->len + n, text, len);
    f->len += n + len;
    f->count++;
    return true;
}

void ws_control(struct ws *ws, u8 opcode, const void *payload, size_t len)
{
    if (ws->dead || ws->closing || ws_backlog(ws) > WS_OUT_MAX - 256) return;
    if (!put_frame(ws, opcode, payload, len)) die(ws);
}

void ws_close(struct ws *ws, u16 code, const char *reason)
{
    u8 payload[125] = {(u8)(code >> 8), (u8)code};
    size_t len = strnlen(reason, sizeof payload - 2);
    if (ws->dead || ws->closing) return;
    memcpy(payload + 2, reason, len);
    if (!put_frame(ws, WSLAY_CONNECTION_CLOSE, payload, len + 2)) {
        die(ws);
        return;
    }
    ws->closing = true;
    ws->closed_ns = ws->api->now_ns;
    end(ws);
}

static void watch_writable(struct ws *ws, bool on)
{
    if (ws->polls_write == on) return;
    ws->polls_write = on;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | (on ? (u32)EPOLLOUT : 0U),
                                .data.ptr = ws};
    epoll_ctl(ws->api->epoll, EPOLL_CTL_MOD, ws->fd, &event);
}

/* One system call with all it has: its own bytes, then the frames it refers to. */
static ssize_t send_all(struct ws *ws)
{
    struct iovec parts[1 + WS_REFS_MAX];
    size_t own = ws->out_to - ws->out_from;
    u32 n = 0;
    if (own) parts[n++] = (struct iovec){ws->out + ws->out_from, own};
    for (u32 i = 0; i < ws->ref_count; i++)
        parts[n++] = (struct iovec){ws->refs[i]->at, ws->refs[i]->len};
    return stream_write_parts(ws->fd, ws->tls, parts, n);
}

/* The socket took n bytes; what it did not take becomes the connection's own. */
static bool sent(struct ws *ws, size_t n)
{
    size_t own = ws->out_to - ws->out_from, first = min_u64(n, own);
    ws->out_from += first;
    if (ws->out_from == ws->out_to) ws->out_from = ws->out_to = 0;
    if (n - first < ws->ref_len) return settle(ws, n - first);
    ws->ref_count = 0;
    ws->ref_len = 0;
    return true;
}

static void write_out(struct ws *ws)
{
    while (ws_backlog(ws)) {
        ssize_t n = send_all(ws);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && sent(ws, 0)) {
            watch_writable(ws, true);
            return;
        }
        if (n <= 0 || !sent(ws, (size_t)n)) {
            die(ws);
            return;
        }
    }
    watch_writable(ws, false);
    if (ws->out_room > 16384) {
        free(ws->out);
        ws->out = NULL;
        ws->out_room = 0;
    }
    if (!ws->closing) return;
    if (ws->ended) die(ws);
    else shutdown(ws->fd, SHUT_WR); /* the close frame was the last: the peer may hang up at once */
}

void ws_write(struct api *a)
{
    struct hub *h = a->hub;
    while (!link_empty(&h->writes)) {
        struct ws *ws = LINK_OF(h->writes.next, struct ws, writes);
        link_remove(&ws->writes);
        write_out(ws);
    }
}

void ws_ready(struct ws *ws, u32 events)
{
    if (ws->dead) return;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) frames_read(ws);
    if (ws->dead) return;
    if ((events & EPOLLOUT) && !ws->writes.next) link_append(&ws->api->hub->writes, &ws->writes);
    if (ws->ended && !ws_backlog(ws)) die(ws);
}

void ws_answered(struct api *a, struct request *r)
{
    if (r->socket) {
        r->socket->in_flight--;
        ws_send(r->socket, r->answer, r->answer_len);
    }
    request_free(a, r);
}

/* ---- Time ---- */

static void look(struct ws *ws)
{
    struct api *a = ws->api;
    if (ws->closing) {
        if (a->now_ns - ws->closed_ns > GOODBYE_NS) die(ws);
    } else if (a->now_ns - ws->heard_ns > SILENCE_NS) {
        ws_close(ws, WS_CLOSE_AWAY, "nothing heard for 60 s");
    } else if (a->now_ns - ws->pinged_ns > PING_NS) {
        ws->pinged_ns = a->now_ns;
        ws_control(ws, WSLAY_PING, NULL, 0);
    }
}

void ws_turn(struct api *a)
{
    struct hub *h = a->hub;
    if (a->now_ns - h->looked_ns > LOOK_NS) {
        h->looked_ns = a->now_ns;
        for (struct link *l = h->all.next, *next; l != &h->all; l = next) {
            next = l->next;
            look(LINK_OF(l, struct ws, all));
        }
    }
    ws_write(a);
    while (!link_empty(&h->ending)) {
        struct ws *ws = LINK_OF(h->ending.next, struct ws, ending);
        link_remove(&ws->ending);
        channels_leave(ws);
    }
    while (!link_empty(&h->dead)) bury(a, LINK_OF(link_pop(&h->dead), struct ws, all));
}

void ws_stop(struct api *a)
{
    struct hub *h = a->hub;
    if (!h) return;
    for (struct link *l = h->all.next, *next; l != &h->all; l = next) {
        next = l->next;
        ws_close(LINK_OF(l, struct ws, all), WS_CLOSE_AWAY, "the gateway stops; connect again");
    }
    ws_turn(a);
    while (!link_empty(&h->all)) die(LINK_OF(h->all.next, struct ws, all));
    ws_turn(a);
}
