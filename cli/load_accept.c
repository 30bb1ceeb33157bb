/* load_accept.c: the acceptance list of the operations guide, 5.4, judged by what was measured.
 * What was not measured is never ticked. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/load.h"

#define HELD_SECONDS    1800.0 /* the guide asks for half an hour */
#define HELD_SHARE      0.99
#define PUSH_SHARE      0.95
#define ERRORS_MOST     0.001
#define CPU_MOST        0.8
#define MEMORY_PERMILLE 800U
#define BACKLOG_MOST    4096U /* bytes: a message or two on their way */

bool accept_is_void(const struct load_result *r)
{
    return hist_quantile(r->late, LOAD_BITS, 990000) > LOAD_LATE_NS;
}

double accept_rate(const struct load_result *r)
{
    double seconds = (double)(r->ended_ns - r->begun_ns) / 1e9;
    return seconds > 0 ? (double)r->in_time / seconds : 0;
}

const char *accept_word(enum load_verdict v)
{
    static const char *const words[] = {"pass", "fail", "short", "not measured"};
    return words[v];
}

static void set(struct load_item *item, enum load_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void set(struct load_item *item, enum load_verdict verdict, const char *fmt, ...)
{
    va_list args;
    item->verdict = verdict;
    va_start(args, fmt);
    vsnprintf(item->detail, sizeof item->detail, fmt, args);
    va_end(args);
}

typedef void each_fn(const struct load *l, const struct load_plan *p, const struct load_step *s,
                     const struct load_result *r, void *context);

static void each_step(const struct load *l, each_fn *each, void *context)
{
    for (u32 i = 0; i < l->plans; i++)
        for (u32 s = 0; s < l->plan[i].steps; s++)
            if (l->results[i][s].begun_ns)
                each(l, &l->plan[i], &l->plan[i].step[s], &l->results[i][s], context);
}

/* --- Held? -------------------------------------------------------------------------------------*/

struct held {
    struct load_item *item;
    double longest;
    bool missed;
};

static void look_held(const struct load *l, const struct load_plan *p, const struct load_step *s,
                      const struct load_result *r, void *context)
{
    struct held *h = context;
    (void)l;
    if (s->seconds > h->longest) h->longest = s->seconds;
    if (accept_rate(r) < s->rate * HELD_SHARE && !h->missed) {
        h->missed = true;
        set(h->item, LOAD_FAIL, "scenario %u, %s: %.0f/s reached of %.0f/s", p->scenario, s->name,
            accept_rate(r), s->rate);
    }
    for (u32 k = 0; k < SUB_KINDS; k++) {
        double got = p->subs[k] ? (double)r->frames[k] / p->subs[k] / s->seconds : 0;
        if (!p->subs[k] || got >= p->push_rate[k] * PUSH_SHARE || h->missed) continue;
        h->missed = true;
        set(h->item, LOAD_FAIL, "scenario %u, %s: %.1f frames/s reached of %.1f/s a connection",
            p->scenario, plan_sub_name(k), got, p->push_rate[k]);
    }
}

static void judge_held(const struct load *l, struct load_item *item)
{
    struct held h = {item, 0, false};
    each_step(l, look_held, &h);
    if (h.missed) return;
    if (l->interrupted) set(item, LOAD_FAIL, "interrupted");
    else if (h.longest < HELD_SECONDS)
        set(item, LOAD_SHORT, "held in every step, but the longest was %.0f s; run with --time 1",
            h.longest);
    else set(item, LOAD_PASS, "held in every step, the longest %.0f s", h.longest);
}

/* --- Errors, latency ---------------------------------------------------------------------------*/

struct sums {
    u64 due, bad, frames, lost, gaps;
    u64 p99_ns, push_p99_ns, late_ns;
    double cpu;
    bool is_void;
};

static void add_step(const struct load *l, const struct load_plan *p, const struct load_step *s,
                     const struct load_result *r, void *context)
{
    struct sums *t = context;
    double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
    double cpu = r->host_share - r->own_cores / cores;
    (void)l;
    (void)p;
    (void)s;
    t->due += r->due + r->unsent;
    t->bad += r->errors + r->unsent;
    t->lost += r->lost_subs;
    t->gaps += r->gaps;
    t->p99_ns = max_u64(t->p99_ns, hist_quantile(r->latency, LOAD_BITS, 990000));
    t->late_ns = max_u64(t->late_ns, hist_quantile(r->late, LOAD_BITS, 990000));
    t->is_void |= accept_is_void(r);
    for (u32 k = 0; k < SUB_KINDS; k++) {
        t->frames += r->frames[k];
        t->push_p99_ns = max_u64(t->push_p99_ns, hist_quantile(r->push[k], LOAD_BITS, 990000));
    }
    if (cpu > t->cpu) t->cpu = cpu;
}

static void judge_errors(const struct sums *t, struct load_item *item)
{
    double share = t->due ? (double)t->bad / (double)t->due : 1;
    double pushes = t->frames ? (double)(t->gaps + t->lost) / (double)t->frames : 0;
    bool good = share < ERRORS_MOST && pushes < ERRORS_MOST && !t->lost;
    set(item, good ? LOAD_PASS : LOAD_FAIL,
        "%lu of %lu requests (%.3f %%); %lu gaps in sequences, %lu WebSockets lost, of %lu frames",
        t->bad, t->due, share * 100, t->gaps, t->lost, t->frames);
}

static void judge_latency(const struct load *l, const struct sums *t, struct load_item *item)
{
    bool good = t->p99_ns <= l->p99_ns && (!t->frames || t->push_p99_ns <= l->push_p99_ns);
    char push[80] = "";
    if (t->frames)
        snprintf(push, sizeof push, ", pushes %.1f ms of %.0f", (double)t->push_p99_ns / 1e6,
                 (double)l->push_p99_ns / 1e6);
    if (t->is_void)
        set(item, LOAD_UNKNOWN, "the generator itself was %.1f ms late (p99): give it a core",
            (double)t->late_ns / 1e6);
    else
        set(item, good ? LOAD_PASS : LOAD_FAIL, "orders %.1f ms of %.0f%s, in the worst step",
            (double)t->p99_ns / 1e6, (double)l->p99_ns / 1e6, push);
}

/* --- The host ----------------------------------------------------------------------------------*/

static void judge_local(const struct load *l, const struct sums *t,
                        struct load_item items[LOAD_ITEMS])
{
    u32 memory = 0;
    i64 growth = 0; /* while connections and users stay */
    for (u32 i = 0; i < l->point_count; i++)
        memory = (u32)max_u64(memory, l->points[i].memory_permille);
    for (u32 i = 0; i < l->plans; i++) {
        u32 to = i + 1 < l->plans && l->point_plan[i + 1] ? l->point_plan[i + 1] : l->point_count;
        if (to <= l->point_plan[i]) continue;
        growth +=
            (i64)l->points[to - 1].exchange_bytes - (i64)l->points[l->point_plan[i]].exchange_bytes;
    }
    set(&items[2], l->crashes || l->ooms ? LOAD_FAIL : LOAD_PASS,
        "%lu restarts of %u processes, %lu kills by the kernel for memory", l->crashes,
        l->proc_count, l->ooms);
    set(&items[3], t->cpu < CPU_MOST ? LOAD_PASS : LOAD_FAIL,
        "%.0f %% of %ld cores in the busiest step, the generator left out", t->cpu * 100,
        sysconf(_SC_NPROCESSORS_ONLN));
    set(&items[4], memory < MEMORY_PERMILLE ? LOAD_PASS : LOAD_FAIL,
        "%.1f %% of the host at most; the exchange's private memory changed by %+.1f MiB "
        "meanwhile",
        memory / 10.0, (double)growth / 1048576);
    set(&items[7], l->backlog_end <= BACKLOG_MOST ? LOAD_PASS : LOAD_FAIL,
        "at most %s waited in rings, %s a second after the load", cli_bytes(l->backlog_most),
        cli_bytes(l->backlog_end));
}

u32 accept_list(const struct load *l, struct load_item items[LOAD_ITEMS])
{
    static const char *const texts[LOAD_ITEMS] = {"target rate held for 30 minutes",
                                                  "errors below 0.1 %",
                                                  "no process crashed or ran out of memory",
                                                  "CPU below 80 %",
                                                  "memory below 80 %",
                                                  "P99 within its target",
                                                  "no backlog in Kafka",
                                                  "no backlog in the exchange's queues"};
    struct sums t = {0};
    each_step(l, add_step, &t);
    memset(items, 0, LOAD_ITEMS * sizeof items[0]);
    for (u32 i = 0; i < LOAD_ITEMS; i++) {
        items[i].text = texts[i];
        set(&items[i], LOAD_UNKNOWN, "the exchange is not on this host (--url)");
    }
    judge_held(l, &items[0]);
    judge_errors(&t, &items[1]);
    judge_latency(l, &t, &items[5]);
    set(&items[6], LOAD_UNKNOWN, "this exchange has no Kafka yet");
    if (l->local) judge_local(l, &t, items);
    return LOAD_ITEMS;
}
