#include "tests/lib/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX  64
#define PATIENCE_NS 10000000000UL /* without any answer */

static u64 clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

/* --- The script --------------------------------------------------------------------------------*/

void http_script_make(struct http_script *s, u32 requests_max, u64 bytes_max)
{
    *s = (struct http_script){.max = requests_max, .room = bytes_max};
    s->text = malloc(bytes_max);
    s->ends = calloc(requests_max, sizeof *s->ends);
    CHECK(s->text && s->ends);
}

void http_script_free(struct http_script *s)
{
    free(s->text);
    free(s->ends);
}

void http_script_post(struct http_script *s, const char *path, const char *body)
{
    u64 at = s->count ? s->ends[s->count - 1] : 0;
    CHECK(s->count < s->max);
    int n = snprintf(s->text + at, s->room - at,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     path, strlen(body), body);
    CHECK(n > 0 && (u64)n < s->room - at);
    s->ends[s->count++] = at + (u64)n;
}

/* --- Connections -------------------------------------------------------------------------------*/

static void connect_one(struct http_load *l, u32 i, u32 port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((u16)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    CHECK(epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    l->connections[i].fd = fd;
    l->idle[l->idle_count++] = i;
}

void http_load_open(struct http_load *l, const struct http_script *s, u32 count, u32 port)
{
    *l = (struct http_load){.count = count, .script = s};
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->connections = calloc(count, sizeof *l->connections);
    l->idle = calloc(count, sizeof *l->idle);
    l->latency_us = calloc(s->count, sizeof *l->latency_us);
    CHECK(l->epoll >= 0 && l->connections && l->idle && l->latency_us);
    for (u32 i = 0; i < count; i++) connect_one(l, i, port);
}

void http_load_close(struct http_load *l)
{
    for (u32 i = 0; i < l->count; i++) close(l->connections[i].fd);
    close(l->epoll);
    free(l->connections);
    free(l->idle);
    free(l->latency_us);
}

static void send_next(struct http_load *l, u64 begun_ns)
{
    const struct http_script *s = l->script;
    CHECK(l->next < s->count && l->idle_count);
    struct http_connection *c = &l->connections[l->idle[--l->idle_count]];
    u64 from = l->next ? s->ends[l->next - 1] : 0, bytes = s->ends[l->next] - from;
    l->next++;
    c->begun_ns = begun_ns;
    c->got = 0;
    CHECK(send(c->fd, s->text + from, bytes, MSG_NOSIGNAL) == (ssize_t)bytes);
}

/* Length of the whole answer, or 0 while its header is not complete. */
static u32 answer_length(const struct http_connection *c)
{
    static const char LENGTH[] = "Content-Length: ";
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    if (!end) return 0;
    const char *length = memmem(c->answer, (size_t)(end - c->answer), LENGTH, sizeof LENGTH - 1);
    CHECK(length);
    u64 body = strtoul(length + sizeof LENGTH - 1, NULL, 10);
    u64 whole = (u64)(end + 4 - c->answer) + body;
    CHECK(whole < sizeof c->answer);
    return (u32)whole;
}

static void judge(struct http_load *l, const struct http_connection *c)
{
    static const char STATUS[] = "HTTP/1.1 200", CODE[] = "{\"code\":0,", ORDER[] = "\"order_id\"";
    if (!memcmp(c->answer, STATUS, sizeof STATUS - 1) &&
        memmem(c->answer, c->got, CODE, sizeof CODE - 1) &&
        memmem(c->answer, c->got, ORDER, sizeof ORDER - 1))
        l->good++;
    else if (!l->bad++)
        printf("the first answer without an order:\n%.*s\n", (int)c->got, c->answer);
}

/* Read what is there; true when the answer is complete. */
static bool receive(struct http_load *l, struct http_connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got, sizeof c->answer - 1 - c->got, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return false;
    CHECK(n > 0);
    c->got += (u32)n;
    c->answer[c->got] = '\0';
    u32 whole = answer_length(c);
    CHECK(c->got <= whole || !whole);
    if (!whole || c->got < whole) return false;
    judge(l, c);
    return true;
}

/* --- Running -----------------------------------------------------------------------------------*/

struct pace {
    u64 begun_ns, end_ns;
    double rate;
    u32 sent;
};

static u64 due_ns(const struct pace *p)
{
    return p->rate > 0 ? p->begun_ns + (u64)((double)p->sent * 1e9 / p->rate) : 0;
}

static void send_due(struct http_load *l, struct pace *p, u64 now_ns)
{
    for (u64 due; l->idle_count; p->sent++) {
        due = due_ns(p);
        if (due > now_ns || max_u64(due, now_ns) >= p->end_ns) return;
        send_next(l, due ? due : now_ns);
    }
}

static u32 take_answers(struct http_load *l, u64 wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000UL),
                            .tv_nsec = (long)(wait_ns % 1000000000UL)};
    u32 answered = 0;
    int n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &wait, NULL);
    CHECK(n >= 0 || errno == EINTR);
    u64 now_ns = clock_ns();
    for (int i = 0; i < n; i++) {
        struct http_connection *c = &l->connections[events[i].data.u32];
        if (!receive(l, c)) continue;
        l->latency_us[l->answered++] = (u32)min_u64((now_ns - c->begun_ns) / 1000, UINT32_MAX);
        l->idle[l->idle_count++] = events[i].data.u32;
        answered++;
    }
    return answered;
}

double http_load_run(struct http_load *l, double seconds, double rate)
{
    u64 now_ns = clock_ns(), moved_ns = now_ns;
    struct pace p = {.begun_ns = now_ns, .end_ns = now_ns + (u64)(seconds * 1e9), .rate = rate};
    l->answered = 0;
    do {
        send_due(l, &p, now_ns);
        u64 due = due_ns(&p), wait_ns = PATIENCE_NS;
        if (rate > 0 && due < p.end_ns && l->idle_count) wait_ns = due > now_ns ? due - now_ns : 0;
        u32 answered = take_answers(l, wait_ns);
        now_ns = clock_ns();
        if (answered) moved_ns = now_ns;
        CHECK(now_ns - moved_ns < 2 * PATIENCE_NS);
    } while (l->idle_count < l->count || max_u64(due_ns(&p), now_ns) < p.end_ns);
    return (double)l->answered * 1e9 / (double)(now_ns - p.begun_ns);
}

static int by_value(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

u32 http_load_percentile(struct http_load *l, double share)
{
    CHECK(l->answered);
    qsort(l->latency_us, l->answered, sizeof l->latency_us[0], by_value);
    return l->latency_us[(u32)(share * (l->answered - 1))];
}
