/* levels_ladder.h: for comparison, price levels in a direct table of 2^18 ticks under a three-level
 * bitmap. It takes the place of shm/book_levels.h in a build of the book. The fixed domain makes it
 * the yardstick for speed, not a candidate: prices outside are refused as if the arena were full.
 */
#ifndef EIDOS_SHM_BOOK_LEVELS_H
#define EIDOS_SHM_BOOK_LEVELS_H

#include "shm/book_cells.h"

#include <string.h>

#define LADDER_TICKS (1U << 18)

struct book_node { /* the product's plan asks for its size */
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
    return half & 1 ? key : key - (BOOK_PRICE_MAX + 1 - LADDER_TICKS);
}

static inline void book_best_is(const struct books *b, struct book_half *h, u32 level)
{
    h->best = level;
    h->best_key = level ? book_cell(b, level)->key : UINT64_MAX;
}

static inline u32 book_level_find(const struct books *b, u32 half, u64 key)
{
    u64 at = ladder_at(half, key);
    (void)b;
    return at < LADDER_TICKS ? ladders[half].level[at] : 0;
}

static inline u32 book_level_get(struct books *b, u32 half, u64 key)
{
    struct book_half *h = book_half(b, half);
    struct ladder *d = &ladders[half];
    u64 at = ladder_at(half, key);
    if (at >= LADDER_TICKS) return 0;
    if (d->level[at]) return d->level[at];
    u32 level = book_pool_get(b, &b->levels);
    if (!level) return 0;
    *book_cell(b, level) =
        (struct book_cell){.prev = level, .next = level, .key = key, .half = half};
    d->level[at] = level;
    d->low[at >> 6] |= 1UL << (at & 63);
    d->mid[at >> 12] |= 1UL << (at >> 6 & 63);
    d->top |= 1UL << (at >> 12);
    h->levels++;
    if (key < h->best_key) book_best_is(b, h, level);
    return level;
}

static inline u32 book_level_next(const struct books *b, u32 level)
{
    const struct book_cell *l = book_cell(b, level);
    const struct ladder *d = &ladders[l->half];
    u64 at = ladder_at(l->half, l->key), bits = d->low[at >> 6] & (~1UL << (at & 63));
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

static inline void book_level_drop(struct books *b, u32 level)
{
    struct book_cell *l = book_cell(b, level);
    struct book_half *h = book_half(b, l->half);
    struct ladder *d = &ladders[l->half];
    u64 at = ladder_at(l->half, l->key);
    if (h->best == level) book_best_is(b, h, book_level_next(b, level));
    h->levels--;
    d->level[at] = 0;
    d->low[at >> 6] &= ~(1UL << (at & 63));
    if (!d->low[at >> 6]) {
        d->mid[at >> 12] &= ~(1UL << (at >> 6 & 63));
        if (!d->mid[at >> 12]) d->top &= ~(1UL << (at >> 12));
    }
    l->half = BOOK_HALF_NONE;
    book_pool_put(b, &b->levels, level);
}

static inline void book_level_ahead(const struct books *b, u32 level, u32 ahead[2])
{
    (void)b, (void)level;
    ahead[0] = ahead[1] = 0;
}

#endif
