/* demo_ws.c: a WebSocket client: the handshake by hand, frames by wslay. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "cli/demo.h"

#define AGAIN_NS     500000000UL
#define HANDSHAKE_MS 5000

static ssize_t take(wslay_event_context_ptr ctx, uint8_t *buf, size_t length, int flags, void *user)
{
    struct socket *s = user;
    (void)flags;
    ssize_t n = recv(s->fd, buf, length, MSG_DONTWAIT);
    if (n > 0) return n;
    bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
    wslay_event_set_error(ctx, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t give(wslay_event_context_ptr ctx, const uint8_t *data, size_t length, int flags,
                    void *user)
{
    struct socket *s = user;
    (void)flags;
    ssize_t n = send(s->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return n;
    bool later = errno == EAGAIN || errno == EINTR;
    wslay_event_set_error(ctx, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t length, void *user)
{
    (void)ctx;
    (void)user;
    return getrandom(buf, length, 0) == (ssize_t)length ? 0 : -1;
}

static void arrived(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *message,
                    void *user)
{
    (void)ctx;
    if (message->opcode == WSLAY_TEXT_FRAME)
        push_message(user, (const char *)message->msg, message->msg_length);
}

/* A connected TCP socket, or -1. */
static int dial(const char *host, u16 port)
{
    char service[8], bare[64];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
    struct timeval patience = {.tv_sec = HANDSHAKE_MS / 1000};
    int yes = 1;
    snprintf(service, sizeof service, "%u", port);
    snprintf(bare, sizeof bare, "%s", host[0] == '[' ? host + 1 : host);
    bare[strcspn(bare, "]")] = '\0';
    if (getaddrinfo(bare, service, &hints, &found)) return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (connect(fd, found->ai_addr, found->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Ask for the upgrade and read the answer, byte by byte so that no frame is swallowed. */
static bool shake_hands(int fd, const char *host, u16 port)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "GET /ws HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: ZWlkb3MgZGVtbyBjbGllbg==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     host, port);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n) return false;
    size_t length = 0;
    while (length + 1 < sizeof text && recv(fd, text + length, 1, 0) == 1) {
        text[++length] = '\0';
        if (length >= 4 && memcmp(text + length - 4, "\r\n\r\n", 4) == 0)
            return strncmp(text, "HTTP/1.1 101", 12) == 0;
    }
    return false;
}

static void lost(struct socket *s, u64 now_ns)
{
    socket_close(s);
    s->broken = true;
    s->again_ns = now_ns + AGAIN_NS;
    if (s->agent != NO_PLACED) agent_socket_lost(s->demo, &s->demo->agents[s->agent]);
}

void socket_connect(struct socket *s, u64 now_ns)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = take,
        .send_callback = give,
        .genmask_callback = mask,
        .on_msg_recv_callback = arrived,
    };
    struct demo *d = s->demo;
    wslay_event_context_ptr ctx = NULL;
    s->fd = dial(d->host, d->port);
    if (s->fd < 0 || !shake_hands(s->fd, d->host, d->port) ||
        wslay_event_context_client_init(&ctx, &callbacks, s)) {
        lost(s, now_ns);
        return;
    }
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    s->wslay = ctx;
    push_hello(s);
}

void socket_close(struct socket *s)
{
    if (s->wslay) wslay_event_context_free(s->wslay);
    if (s->fd >= 0) close(s->fd);
    s->wslay = NULL;
    s->fd = -1;
    s->ready = false;
}

void socket_turn(struct socket *s, u64 now_ns)
{
    if (s->fd < 0) {
        if (now_ns >= s->again_ns) socket_connect(s, now_ns);
        return;
    }
    if (wslay_event_recv(s->wslay) || wslay_event_send(s->wslay) ||
        wslay_event_get_close_received(s->wslay))
        lost(s, now_ns);
}

bool socket_send(struct socket *s, const char *text, size_t length)
{
    struct wslay_event_msg message = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text, .msg_length = length};
    return s->wslay && wslay_event_queue_msg(s->wslay, &message) == 0 &&
           wslay_event_send(s->wslay) == 0;
}

bool socket_wants_write(const struct socket *s)
{
    return s->wslay && wslay_event_want_write(s->wslay);
}
