/* levels_no_hints.h: what shm/book_levels.h tells memory ahead of time, for levels that tell
 * nothing; so no order is ever alone. */
#ifndef EIDOS_TESTS_BENCH_BOOK_LEVELS_NO_HINTS_H
#define EIDOS_TESTS_BENCH_BOOK_LEVELS_NO_HINTS_H

#include "shm/book_cells.h"

#define book_queue_drop_foreseen book_queue_drop

static inline bool book_alone_may(const struct books *b, u32 half, u64 key)
{
    return (void)b, (void)half, (void)key, false;
}

static inline bool book_alone_fits(const struct books *b, u32 half, u64 key)
{
    return (void)b, (void)half, (void)key, false;
}

static inline bool book_alone_part(struct books *b, u32 half, u64 key)
{
    return (void)b, (void)half, (void)key, false;
}

static inline void book_alone_put(struct books *b, u32 half, u64 key, u32 cell)
{
    (void)b, (void)half, (void)key, (void)cell;
}

static inline u32 book_alone_end(struct books *b, u32 cell)
{
    return (void)b, (void)cell, 0U;
}

static inline void book_alone_drop(struct books *b, struct book_half *h, u32 cell)
{
    (void)b, (void)h, (void)cell;
}

static inline bool book_is_near(const struct books *b, u32 half, u64 key)
{
    return (void)b, (void)half, (void)key, false;
}

static inline u32 book_get_ahead(const struct books *b, u32 half, u64 key, u32 *way)
{
    return (void)b, (void)half, (void)key, (void)way, 0U;
}

static inline u32 book_walk_ahead(const struct books *b, u64 key, u32 ref, u32 *way)
{
    return (void)b, (void)key, (void)way, ref;
}

static inline bool book_drop_ahead(const struct books *b, u32 queue, u64 *key, u32 *node)
{
    return (void)b, (void)queue, (void)key, (void)node, false;
}

static inline bool book_merge_ahead(const struct books *b, u32 node, u64 key)
{
    return (void)b, (void)node, (void)key, false;
}

static inline void book_move_ahead(const struct books *b, u32 node, u64 key)
{
    (void)b, (void)node, (void)key;
}

static inline void book_sweep_ahead(const struct books *b, struct book_half *h, u32 queue,
                                    bool first)
{
    (void)b, (void)h, (void)queue, (void)first;
}

#endif
