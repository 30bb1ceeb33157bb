#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cli/top.h"
#include "procs/lib/decimal.h"
#include "procs/lib/wire.h"

#define QUANTILES 4U
static const u32 ppm[QUANTILES] = {500000, 900000, 990000, 999000};
static const char *const quantile_names[QUANTILES] = {"p50", "p90", "p99", "p99.9"};

/* --- Differences of two looks ------------------------------------------------------------------
 */

static u64 less(u64 now, u64 before)
{
    return now > before ? now - before : 0;
}

static u64 span_ns(const struct top_sample *before, const struct top_sample *now)
{
    return max_u64(less(now->mono_ns, before->mono_ns), 1);
}

/* A second's worth. */
static u64 rate(u64 n, u64 span)
{
    return (u64)((u128)n * 1000000000UL / span);
}

static u64 count_rate(const struct top_sample *before, const struct top_sample *now, u32 which)
{
    return rate(less(now->count[which], before->count[which]), span_ns(before, now));
}

/* In thousandths. */
static u64 share(u64 part, u64 whole)
{
    return whole ? min_u64((u64)((u128)part * 1000 / whole), 1000) : 0;
}

/* What a process did between the looks. */
struct proc_change {
    u64 work, wait, block, cpu; /* thousandths of its time; of one core */
};

static struct proc_change proc_change(const struct top_sample *before, const struct top_sample *now,
                                      u32 i)
{
    const struct proc_view *a = &before->proc[i], *b = &now->proc[i];
    u64 work = less(b->worked_ns, a->worked_ns), wait = less(b->waited_ns, a->waited_ns),
        block = less(b->blocked_ns, a->blocked_ns), all = work + wait + block;
    u64 cpu = a->pid == b->pid ? less(now->cpu_ns[i], before->cpu_ns[i]) : 0;
    return (struct proc_change){
        .work = share(work, all),
        .wait = share(wait, all),
        .block = share(block, all),
        .cpu = (u64)((u128)cpu * 1000 / span_ns(before, now)),
    };
}

struct queue_change {
    const struct top_queue *queue;
    u64 rate;
    u64 lag_ns; /* until what waits is read, at this rate; UINT64_MAX = nothing moves */
};

static struct queue_change queue_change(const struct top_sample *before,
                                        const struct top_sample *now, u32 i)
{
    const struct top_queue *q = &now->queue[i];
    u64 passed = 0;
    for (u32 k = 0; k < before->queues; k++)
        if (before->queue[k].name == q->name && before->queue[k].reader == q->reader)
            passed = less(q->passed, before->queue[k].passed);
    struct queue_change c = {.queue = q, .rate = rate(passed, span_ns(before, now))};
    c.lag_ns = !q->depth ? 0 : c.rate ? (u64)((u128)q->depth * 1000000000UL / c.rate) : UINT64_MAX;
    return c;
}

/* The fullest first, then the busiest. */
static int busier(const void *a, const void *b)
{
    const struct queue_change *x = a, *y = b;
    if (x->lag_ns != y->lag_ns) return x->lag_ns > y->lag_ns ? -1 : 1;
    if (x->rate != y->rate) return x->rate > y->rate ? -1 : 1;
    return strcmp(x->queue->name, y->queue->name);
}

static u32 queue_changes(const struct top_sample *before, const struct top_sample *now,
                         struct queue_change out[TOP_QUEUES_MAX])
{
    for (u32 i = 0; i < now->queues; i++) out[i] = queue_change(before, now, i);
    qsort(out, now->queues, sizeof out[0], busier);
    return now->queues;
}

/* The times of the interval; where there were none, of all time: `recent` tells. */
static const _Atomic u64 *times_of(const struct top_sample *before, const struct top_sample *now,
                                   u32 which, bool *recent)
{
    static _Atomic u64 h[HIST_WORDS(METRIC_HIST_BITS)];
    memcpy(h, now->times[which], sizeof h);
    hist_sub(h, before->times[which], METRIC_HIST_BITS);
    *recent = hist_count(h) != 0;
    return *recent ? h : now->times[which];
}

/* --- Text --------------------------------------------------------------------------------------
 */

__attribute__((format(printf, 2, 3))) static void put(struct top_frame *f, const char *fmt, ...)
{
    if (f->count == TOP_LINES_MAX) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->line[f->count++], TOP_LINE_BYTES, fmt, ap);
    va_end(ap);
}

/* "1.2 ms", in one of a few buffers used in turn. */
static const char *time_text(u64 ns)
{
    static char texts[8][24];
    static u32 next;
    char *text = texts[next++ % COUNT_OF(texts)];
    if (ns == UINT64_MAX) return "stuck";
    if (ns < 1000) snprintf(text, 24, "%lu ns", ns);
    else if (ns < 1000000) snprintf(text, 24, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000000UL) snprintf(text, 24, "%.1f ms", (double)ns / 1e6);
    else snprintf(text, 24, "%.1f s", (double)ns / 1e9);
    return text;
}

static void put_head(struct top_frame *f, const struct segment *s, const struct top_sample *before,
                     const struct top_sample *now)
{
    char clock[24];
    struct tm tm;
    time_t t = (time_t)(now->unix_ns / 1000000000UL);
    u64 lag = less(now->sequence, now->durable);
    u64 requests = less(now->count[TOP_REQUESTS], before->count[TOP_REQUESTS]);
    u64 errors = less(now->count[TOP_SERVER_ERRORS], before->count[TOP_SERVER_ERRORS]);
    strftime(clock, sizeof clock, "%FT%TZ", gmtime_r(&t, &tm));
    put(f, "eidos %.*s  %s  up %s  %s%s", (int)sizeof s->boot.build, s->boot.build, clock,
        cli_span(less(now->unix_ns, s->boot.created_ns) / 1000000000UL),
        now->ready ? "READY" : "NOT READY: ", now->ready ? "" : now->who);
    put(f, "orders %lu/s  refused %lu/s  cancels %lu/s  trades %lu/s  pushes %lu/s  open %lu",
        count_rate(before, now, TOP_ACCEPTED), count_rate(before, now, TOP_REFUSED),
        count_rate(before, now, TOP_CANCELS), count_rate(before, now, TOP_TRADES),
        count_rate(before, now, TOP_PUSHES), now->open_orders);
    put(f, "requests %lu/s  5xx %lu.%lu %%  connections %lu  websockets %lu  restarts %lu",
        count_rate(before, now, TOP_REQUESTS), share(errors, requests) / 10,
        share(errors, requests) % 10, now->connections, now->sockets, now->restarts);
    put(f, "commands %lu/s  sequence %lu  on disk %lu  behind %lu",
        count_rate(before, now, TOP_COMMANDS), now->sequence, now->durable, lag);
}

static void put_times(struct top_frame *f, const struct top_sample *before,
                      const struct top_sample *now, bool compact)
{
    put(f, "%s", "");
    put(f, "%-10s %10s %10s %10s %10s %10s %10s", "TIME", "PER S", quantile_names[0],
        quantile_names[1], quantile_names[2], quantile_names[3], "max");
    for (u32 k = 0; k < TOP_TIMES; k++) {
        bool recent;
        if (compact && k != TOP_REQUEST && k != TOP_ORDER && k != TOP_DURABLE) continue;
        const _Atomic u64 *h = times_of(before, now, k, &recent);
        u64 n = recent ? rate(hist_count(h), span_ns(before, now)) : 0;
        const char *q[QUANTILES];
        for (u32 i = 0; i < QUANTILES; i++)
            q[i] = time_text(hist_quantile(h, METRIC_HIST_BITS, ppm[i]));
        if (!hist_count(h)) put(f, "%-10s %10s", top_time_names[k], "none yet");
        else
            put(f, "%-10s %10lu %10s %10s %10s %10s %10s%s", top_time_names[k], n, q[0], q[1], q[2],
                q[3], time_text(hist_max(h)), recent ? "" : "  (of all time)");
    }
}

static void put_procs(struct top_frame *f, const struct top_sample *before,
                      const struct top_sample *now, u32 rows)
{
    put(f, "%s", "");
    put(f, "%-20s %-10s %7s %5s %6s %6s %7s %6s %9s", "PROCESS", "STATE", "BEAT ms", "STARTS",
        "WORK %", "WAIT %", "BLOCK %", "CPU %", "MEMORY");
    for (u32 i = 0; i < now->procs && i < rows; i++) {
        const struct proc_view *v = &now->proc[i];
        struct proc_change c = proc_change(before, now, i);
        put(f, "%-20s %-10s %7lu %5lu  %4lu.%lu  %4lu.%lu   %4lu.%lu %4lu.%lu %9s%s%s", v->name,
            proc_word(v), v->beat_age_ms, v->starts, c.work / 10, c.work % 10, c.wait / 10,
            c.wait % 10, c.block / 10, c.block % 10, c.cpu / 10, c.cpu % 10,
            now->resident[i] ? cli_bytes(now->resident[i]) : "-", v->note[0] ? "  " : "", v->note);
    }
}

static void put_market(struct top_frame *f, const struct top_market *m)
{
    char last[DECIMAL_TEXT], bid[DECIMAL_TEXT], ask[DECIMAL_TEXT], volume[DECIMAL_TEXT];
    const struct market_ticker *t = &m->ticker;
    const struct market *r = &m->rules;
    if (!m->known) {
        put(f, "%-12s not known yet", m->symbol);
        return;
    }
    decimal_format_fixed((u128)t->last * r->tick_wad, 18, r->price_decimals, last);
    decimal_format_fixed((u128)t->bid * r->tick_wad, 18, r->price_decimals, bid);
    decimal_format_fixed((u128)t->ask * r->tick_wad, 18, r->price_decimals, ask);
    decimal_format_fixed(t->lots * r->lot_wad, 18, r->amount_decimals, volume);
    i64 change =
        t->open ? (i64)(((__int128)t->last - (__int128)t->open) * 10000 / (__int128)t->open) : 0;
    put(f, "%-12s %14s %14s %14s %c%lu.%02lu %% %16s %9lu", m->symbol, t->last ? last : "-",
        t->bid ? bid : "-", t->ask ? ask : "-", change < 0 ? '-' : '+',
        (u64)(change < 0 ? -change : change) / 100, (u64)(change < 0 ? -change : change) % 100,
        volume, t->trade_count);
}

static void put_markets(struct top_frame *f, const struct top_sample *now, u32 rows)
{
    put(f, "%s", "");
    put(f, "%-12s %14s %14s %14s %8s %16s %9s", "MARKET", "LAST", "BID", "ASK", "24 h", "VOLUME",
        "TRADES");
    for (u32 i = 0; i < now->markets && i < rows; i++) put_market(f, &now->market[i]);
}

static void put_queues(struct top_frame *f, const struct top_sample *before,
                       const struct top_sample *now, u32 rows)
{
    static struct queue_change all[TOP_QUEUES_MAX];
    u32 count = queue_changes(before, now, all);
    put(f, "%s", "");
    put(f, "%-32s %-16s %14s %12s %6s %9s", "QUEUE", "READ BY", "RATE/s", "DEPTH", "FULL", "LAG");
    for (u32 i = 0; i < count && i < rows; i++) {
        const struct top_queue *q = all[i].queue;
        char speed[32], depth[32], full[16] = "";
        if (q->is_log) {
            snprintf(speed, sizeof speed, "%lu records", all[i].rate);
            snprintf(depth, sizeof depth, "%lu", q->depth);
        } else {
            snprintf(speed, sizeof speed, "%s", cli_bytes(all[i].rate));
            snprintf(depth, sizeof depth, "%s", cli_bytes(q->depth));
            snprintf(full, sizeof full, "%lu %%", q->capacity ? q->depth * 100 / q->capacity : 0);
        }
        put(f, "%-32s %-16s %14s %12s %6s %9s", q->name, q->reader, speed, depth, full,
            q->depth ? time_text(all[i].lag_ns) : "-");
    }
}

void top_frame(struct top_frame *f, const struct segment *s, const struct top_sample *before,
               const struct top_sample *now, u32 rows)
{
    f->count = 0;
    put_head(f, s, before, now);
    bool compact = rows && rows < TOP_COMPACT;
    put_times(f, before, now, compact);
    put_procs(f, before, now, compact ? rows / 4 : UINT32_MAX);
    /* Markets and queues share what is left: two lines of heading each. */
    u32 left = rows ? (rows > f->count + 4 ? rows - f->count - 4 : 0) : UINT32_MAX;
    u32 markets = (u32)min_u64(now->markets, rows ? max_u64(left / 2, 1) : UINT32_MAX);
    put_markets(f, now, markets);
    put_queues(f, before, now, left - (u32)min_u64(left, markets));
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static void json_times(struct json_out *out, const struct top_sample *before,
                       const struct top_sample *now)
{
    json_put_key(out, "times"), json_put_open(out, '{');
    for (u32 k = 0; k < TOP_TIMES; k++) {
        bool recent;
        const _Atomic u64 *h = times_of(before, now, k, &recent);
        json_put_key(out, top_time_names[k]), json_put_open(out, '{');
        json_put_key(out, "per_s");
        json_put_u64(out, recent ? rate(hist_count(h), span_ns(before, now)) : 0);
        json_put_key(out, "recent"), json_put_bool(out, recent);
        json_put_key(out, "total"), json_put_u64(out, hist_count(now->times[k]));
        for (u32 i = 0; i < QUANTILES; i++) {
            char name[16];
            snprintf(name, sizeof name, "%s_ns", quantile_names[i]);
            json_put_key(out, name);
            json_put_u64(out, hist_quantile(h, METRIC_HIST_BITS, ppm[i]));
        }
        json_put_key(out, "max_ns"), json_put_u64(out, hist_max(h));
        json_put_close(out, '}');
    }
    json_put_close(out, '}');
}

static void json_procs(struct json_out *out, const struct top_sample *before,
                       const struct top_sample *now)
{
    json_put_key(out, "processes"), json_put_open(out, '[');
    for (u32 i = 0; i < now->procs; i++) {
        const struct proc_view *v = &now->proc[i];
        struct proc_change c = proc_change(before, now, i);
        json_put_open(out, '{');
        json_put_key(out, "name"), json_put_cstring(out, v->name);
        json_put_key(out, "state"), json_put_cstring(out, proc_word(v));
        json_put_key(out, "pid"), json_put_u64(out, v->pid);
        json_put_key(out, "heartbeat_age_ms"), json_put_u64(out, v->beat_age_ms);
        json_put_key(out, "starts"), json_put_u64(out, v->starts);
        json_put_key(out, "work_permille"), json_put_u64(out, c.work);
        json_put_key(out, "wait_permille"), json_put_u64(out, c.wait);
        json_put_key(out, "block_permille"), json_put_u64(out, c.block);
        json_put_key(out, "cpu_permille"), json_put_u64(out, c.cpu);
        json_put_key(out, "resident_bytes"), json_put_u64(out, now->resident[i]);
        json_put_close(out, '}');
    }
    json_put_close(out, ']');
}

static void json_queues(struct json_out *out, const struct top_sample *before,
                        const struct top_sample *now)
{
    json_put_key(out, "queues"), json_put_open(out, '[');
    for (u32 i = 0; i < now->queues; i++) {
        struct queue_change c = queue_change(before, now, i);
        json_put_open(out, '{');
        json_put_key(out, "name"), json_put_cstring(out, c.queue->name);
        json_put_key(out, "reader"), json_put_cstring(out, c.queue->reader);
        json_put_key(out, "unit"), json_put_cstring(out, c.queue->is_log ? "records" : "bytes");
        json_put_key(out, "per_s"), json_put_u64(out, c.rate);
        json_put_key(out, "depth"), json_put_u64(out, c.queue->depth);
        if (!c.queue->is_log) json_put_key(out, "capacity"), json_put_u64(out, c.queue->capacity);
        json_put_key(out, "lag_ns");
        if (c.lag_ns == UINT64_MAX) json_put_raw(out, "null", 4);
        else json_put_u64(out, c.lag_ns);
        json_put_close(out, '}');
    }
    json_put_close(out, ']');
}

static void json_markets(struct json_out *out, const struct top_sample *now)
{
    json_put_key(out, "markets"), json_put_open(out, '[');
    for (u32 i = 0; i < now->markets; i++) {
        const struct top_market *m = &now->market[i];
        if (!m->known) continue;
        json_put_open(out, '{');
        json_put_key(out, "market"), json_put_cstring(out, m->symbol);
        json_put_key(out, "last"), wire_put_price(out, &m->rules, m->ticker.last);
        json_put_key(out, "bid"), wire_put_price(out, &m->rules, m->ticker.bid);
        json_put_key(out, "ask"), wire_put_price(out, &m->rules, m->ticker.ask);
        json_put_key(out, "trades_24h"), json_put_u64(out, m->ticker.trade_count);
        json_put_close(out, '}');
    }
    json_put_close(out, ']');
}

static void json_rates(struct json_out *out, const struct top_sample *before,
                       const struct top_sample *now)
{
    static const char *const names[TOP_COUNTS] = {
        "requests", "client_errors", "server_errors", "orders", "refused",
        "cancels",  "trades",        "commands",      "pushes",
    };
    json_put_key(out, "per_s"), json_put_open(out, '{');
    for (u32 i = 0; i < TOP_COUNTS; i++)
        json_put_key(out, names[i]), json_put_u64(out, count_rate(before, now, i));
    json_put_close(out, '}');
}

void top_json(const struct segment *s, const struct top_sample *before,
              const struct top_sample *now)
{
    struct json_out out;
    cli_json_begin(&out);
    json_put_open(&out, '{');
    json_put_key(&out, "time_ms"), json_put_u64(&out, now->unix_ns / 1000000);
    json_put_key(&out, "interval_ms"), json_put_u64(&out, span_ns(before, now) / 1000000);
    json_put_key(&out, "dir"), json_put_cstring(&out, s->boot.dir);
    json_put_key(&out, "ready"), json_put_bool(&out, now->ready);
    json_put_key(&out, "waiting_for"), json_put_cstring(&out, now->ready ? "" : now->who);
    json_put_key(&out, "sequence"), json_put_u64(&out, now->sequence);
    json_put_key(&out, "durable_sequence"), json_put_u64(&out, now->durable);
    json_put_key(&out, "open_orders"), json_put_u64(&out, now->open_orders);
    json_put_key(&out, "connections"), json_put_u64(&out, now->connections);
    json_put_key(&out, "websockets"), json_put_u64(&out, now->sockets);
    json_put_key(&out, "restarts"), json_put_u64(&out, now->restarts);
    json_rates(&out, before, now);
    json_times(&out, before, now);
    json_procs(&out, before, now);
    json_queues(&out, before, now);
    json_markets(&out, now);
    json_put_close(&out, '}');
    cli_json_end(&out);
}
