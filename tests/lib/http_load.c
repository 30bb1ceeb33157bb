#include "tests/lib/http_load.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "procs/lib/client/http.h"
#include "shm/err.h"

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

static void judge(struct http_load *l, const struct client_answer *a)
{
    static const char ORDER[] = "\"order_id\"";
    if (a->status == 200 && client_http_code(a) == 0 &&
        memmem(a->body, a->body_len, ORDER, sizeof ORDER - 1))
        l->good++;
    else if (!l->bad++) printf("the first answer without an order:\n%.*s\n", (int)a->size, a->head);
}

static void on_open(void *context, u32 peer)
{
    struct http_load *l = context;
    l->idle[l->idle_count++] = peer;
}

static size_t on_bytes(void *context, u32 peer, const char *bytes, size_t len, u64 unix_ns)
{
    struct http_load *l = context;
    struct client_answer a;
    (void)unix_ns;
    int whole = client_http_read(bytes, len, &a);
    CHECK(whole >= 0);
    if (!whole) return 0;
    CHECK(a.size == len); /* one request at a time */
    judge(l, &a);
    l->latency_us[l->answered++] =
        (u32)min_u64((clock_ns() - l->begun_ns[peer]) / 1000, UINT32_MAX);
    l->idle[l->idle_count++] = peer;
    return len;
}

static void on_close(void *context, u32 peer, const char *why)
{
    (void)context;
    fprintf(stderr, "connection %u: %s\n", peer, why);
    abort();
}

void http_load_open(struct http_load *l, const struct http_script *s, u32 count, u32 port)
{
    static const struct pump_calls CALLS = {on_open, on_bytes, on_close};
    char where[32];
    *l = (struct http_load){.script = s};
    l->idle = calloc(count, sizeof *l->idle);
    l->begun_ns = calloc(count, sizeof *l->begun_ns);
    l->latency_us = calloc(s->count, sizeof *l->latency_us);
    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    CHECK(l->idle && l->begun_ns && l->latency_us);
    CHECK(pump_open(&l->pump, count, where, &CALLS, l) == 0);
    for (u32 i = 0; i < count; i++) CHECK(pump_connect(&l->pump, i) == 0);
    while (l->idle_count < count) pump_turn(&l->pump, PATIENCE_NS);
}

void http_load_close(struct http_load *l)
{
    pump_close_all(&l->pump);
    free(l->idle);
    free(l->begun_ns);
    free(l->latency_us);
}

static void send_next(struct http_load *l, u64 begun_ns)
{
    const struct http_script *s = l->script;
    CHECK(l->next < s->count && l->idle_count);
    u32 peer = l->idle[--l->idle_count];
    u64 from = l->next ? s->ends[l->next - 1] : 0, bytes = s->ends[l->next] - from;
    l->next++;
    l->begun_ns[peer] = begun_ns;
    pump_send(&l->pump, peer, s->text + from, bytes);
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

double http_load_run(struct http_load *l, double seconds, double rate)
{
    u64 now_ns = clock_ns(), moved_ns = now_ns;
    struct pace p = {.begun_ns = now_ns, .end_ns = now_ns + (u64)(seconds * 1e9), .rate = rate};
    l->answered = 0;
    do {
        send_due(l, &p, now_ns);
        u64 due = due_ns(&p), wait_ns = PATIENCE_NS;
        if (rate > 0 && due < p.end_ns && l->idle_count) wait_ns = due > now_ns ? due - now_ns : 0;
        u32 before = l->answered;
        pump_turn(&l->pump, wait_ns);
        now_ns = clock_ns();
        if (l->answered != before) moved_ns = now_ns;
        CHECK(now_ns - moved_ns < 2 * PATIENCE_NS);
    } while (l->idle_count < l->pump.count || max_u64(due_ns(&p), now_ns) < p.end_ns);
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
