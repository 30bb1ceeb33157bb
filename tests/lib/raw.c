#include "tests/lib/raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static i64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (i64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int raw_connect_from(u32 from, u32 port)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, to = own;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((u16)port);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int raw_connect(u32 port)
{
    return raw_connect_from(1, port);
}

bool raw_send(int fd, const void *bytes, size_t len)
{
    const u8 *at = bytes;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool raw_say(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

const char *raw_header(const struct raw_answer *a, const char *name, char value[static 256])
{
    size_t len = strlen(name);
    for (const char *line = a->text;
         (line = strstr(line, "\r\n")) && line < a->text + a->head_len;) {
        line += 2;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':') continue;
        const char *from = line + len + 1;
        while (*from == ' ') from++;
        snprintf(value, 256, "%.*s", (int)strcspn(from, "\r"), from);
        return value;
    }
    return NULL;
}

/* How long the whole answer is, or 0 while its head is not complete. */
static u32 whole_length(struct raw_answer *a, bool head_only)
{
    char value[256];
    const char *end = strstr(a->text, "\r\n\r\n");
    if (!end) return 0;
    a->head_len = (u32)(end + 4 - a->text);
    if (head_only || !raw_header(a, "Content-Length", value)) return a->head_len;
    return a->head_len + (u32)strtoul(value, NULL, 10);
}

int raw_read(int fd, struct raw_answer *a, bool head_only)
{
    i64 until = now_ms() + RAW_WAIT_MS;
    u32 whole = 0;
    a->status = 0;
    a->len = a->head_len = 0;
    a->text[0] = '\0';
    while (!whole || a->len < whole) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        i64 left = until - now_ms();
        u32 room = (whole ? whole : RAW_ANSWER_MAX) - a->len;
        CHECK(whole <= RAW_ANSWER_MAX);
        if (left <= 0 || poll(&p, 1, (int)left) <= 0) return 0;
        /* the head byte by byte, so that a second answer stays where it is */
        ssize_t n = recv(fd, a->text + a->len, whole ? room : 1, 0);
        if (n <= 0) return 0;
        a->len += (u32)n;
        a->text[a->len] = '\0';
        if (!whole) whole = whole_length(a, head_only);
    }
    if (sscanf(a->text, "HTTP/1.%*c %d", &a->status) != 1) a->status = 0;
    return a->status;
}

int raw_ask(int fd, const char *request, struct raw_answer *a)
{
    return raw_say(fd, request) ? raw_read(fd, a, false) : 0;
}

int raw_code(const struct raw_answer *a)
{
    int code;
    const char *body = a->text + a->head_len;
    return sscanf(body, "{\"code\":%d,", &code) == 1 ? code : -1;
}

bool raw_ends(int fd, int ms)
{
    i64 until = now_ms() + ms;
    char waste[4096];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        i64 left = until - now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) <= 0) return false;
        if (recv(fd, waste, sizeof waste, 0) <= 0) return true;
    }
}
