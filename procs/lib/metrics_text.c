#include "procs/lib/metrics_text.h"

#include <stdarg.h>

#include "version.h"

/* Exposed bounds of histograms: powers of two from 1 us to 69 s. The finer buckets are seen by
 * eidosctl; these bound what Prometheus has to keep. */
#define BOUND_LEAST 10U
#define BOUND_MOST  36U

/* Text under way; once it does not fit, nothing more is added. */
struct text {
    char *at;
    size_t size, used;
    const struct segment *segment;
    u64 now_ns;
    int only; /* a process, or METRICS_ALL */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
    if (t->used >= t->size) return;
    va_list ap;
    va_start(ap, fmt);
    t->used += (size_t)vsnprintf(t->at + t->used, t->size - t->used, fmt, ap);
    va_end(ap);
}

const char *metrics_type_name(u32 type)
{
    if (type == METRIC_HISTOGRAM) return "histogram";
    return type == METRIC_COUNTER || type == METRIC_COUNTER_NS ? "counter" : "gauge";
}

static void put_head(struct text *t, const char *name, const char *help, u32 type)
{
    put(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, metrics_type_name(type));
}

/* A time in seconds, or a number as it is. */
static void put_number(struct text *t, u32 type, u64 value)
{
    if (type == METRIC_COUNTER || type == METRIC_GAUGE) put(t, " %lu\n", value);
    else put(t, " %lu.%09lu\n", value / 1000000000UL, value % 1000000000UL);
}

static void put_value(struct text *t, const char *name, u32 proc, u32 type, u64 value)
{
    put(t, "%s{process=\"%s\"}", name, t->segment->topo.procs[proc].name);
    put_number(t, type, value);
}

static void put_histogram(struct text *t, const char *name, u32 proc, const _Atomic u64 *h)
{
    const char *process = t->segment->topo.procs[proc].name;
    u64 count = hist_below(h, METRIC_HIST_BITS, UINT64_MAX);
    for (u32 k = BOUND_LEAST; k <= BOUND_MOST; k++)
        put(t, "%s_bucket{process=\"%s\",le=\"%lu.%09lu\"} %lu\n", name, process,
            (1UL << k) / 1000000000UL, (1UL << k) % 1000000000UL,
            min_u64(count, hist_below(h, METRIC_HIST_BITS, 1UL << k)));
    put(t, "%s_bucket{process=\"%s\",le=\"+Inf\"} %lu\n", name, process, count);
    put(t, "%s_sum{process=\"%s\"}", name, process);
    put_number(t, METRIC_HISTOGRAM, hist_sum(h));
    put(t, "%s_count{process=\"%s\"} %lu\n", name, process, count);
}

static u64 load(const _Atomic u64 *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static const struct proc_block *block_of(const struct text *t, u32 proc)
{
    const struct topo_proc *p = &t->segment->topo.procs[proc];
    return segment_proc(t->segment, p->role, p->instance);
}

static bool is_shown(const struct text *t, u32 proc)
{
    return t->only == METRICS_ALL || t->only == (int)proc;
}

/* --- What every process has --------------------------------------------------------------------
 */

static u64 block_value(const struct text *t, u32 id, const struct proc_block *p)
{
    u64 beat = load(&p->beat_ns);
    switch (id) {
    case COMMON_UP: return proc_is_beating(p, t->now_ns);
    case COMMON_STATE: return atomic_load_explicit(&p->state, memory_order_relaxed);
    case COMMON_BEAT: return t->now_ns > beat ? t->now_ns - beat : 0;
    case COMMON_EPOCH: return load(&p->epoch);
    case COMMON_TURNS: return load(&p->turns);
    case COMMON_BUSY_TURNS: return load(&p->busy_turns);
    case COMMON_WORKED: return load(&p->worked_ns);
    case COMMON_WAITED: return load(&p->waited_ns);
    case COMMON_BLOCKED: return load(&p->blocked_ns);
    case COMMON_SLEPT: return load(&p->slept_ns);
    default: check_failed("a metric of the block", __FILE__, __LINE__);
    }
}

/* The rings it reads. */
static void put_rings(struct text *t, u32 id, u32 proc)
{
    const struct segment *s = t->segment;
    const struct proc_block *p = block_of(t, proc);
    for (u32 i = 0; i < s->topo.region_count; i++) {
        const struct topo_region *r = &s->topo.regions[i];
        if (r->kind != REGION_RING || r->consumer != proc || !s->regions[i].object) continue;
        const struct ring *ring = s->regions[i].object;
        u64 tail = load(&p->ring_tail[r->input]), head = load(&ring->head);
        u64 value = id == COMMON_RING_READ       ? tail
                    : id == COMMON_RING_CAPACITY ? ring->capacity
                    : head > tail                ? head - tail
                                                 : 0;
        put(t, "%s{process=\"%s\",ring=\"%s\"} %lu\n", common_table[id].name,
            s->topo.procs[proc].name, r->name, value);
    }
}

/* The logs it reads. */
static void put_logs(struct text *t, u32 id, u32 proc)
{
    const struct segment *s = t->segment;
    const struct proc_block *p = block_of(t, proc);
    for (u32 i = 0; i < s->topo.region_count; i++) {
        const struct topo_region *r = &s->topo.regions[i];
        if (r->kind != REGION_LOG || r->owner == proc || !s->regions[i].object) continue;
        u64 read = load(&p->log_seq[r->log]);
        u64 last = load(&((const struct log *)s->regions[i].object)->seq);
        if (!read) continue;
        put(t, "%s{process=\"%s\",log=\"%s\"} %lu\n", common_table[id].name,
            s->topo.procs[proc].name, r->name,
            id == COMMON_LOG_READ ? read
            : last > read         ? last - read
                                  : 0);
    }
}

static void put_common(struct text *t, u32 id)
{
    const struct common_row *row = &common_table[id];
    put_head(t, row->name, row->help, row->type);
    for (u32 proc = 0; proc < t->segment->topo.proc_count; proc++) {
        if (!is_shown(t, proc)) continue;
        if (id >= COMMON_RING_BACKLOG && id <= COMMON_RING_READ) put_rings(t, id, proc);
        else if (id >= COMMON_LOG_BACKLOG) put_logs(t, id, proc);
        else if (id == COMMON_BUILD)
            put(t, "%s{process=\"%s\",version=\"%s\",commit=\"%s\"} 1\n", row->name,
                t->segment->topo.procs[proc].name, EIDOS_VERSION, EIDOS_COMMIT);
        else put_value(t, row->name, proc, row->type, block_value(t, id, block_of(t, proc)));
    }
}

/* --- What is counted ---------------------------------------------------------------------------
 */

/* Standbys of all roles have the same. */
static bool has_metric(u32 role, const struct metric_row *row)
{
    return role == row->owner || (role_is_standby(role) && role_is_standby(row->owner));
}

static void put_metric(struct text *t, const struct metric_row *row)
{
    bool begun = false;
    for (u32 proc = 0; proc < t->segment->topo.proc_count; proc++) {
        const struct proc_block *p = block_of(t, proc);
        if (!is_shown(t, proc) || !has_metric(t->segment->topo.procs[proc].role, row)) continue;
        if (!begun) put_head(t, row->name, row->help, row->type);
        begun = true;
        if (row->type == METRIC_HISTOGRAM)
            put_histogram(t, row->name, proc, &p->metrics[row->word]);
        else put_value(t, row->name, proc, row->type, metric_get(p, row->word));
    }
}

int metrics_text(const struct segment *s, int proc, u64 now_ns, char *out, size_t size)
{
    struct text t = {.at = out, .size = size, .segment = s, .now_ns = now_ns, .only = proc};
    for (u32 id = 0; id < COMMON_ROWS; id++) put_common(&t, id);
    for (u32 i = 0; i < METRIC_ROWS; i++) put_metric(&t, &metric_table[i]);
    return t.used < size ? (int)t.used : -1;
}

/* --- The reference -----------------------------------------------------------------------------
 */

static const char reference_head[] =
    "# Metrics\n"
    "\n"
    "Made from `shm/metrics.def` by `make docs`; do not edit.\n"
    "\n"
    "They are words of shared memory that each process writes for itself. Read them\n"
    "\n"
    "* all at once: `http://OPS/metrics` of the supervisor (`[ops] port`, 8090), `GET /metrics` "
    "of\n"
    "  the gateway, or `eidosctl metrics` where there is no HTTP;\n"
    "* of one process: `/metrics` on its own ops port (`eidosctl ps`);\n"
    "* live: `eidosctl top`.\n"
    "\n"
    "Each has a label `process`. `conf/prometheus/` has a scrape configuration and the alerts of "
    "the\n"
    "operations guide, `conf/grafana/` a dashboard.\n";

static void print_row(FILE *out, const char *name, const char *label, u32 type, const char *help)
{
    fprintf(out, "| `%s`%s%s | %s | %s |\n", name, *label ? ", by " : "", label,
            metrics_type_name(type), help);
}

static void print_title(FILE *out, const char *title)
{
    fprintf(out, "\n## %s\n\n| metric | type | meaning |\n|---|---|---|\n", title);
}

void metrics_reference(FILE *out)
{
    static const char *const titles[ROLE_COUNT] = {
        [ROLE_HISTORY] = "History",   [ROLE_OPS] = "Supervisor",
        [ROLE_JOURNAL] = "Journal",   [ROLE_TRADING] = "Trading",
        [ROLE_MATCHING] = "Matching", [ROLE_MARKET] = "Market",
        [ROLE_SNAPSHOT] = "Snapshot", [ROLE_VERIFY] = "Verify",
        [ROLE_API] = "Gateway",       [ROLE_TRADING_STANDBY] = "Standbys",
    };
    fputs(reference_head, out);
    print_title(out, "Every process");
    for (u32 id = 0; id < COMMON_ROWS; id++)
        print_row(out, common_table[id].name, common_table[id].label, common_table[id].type,
                  common_table[id].help);
    u32 owner = ROLE_COUNT;
    for (u32 i = 0; i < METRIC_ROWS; i++) {
        const struct metric_row *row = &metric_table[i];
        if (row->owner != owner)
            print_title(out, titles[row->owner] ? titles[row->owner] : role_name(row->owner));
        owner = row->owner;
        print_row(out, row->name, "", row->type, row->help);
    }
}
