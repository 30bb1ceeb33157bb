/* levels_ladder.h: for comparison, price levels in a direct table of 2^18 ticks under a three-level
 * bitmap. It takes the place of shm/book_levels.h in a build of the book. The fixed domain makes it
 * the yardstick for speed, not a candidate: prices outside are refused as if the arena were full.
 */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_cells.h"
#include "tests/bench/book/levels_no_hints.h"

#include <string.h>

#define LADDER_TICKS (1U << 18)

struct book_node { /* the plan of the memory asks for its size */
    u64 unused;
};

struct ladder {
    u32 level[LADDER_TICKS];
    u64 low[LADDER_TICKS >> 6], mid[LADDER_TICKS >> 12], top;
};

static struct ladder ladders[2]; /* one market */

#define LEVELS_RESET() memset(ladders, 0, sizeof ladders)

/* Keys of bids count down from the top of the whole domain: bring both sides into the table. */
static inline u64 ladder_at(u32 half, u64 key)
{
    return half & 1 ? key : key - book_key(half, LADDER_TICKS - 1);
}

static inline u64 ladder_best(const struct ladder *d)
{
    u64 top = (u64)__builtin_ctzl(d->top), mid = top << 6 | (u64)__builtin_ctzl(d->mid[top]);
    return mid << 6 | (u64)__builtin_ctzl(d->low[mid]);
}

static inline u32 ladder_of(const struct books *b, const struct book_half *h)
{
    return (u32)(h - book_half(b, 0));
}

static inline u32 book_half_best(const struct books *b, const struct book_half *h)
{
    const struct ladder *d = &ladders[ladder_of(b, h)];
    return d->top ? d->level[ladder_best(d)] : 0;
}

static inline bool book_reaches(const struct books *b, const struct book_half *h, u64 key)
{
    u32 half = ladder_of(b, h);
    return ladders[half].top && ladder_best(&ladders[half]) <= ladder_at(half, key);
}

static inline u32 book_level_find(const struct books *b, u32 half, u64 key)
{
    u64 at = ladder_at(half, key);
    (void)b;
    return at < LADDER_TICKS ? ladders[half].level[at] : 0;
}

static inline u32 book_queue_near(const struct books *b, u32 half, u64 key)
{
    return book_level_find(b, half, key);
}

static inline u32 book_queue_get(struct books *b, u32 half, u64 key)
{
    struct ladder *d = &ladders[half];
    u64 at = ladder_at(half, key);
    if (at >= LADDER_TICKS) return 0;
    if (d->level[at]) return d->level[at];
    u32 queue = book_pool_get(b, &b->queues, sizeof(struct book_queue));
    if (!queue) return 0;
    *book_queue(b, queue) = (struct book_queue){.ring = {queue, queue}, .key = key, .half = half};
    d->level[at] = queue;
    d->low[at >> 6] |= 1UL << (at & 63);
    d->mid[at >> 12] |= 1UL << (at >> 6 & 63);
    d->top |= 1UL << (at >> 12);
    return queue;
}

static inline u32 book_level_next(const struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    const struct ladder *d = &ladders[q->half];
    u64 at = ladder_at(q->half, q->key), bits = d->low[at >> 6] & (~1UL << (at & 63));
    if (!bits) {
        u64 mid = d->mid[at >> 12] & (~1UL << (at >> 6 & 63));
        if (!mid) {
            u64 top = d->top & (~1UL << (at >> 12));
            if (!top) return 0;
            at = (u64)__builtin_ctzl(top) << 12;
            mid = d->mid[at >> 12];
        }
        at = (at >> 12 << 12) + ((u64)__builtin_ctzl(mid) << 6);
        bits = d->low[at >> 6];
    }
    return d->level[(at >> 6 << 6) + (u64)__builtin_ctzl(bits)];
}

static inline void book_queue_drop(struct books *b, u32 queue)
{
    const struct book_queue *q = book_queue(b, queue);
    struct ladder *d = &ladders[q->half];
    u64 at = ladder_at(q->half, q->key);
    d->level[at] = 0;
    d->low[at >> 6] &= ~(1UL << (at & 63));
    if (!d->low[at >> 6]) {
        d->mid[at >> 12] &= ~(1UL << (at >> 6 & 63));
        if (!d->mid[at >> 12]) d->top &= ~(1UL << (at >> 12));
    }
    book_pool_put(b, &b->queues, queue);
}

#endif
