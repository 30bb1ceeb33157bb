/* metrics.h: the numbers of metrics.def as code: where each stands in proc_block.metrics, and how
 * its owner writes and anybody reads it.
 *
 *   proc_block.metrics   | word | word | count sum max bucket bucket ... | word | ...
 *                          METRIC_A      METRIC_B (a histogram)            METRIC_C
 *
 * Bare u64s: what they mean stands in metric_table. All blocks have room for all metrics, so that
 * an id is an offset in every one.
 */
#ifndef EIDOS_SHM_METRICS_H
#define EIDOS_SHM_METRICS_H

#include "shm/hist.h"
#include "shm/proc.h"
#include "shm/topo.h"

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_COUNTER_NS,
    METRIC_GAUGE_NS,
    METRIC_HISTOGRAM,
};

#define METRIC_HIST_BITS        5U /* quantiles are at most 3 % too high */
#define METRIC_WORDS_COUNTER    1
#define METRIC_WORDS_GAUGE      1
#define METRIC_WORDS_COUNTER_NS 1
#define METRIC_WORDS_GAUGE_NS   1
#define METRIC_WORDS_HISTOGRAM  (int)HIST_WORDS(METRIC_HIST_BITS)

/* Offset of each metric; the next one begins behind its last word. */
enum metric {
#define METRIC(id, owner, type, name, help) \
    METRIC_##id, METRIC_##id##_LAST = METRIC_##id + METRIC_WORDS_##type - 1,
#include "shm/metrics.def"
    METRIC_WORDS
};
_Static_assert(METRIC_WORDS <= PROC_METRICS_MAX, "the block has no room for as many metrics");

enum {
#define METRIC(id, owner, type, name, help) METRIC_ROW_##id,
#include "shm/metrics.def"
    METRIC_ROWS
};

/* What a program must share with the one whose metrics it reads: ids and types. A number that
 * changes when a row is added, moved, renamed or retyped. */
enum {
    METRIC_SCHEMA = 0
#define METRIC(id, owner, type, name, help) \
    +(int)((METRIC_##id + 1) * (sizeof(name) + 64 * METRIC_##type) % 65521)
#include "shm/metrics.def"
};

struct metric_row {
    const char *name, *help;
    u32 owner; /* enum role */
    u32 type;  /* enum metric_type */
    u32 word;  /* enum metric */
};
extern const struct metric_row metric_table[METRIC_ROWS];

/* Of every process, see metrics.def. */
enum common_metric {
#define COMMON(id, label, type, name, help) COMMON_##id,
#include "shm/metrics.def"
    COMMON_ROWS
};

struct common_row {
    const char *name, *help;
    const char *label; /* what there is one of each of: "ring"; "" = just one */
    u32 type;          /* enum metric_type */
};
extern const struct common_row common_table[COMMON_ROWS];

/* Add to or set a metric of the own block. One thread only. */
static inline void metric_add(struct proc_block *p, enum metric id, u64 n)
{
    u64 now = atomic_load_explicit(&p->metrics[id], memory_order_relaxed);
    atomic_store_explicit(&p->metrics[id], now + n, memory_order_relaxed);
}

static inline void metric_set(struct proc_block *p, enum metric id, u64 value)
{
    atomic_store_explicit(&p->metrics[id], value, memory_order_relaxed);
}

/* Count a time in a HISTOGRAM of the own block: from `from_ns` to `to_ns`, of the same clock. What
 * ends before it begins (clocks of two cores, a hostile stamp) counts as 0. One thread only. */
static inline void metric_record(struct proc_block *p, enum metric id, u64 from_ns, u64 to_ns)
{
    hist_record(&p->metrics[id], METRIC_HIST_BITS, to_ns > from_ns ? to_ns - from_ns : 0);
}

/* Any process. */
static inline u64 metric_get(const struct proc_block *p, enum metric id)
{
    return atomic_load_explicit(&p->metrics[id], memory_order_relaxed);
}

/* CLOCK_MONOTONIC of a time that stands in a log, by the offset trading told last; `trading` is its
 * block. Good to a microsecond while the wall clock keeps step. */
static inline u64 metric_mono_of(const struct proc_block *trading, u64 time_ns)
{
    return time_ns - metric_get(trading, METRIC_TRADING_CLOCK);
}

/* Value of a HISTOGRAM that `ppm` parts per million of all do not exceed, in nanoseconds. */
static inline u64 metric_quantile(const struct proc_block *p, enum metric id, u32 ppm)
{
    return hist_quantile(&p->metrics[id], METRIC_HIST_BITS, ppm);
}

#endif
