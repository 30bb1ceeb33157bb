/* demo_ws.c: a WebSocket of the demo: one socket, polled in turn. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/demo.h"
#include "procs/lib/client/ws.h"

#define AGAIN_NS     500000000UL
#define HANDSHAKE_MS 5000

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
    char text[2048], where[80];
    snprintf(where, sizeof where, "%s:%u", host, port);
    size_t n = client_ws_upgrade(where, text, sizeof text), length = 0;
    if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) return false;
    while (length < sizeof text && recv(fd, text + length, 1, 0) == 1) {
        int head = client_ws_upgraded(text, ++length);
        if (head) return head > 0;
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
    struct demo *d = s->demo;
    s->fd = dial(d->host, d->port);
    s->in = malloc(DEMO_ANSWER);
    s->in_len = 0;
    if (s->fd < 0 || !s->in || !shake_hands(s->fd, d->host, d->port)) {
        lost(s, now_ns);
        return;
    }
    push_hello(s);
}

void socket_close(struct socket *s)
{
    if (s->fd >= 0) close(s->fd);
    free(s->in);
    s->in = NULL;
    s->fd = -1;
    s->ready = false;
}

/* What demo clients say is short, and the socket takes it at once or not within 5 s. */
static bool send_frame(struct socket *s, u8 opcode, const char *text, size_t length)
{
    char frame[DEMO_BODY + CLIENT_WS_HEAD];
    if (s->fd < 0 || length > DEMO_BODY) return false;
    size_t n = client_ws_frame(opcode, text, length, &s->mask, frame);
    return send(s->fd, frame, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool socket_send(struct socket *s, const char *text, size_t length)
{
    return send_frame(s, CLIENT_WS_TEXT, text, length);
}

/* Take the frames that are whole; false: the connection is over. */
static bool take_frames(struct socket *s)
{
    struct client_frame f;
    size_t used = 0;
    i64 n;
    while ((n = client_ws_read(s->in + used, s->in_len - used, &f)) > 0) {
        used += (size_t)n;
        if (f.opcode == CLIENT_WS_CLOSE) return false;
        if (f.opcode == CLIENT_WS_PING) send_frame(s, CLIENT_WS_PONG, f.text, f.len);
        if (f.opcode == CLIENT_WS_TEXT) push_message(s, f.text, f.len);
    }
    memmove(s->in, s->in + used, s->in_len - used);
    s->in_len -= used;
    return n == 0;
}

static bool receive(struct socket *s)
{
    while (s->in_len < DEMO_ANSWER) {
        ssize_t n = recv(s->fd, s->in + s->in_len, DEMO_ANSWER - s->in_len, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (n <= 0) return false;
        s->in_len += (size_t)n;
        if (!take_frames(s)) return false;
    }
    return false; /* a message longer than any of the exchange's */
}

void socket_turn(struct socket *s, u64 now_ns)
{
    if (s->fd < 0 && now_ns >= s->again_ns) socket_connect(s, now_ns);
    else if (s->fd >= 0 && !receive(s)) lost(s, now_ns);
}
