/* trace.h: when the last requests, commands and batches passed through a process: a ring of stamps
 * that only ever overwrites. `eidosctl trace` puts those of all processes together.
 *
 *   kind       writer    key                  t0        t1          t2        t3
 *   REQUEST    api       request id           read      to verify   replied   answered
 *   PROVEN     verify    request id           taken     proven
 *   DURABLE    journal   last command of it   gathered  on disk                  seq: the first
 *   MATCHED    matching  last command of it   taken     published                seq: the first
 *   PUSHED     api       account sequence     read      written                  value: sockets
 *
 * Times are CLOCK_MONOTONIC nanoseconds, 0 = did not happen. What goes through in batches is
 * stamped in batches: on the hot path a trace costs less than a nanosecond an order. Nothing but
 * display depends on it; a command's own time, and all that happened, stand in the logs.
 */
#ifndef EIDOS_SHM_TRACE_H
#define EIDOS_SHM_TRACE_H

#include "shm/base.h"

#define TRACE_MAGIC       0x3143415254534445UL
#define TRACE_ENTRIES_MIN 1024U

enum trace_kind {
    TRACE_REQUEST = 1,
    TRACE_PROVEN = 2,
    TRACE_DURABLE = 3,
    TRACE_MATCHED = 4,
    TRACE_PUSHED = 5,
};

struct trace_entry {
    u64 key;
    u64 t[4];
    u64 seq;   /* command sequence an answer depends on; the first of a batch */
    u64 id[2]; /* REQUEST: the trace id, as in `X-Request-Id` */
    u32 kind;  /* enum trace_kind */
    u32 value; /* REQUEST: HTTP status; PROVEN: code; PUSHED: sockets */
};
SIZE_IS(struct trace_entry, 72);

struct trace {
    u64 magic;
    u64 capacity; /* entries, a power of two */
    u8 zero[48];
    alignas(CACHE_LINE) _Atomic u64 head; /* entries ever written */
    u8 zero2[56];
    struct trace_entry entries[];
};
SIZE_IS(struct trace, 128);
OFFSET_IS(struct trace, head, 64);

static inline u64 trace_align(void)
{
    return CACHE_LINE;
}

static inline u64 trace_capacity(u64 entries)
{
    return pow2_up(max_u64(entries, TRACE_ENTRIES_MIN));
}

/* Bytes for `entries`, in [0, 2^24], rounded up to a power of two, at least TRACE_ENTRIES_MIN. */
static inline u64 trace_footprint(u64 entries)
{
    if (entries > 1UL << 24) return 0;
    return sizeof(struct trace) + trace_capacity(entries) * sizeof(struct trace_entry);
}

/* Format zeroed memory of trace_footprint bytes. */
static inline void trace_new(void *memory, u64 entries)
{
    struct trace *t = memory;
    t->capacity = trace_capacity(entries);
    t->magic = TRACE_MAGIC;
}

static inline struct trace *trace_join(void *memory)
{
    struct trace *t = memory;
    CHECK(t->magic == TRACE_MAGIC);
    return t;
}

static inline void *trace_leave(struct trace *t)
{
    return t;
}

static inline void trace_delete(void *memory)
{
    trace_join(memory)->magic = 0;
}

/* The writer. Overwrites the oldest entry; the fence keeps that behind the head that gave it up. */
static inline void trace_put(struct trace *t, const struct trace_entry *entry)
{
    u64 head = atomic_load_explicit(&t->head, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    racy_copy(&t->entries[head & (t->capacity - 1)], entry, sizeof *entry);
    atomic_store_explicit(&t->head, head + 1, memory_order_release);
}

/* Any reader: entry number `n`, from 0. False: not written yet, or overwritten. */
static inline bool trace_get(const struct trace *t, u64 n, struct trace_entry *entry)
{
    if (n >= atomic_load_explicit(&t->head, memory_order_acquire)) return false;
    racy_copy(entry, &t->entries[n & (t->capacity - 1)], sizeof *entry);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&t->head, memory_order_relaxed) < n + t->capacity;
}

/* The first entry that may still be there. */
static inline u64 trace_oldest(const struct trace *t)
{
    u64 head = atomic_load_explicit(&t->head, memory_order_acquire);
    return head >= t->capacity ? head - t->capacity + 1 : 0;
}

#endif
