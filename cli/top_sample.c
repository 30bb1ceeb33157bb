#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/top.h"
#include "procs/lib/wire.h"

const char *const top_time_names[TOP_TIMES] = {
    "request", "order", "socket", "verify", "sequence", "durable", "match", "reply", "push",
};

/* Which metrics make the totals. */
static const u32 counts[TOP_COUNTS] = {
    [TOP_REQUESTS] = METRIC_ROW_API_REQUESTS,
    [TOP_CLIENT_ERRORS] = METRIC_ROW_API_CLIENT_ERRORS,
    [TOP_SERVER_ERRORS] = METRIC_ROW_API_SERVER_ERRORS,
    [TOP_ACCEPTED] = METRIC_ROW_TRADING_ACCEPTED,
    [TOP_REFUSED] = METRIC_ROW_TRADING_REFUSED,
    [TOP_CANCELS] = METRIC_ROW_TRADING_CANCELS,
    [TOP_TRADES] = METRIC_ROW_TRADING_TRADES,
    [TOP_COMMANDS] = METRIC_ROW_TRADING_COMMANDS,
    [TOP_PUSHES] = METRIC_ROW_API_PUSHES,
};
static const u32 times[TOP_TIMES] = {
    [TOP_REQUEST] = METRIC_ROW_API_REQUEST,   [TOP_ORDER] = METRIC_ROW_API_ORDER,
    [TOP_SOCKET] = METRIC_ROW_HOP_SOCKET,     [TOP_VERIFY] = METRIC_ROW_HOP_VERIFY,
    [TOP_SEQUENCE] = METRIC_ROW_HOP_SEQUENCE, [TOP_DURABLE] = METRIC_ROW_HOP_DURABLE,
    [TOP_MATCH] = METRIC_ROW_HOP_MATCH,       [TOP_REPLY] = METRIC_ROW_HOP_REPLY,
    [TOP_PUSH] = METRIC_ROW_HOP_PUSH,
};

static const struct proc_block *block_of(const struct segment *s, u32 proc)
{
    return segment_proc(s, s->topo.procs[proc].role, s->topo.procs[proc].instance);
}

/* The sum of a counter or gauge over the processes that have it. */
static u64 sum(const struct segment *s, u32 row)
{
    u64 n = 0;
    for (u32 i = 0; i < s->topo.proc_count; i++)
        if (s->topo.procs[i].role == metric_table[row].owner)
            n += metric_get(block_of(s, i), metric_table[row].word);
    return n;
}

static void look_at_times(const struct segment *s, struct top_sample *t)
{
    memset(t->times, 0, sizeof t->times);
    for (u32 k = 0; k < TOP_TIMES; k++)
        for (u32 i = 0; i < s->topo.proc_count; i++)
            if (s->topo.procs[i].role == metric_table[times[k]].owner)
                hist_add(t->times[k], &block_of(s, i)->metrics[metric_table[times[k]].word],
                         METRIC_HIST_BITS);
}

/* User and system time, and resident memory, of a process; 0 when it is gone. */
static void look_at_cost(u32 pid, u64 *cpu_ns, u64 *resident)
{
    char path[40], text[1024];
    *cpu_ns = *resident = 0;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int fd = pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *p = strrchr(text, ')'); /* ends field 2 */
    u64 ticks = 0;
    for (u32 field = 2; p && field < 24; field++) {
        p = strchr(p + 1, ' ');
        if (p && (field == 13 || field == 14)) ticks += strtoull(p, NULL, 10);
    }
    *cpu_ns = ticks * (1000000000UL / (u64)sysconf(_SC_CLK_TCK));
    if (p) *resident = strtoull(p, NULL, 10) * (u64)sysconf(_SC_PAGESIZE);
}

static void look_at_procs(const struct segment *s, struct top_sample *t)
{
    t->procs = s->topo.proc_count;
    for (u32 i = 0; i < t->procs; i++) {
        proc_look(s, i, &t->proc[i]);
        look_at_cost(t->proc[i].alive ? t->proc[i].pid : 0, &t->cpu_ns[i], &t->resident[i]);
    }
}

static u64 load(const _Atomic u64 *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void add_queue(struct top_sample *t, const struct top_queue *q)
{
    if (t->queues < TOP_QUEUES_MAX) t->queue[t->queues++] = *q;
}

static void look_at_ring(const struct segment *s, u32 region, struct top_sample *t)
{
    const struct topo_region *r = &s->topo.regions[region];
    const struct ring *ring = s->regions[region].object;
    u64 tail = load(&block_of(s, r->consumer)->ring_tail[r->input]), head = load(&ring->head);
    struct top_queue q = {.name = r->name,
                          .reader = s->topo.procs[r->consumer].name,
                          .passed = tail,
                          .depth = head > tail ? head - tail : 0,
                          .capacity = ring->capacity};
    add_queue(t, &q);
}

/* A log, for each process that shows how far it has read it. */
static void look_at_log(const struct segment *s, u32 region, struct top_sample *t)
{
    const struct topo_region *r = &s->topo.regions[region];
    u64 last = load(&((const struct log *)s->regions[region].object)->seq);
    for (u32 i = 0; i < s->topo.proc_count; i++) {
        u64 read = load(&block_of(s, i)->log_seq[r->log]);
        if (!read || i == r->owner) continue;
        struct top_queue q = {.name = r->name,
                              .reader = s->topo.procs[i].name,
                              .is_log = true,
                              .passed = read,
                              .depth = last > read ? last - read : 0};
        add_queue(t, &q);
    }
}

static void look_at_queues(const struct segment *s, struct top_sample *t)
{
    t->queues = 0;
    for (u32 i = 0; i < s->topo.region_count; i++) {
        if (!s->regions[i].object) continue;
        if (s->topo.regions[i].kind == REGION_RING) look_at_ring(s, i, t);
        if (s->topo.regions[i].kind == REGION_LOG) look_at_log(s, i, t);
    }
}

static void look_at_markets(struct segment *s, struct top_sample *t)
{
    const struct rules *rules = cli_object(s, "rules");
    void *object = rules ? cli_object(s, "market") : NULL;
    struct market_data *data = object ? market_join(object) : NULL;
    t->markets = 0;
    for (u16 i = 0; data && i < MARKETS_MAX; i++) {
        struct top_market *m = &t->market[i];
        if (!wire_market_at(rules, i, &m->rules)) break;
        snprintf(m->symbol, sizeof m->symbol, "%.*s", SYMBOL_BYTES, m->rules.symbol);
        m->known = market_read_ticker(data, i, t->unix_ns, &m->ticker) == 0;
        t->markets++;
    }
}

void top_look(struct segment *s, struct top_sample *t)
{
    t->mono_ns = cli_monotonic_ns();
    t->unix_ns = cli_unix_ns();
    t->ready = cli_is_ready(s, t->who, sizeof t->who);
    look_at_procs(s, t);
    look_at_queues(s, t);
    for (u32 i = 0; i < TOP_COUNTS; i++) t->count[i] = sum(s, counts[i]);
    look_at_times(s, t);
    t->sequence = sum(s, METRIC_ROW_TRADING_SEQUENCE);
    t->durable = load(&((const struct durable *)segment_object(s, "durable"))->seq);
    t->open_orders = sum(s, METRIC_ROW_TRADING_OPEN_ORDERS);
    t->connections = sum(s, METRIC_ROW_API_CONNECTIONS);
    t->sockets = sum(s, METRIC_ROW_API_SOCKETS);
    t->restarts = sum(s, METRIC_ROW_OPS_RESTARTS);
    look_at_markets(s, t);
}
