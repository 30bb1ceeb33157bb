/* durable.h: how far the logs are safe. "durable" is written by the journal only.
 *
 *   durability = disk     seq = synced                         on this host's disk
 *   durability = memory   seq = synced = written
 *   durability = kafka    seq = min(synced, exported@0.seq)    on disk, and taken over by the
 * exporter
 *
 * "exported@0" has the same shape and is written by the exporter, bridge@0: it stores `seq` once
 * every replica has the command (acks=all), and wakes who sleeps on it (watch_notify). */
#ifndef EIDOS_SHM_DURABLE_H
#define EIDOS_SHM_DURABLE_H

#include "shm/base.h"
#include "shm/proc.h"

#define DURABLE_MAGIC 0x3152554453444945UL

struct durable {
    u64 magic;
    u8 zero[56];
    /* Every command through this sequence may be told of: it survives what the operator chose to
     * survive. Stored with release;
     * a futex word (low half) for those who wait to answer. */
    alignas(CACHE_LINE) _Atomic u64 seq;
    u8 zero2[56];
    /* Last sequence written (not necessarily synced) for each log, by LOG_* index. */
    alignas(CACHE_LINE) _Atomic u64 written[PROC_LOGS_MAX];
    _Atomic u64 low_disk; /* 1 = space is short, trading turns cancel-only */
    _Atomic u64 synced;   /* commands on this host's disk */
    u8 zero3[48];
};
OFFSET_IS(struct durable, seq, 64);
OFFSET_IS(struct durable, written, 128);
SIZE_IS(struct durable, 320);

static inline u64 durable_align(void)
{
    return CACHE_LINE;
}

static inline u64 durable_footprint(void)
{
    return sizeof(struct durable);
}

/* Format zeroed memory: nothing is durable yet. */
static inline void durable_new(void *memory)
{
    ((struct durable *)memory)->magic = DURABLE_MAGIC;
}

static inline struct durable *durable_join(void *memory)
{
    struct durable *d = memory;
    CHECK(d->magic == DURABLE_MAGIC);
    return d;
}

static inline void *durable_leave(struct durable *d)
{
    return d;
}

static inline void durable_delete(void *memory)
{
    durable_join(memory)->magic = 0;
}

#endif
