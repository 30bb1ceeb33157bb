/* variants.h: the builds of the book that the benchmark compares. */
#ifndef EIDOS_BENCH_BOOK_VARIANTS_H
#define EIDOS_BENCH_BOOK_VARIANTS_H

#include "tests/bench/book/flow.h"

#define DRIVE_ORDERS (1U << 20) /* arena of every run */
#define DRIVE_BYTES  (512UL << 20)

/* Time is told apart by pieces of so many messages, a millisecond at most: where a host serves
 * others too, a run is slow here and there, seldom all of it. */
#define DRIVE_PIECE (1U << 14)

struct drive_how {
    u64 from;    /* messages before this one are run, but not timed */
    bool batch;  /* by book_run, DRIVE_BATCH at a time; else one by one */
    u32 *cycles; /* of each message, or NULL */
    u64 *pieces; /* ns of each piece from `from` on, or NULL */
};

struct drive_result {
    u64 ns, events, checksum;
    u32 orders, levels; /* left in the book */
};

/* shm/book.h as it is */
struct drive_result product_drive(const struct flow *f, void *mem, const struct drive_how *how);
/* no account lists, no self-trade checks */
struct drive_result bare_drive(const struct flow *f, void *mem, const struct drive_how *how);
/* levels in a B+-tree */
struct drive_result btree_drive(const struct flow *f, void *mem, const struct drive_how *how);
/* levels in a direct table of 2^18 ticks under bitmaps */
struct drive_result ladder_drive(const struct flow *f, void *mem, const struct drive_how *how);

#endif
