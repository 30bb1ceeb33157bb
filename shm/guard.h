/* guard.h: the memory of a verify process for signed requests that were used: procs/verify/guard.h
 * says how. It outlives the process: one that is started again remembers what its predecessor let
 * through, also requests that are dated ahead.
 */
#ifndef EIDOS_SHM_GUARD_H
#define EIDOS_SHM_GUARD_H

#include "shm/base.h"

#define GUARD_MAGIC   0x3144524755534445UL /* "EDSUGRD1" */
#define GUARD_BUCKETS 12U
#define GUARD_SLOTS   (1U << 17) /* of a bucket; three quarters are used, 1,638 requests a second */

/* The first half of a digest with the wallet folded in: that two requests share it by chance is out
 * of the question, and who makes two of his own on purpose refuses himself one. */
struct guard_key {
    u64 words[2]; /* all zero: an empty slot */
};
SIZE_IS(struct guard_key, 16);

struct guard_bucket {
    u64 minute; /* of the timestamps in it */
    u64 used;
};

struct guard_memory {
    u64 magic;
    u64 slots;    /* of a bucket, a power of two */
    u64 salt;     /* odd; 0 = no process has begun yet */
    u64 start_ms; /* Unix time of the first one: requests from before are refused */
    struct guard_bucket buckets[GUARD_BUCKETS];
    u8 zero[32];
    struct guard_key keys[];
};
OFFSET_IS(struct guard_memory, keys, 256);

static inline u64 guard_align(void)
{
    return CACHE_LINE;
}

/* 0 = impossible: `slots` is no power of two, or more than 2^24. */
static inline u64 guard_footprint(u64 slots)
{
    if (!is_pow2(slots) || slots > 1UL << 24) return 0;
    return sizeof(struct guard_memory) + GUARD_BUCKETS * slots * sizeof(struct guard_key);
}

/* Format zeroed memory. */
static inline void guard_new(void *memory, u64 slots)
{
    struct guard_memory *m = memory;
    m->slots = slots;
    m->magic = GUARD_MAGIC;
}

static inline struct guard_memory *guard_join(void *memory)
{
    struct guard_memory *m = memory;
    CHECK(m->magic == GUARD_MAGIC);
    return m;
}

static inline void *guard_leave(struct guard_memory *m)
{
    return m;
}

static inline void guard_delete(void *memory)
{
    guard_join(memory)->magic = 0;
}

#endif
