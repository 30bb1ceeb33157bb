/* limits.h: how much each client uses, counted over all gateway workers without a lock.
 *
 *   limits@0   set: | key used open | key used open | ...      each worker writes its own table
 *   limits@1   set: | key used open | key used open | ...      and adds up all of them
 *
 * A key stands for an address, a wallet and a kind of request, or everybody. What is counted is
 * requests in a fixed window (`end_s`: the Unix second it ends with) and open connections. Two
 * workers that decide at the same moment may each let one through: a limit can be passed by as many
 * requests as there are other workers, and no more. A full set gives up the entry whose window
 * ended first and that has no open connection; if there is none, the client is not counted.
 */
#ifndef EIDOS_SHM_LIMITS_H
#define EIDOS_SHM_LIMITS_H

#include "shm/base.h"

#define LIMITS_MAGIC       0x3154494d4c534445UL /* "EDSLMIT1" */
#define LIMITS_WAYS        8U
#define LIMITS_SETS        4096U
#define LIMITS_WORKERS_MAX 16U
#define LIMITS_COUNT_BITS  24U

struct limits_slot {
    _Atomic u64 key;  /* 0 = free */
    _Atomic u64 used; /* end_s << LIMITS_COUNT_BITS | requests in that window */
    _Atomic u64 open; /* connections */
};
SIZE_IS(struct limits_slot, 24);

struct limits {
    u64 magic;
    u8 zero[56];
    alignas(CACHE_LINE) struct limits_slot slots[LIMITS_SETS][LIMITS_WAYS];
};
OFFSET_IS(struct limits, slots, 64);

/* Process-private: the own table and all of them. */
struct limits_view {
    struct limits *own;
    u32 count; /* of `all`, the own one included */
    const struct limits *all[LIMITS_WORKERS_MAX];
    u64 salt; /* the same in all workers, unknown outside */
};

static inline u64 limits_align(void)
{
    return CACHE_LINE;
}

static inline u64 limits_footprint(void)
{
    return sizeof(struct limits);
}

static inline void limits_new(void *memory)
{
    ((struct limits *)memory)->magic = LIMITS_MAGIC;
}

static inline struct limits *limits_join(void *memory)
{
    struct limits *l = memory;
    CHECK(l->magic == LIMITS_MAGIC);
    return l;
}

static inline void *limits_leave(struct limits *l)
{
    return l;
}

static inline void limits_delete(void *memory)
{
    limits_join(memory)->magic = 0;
}

/* The own worker begins: connections of a former life are gone, what was used stays. */
void limits_begin(struct limits *own);

/* A key from `kind` (what is counted) and up to 24 bytes (who); never 0. */
u64 limits_key(const struct limits_view *v, u32 kind, const void *who, size_t len);

/* Requests that all workers counted in the window that ends with `end_s`. */
u32 limits_used(const struct limits_view *v, u64 key, u64 end_s);

/* Count one request if fewer than `most` were; *used receives how many there are now. */
bool limits_take(const struct limits_view *v, u64 key, u64 end_s, u32 most, u32 *used);

/* Open connections in all workers. */
u64 limits_open(const struct limits_view *v, u64 key);

/* One more (+1) or one less (-1) of this worker's. A key that could not be counted stays so. */
void limits_connection(const struct limits_view *v, u64 key, int change, u64 now_s);

#endif
