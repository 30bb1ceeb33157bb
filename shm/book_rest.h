/* book_rest.h: an order comes to rest in a book, and leaves it (internal). */
#ifndef EIDOS_SHM_BOOK_REST_H
#define EIDOS_SHM_BOOK_REST_H

#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

/* The best level of a half, 0 = it is empty. */
static inline u32 book_level_best(const struct books *b, const struct book_half *h)
{
    return book_level_of(b, book_half_best(b, h));
}

/* True if the sum of a queue still fits 64 bits with so many lots more. */
static inline bool book_fits(const struct books *b, u32 queue, u64 lots)
{
    return book_queue(b, queue)->lots + lots >= lots;
}

/* Put an order behind the others of a queue, which it fits. */
static inline void book_queue_join(struct books *b, u32 cell, u64 lots, u32 queue)
{
    struct book_cell *c = book_cell(b, cell);
    book_queue(b, queue)->lots += lots;
    c->lots = lots;
    c->queue = queue;
    book_ring_push(b, queue, cell);
}

/* Take an order from among the others at its price. True if it was the last one: the caller drops
 * the level. */
static inline bool book_queue_leave(struct books *b, u32 cell)
{
    const struct book_cell *c = book_cell(b, cell);
    book_queue(b, c->queue)->lots -= c->lots;
    return book_ring_take(b, cell);
}

/* The cell of an order that will rest; its slot belongs to no other, and a place is free. */
static inline struct book_young book_cell_new(struct books *b, const struct book_order *o, u32 half)
{
    book_half(b, half)->orders++;
    book_account_count(b, o->account, half, 1);
    u32 cell = book_pool_get(b, &b->orders, sizeof(struct book_cell));
    struct book_cell *c = book_cell(b, cell);
    u64 whose = book_whose(o->account, half);
    whose |= book_account_kept(c, whose);
    c->id = o->id;
    c->account = o->account;
    return (struct book_young){(u32)o->id, cell, whose};
}

/* Let an order rest in a queue that it fits. 0, as for book_unrest(). */
BOOK_ASIDE static int book_rest_in(struct books *b, const struct book_order *o, u32 half, u32 queue)
{
    struct book_young young = book_cell_new(b, o, half);
    book_queue_join(b, young.cell, o->lots, queue);
    return book_enter(b, young);
}

/* Let an order rest alone, where book_alone_fits(). */
BOOK_ASIDE static int book_rest_alone(struct books *b, const struct book_order *o, u32 half)
{
    struct book_young young = book_cell_new(b, o, half);
    book_cell(b, young.cell)->alone_lots = o->lots;
    book_alone_put(b, half, book_half_key(book_half(b, half), o->price), young.cell);
    return book_enter(b, young);
}

/* Forget an order of this half that is in no queue any more. */
static inline void book_forget(struct books *b, u32 cell, u32 half)
{
    struct book_cell *c = book_cell(b, cell);
    book_half(b, half)->orders--;
    book_account_count(b, c->account, half, -1);
    struct book_young *y = book_young(b, (u32)c->id);
    if (y->cell == cell) {
        y->cell = 0;
        book_account_keep(c, y->whose);
    } else {
        book_account_keep(c, book_whose(c->account, half) | BOOK_JOINED);
    }
    c->id = 0;
    book_pool_put(b, &b->orders, cell);
}

/* Take an order that is alone out of the book. */
BOOK_ASIDE static int book_unrest_alone(struct books *b, u32 cell)
{
    u32 half = book_cell_half(b, book_cell(b, cell));
    book_alone_drop(b, book_half(b, half), cell);
    book_forget(b, cell, half);
    return 0;
}

/* Take an order out of this queue, and out of the book. */
static inline void book_leave(struct books *b, u32 cell, u32 queue, u32 half)
{
    bool last = book_queue_leave(b, cell);
    book_forget(b, cell, half);
    if (last) book_queue_drop(b, queue); /* at the end, where a call costs no saved register */
}

/* The same where neither is known. Not part of its callers, nor is what it calls: none need save
 * registers then. 0, as it is the last that most have to do. */
BOOK_ASIDE static int book_unrest(struct books *b, u32 cell)
{
    u32 queue = book_cell(b, cell)->queue;
    book_leave(b, cell, queue, book_queue(b, queue)->half);
    return 0;
}

/* The same where it is likely the last of its queue. */
BOOK_ASIDE static int book_unrest_foreseen(struct books *b, u32 cell)
{
    u32 queue = book_cell(b, cell)->queue, half = book_queue(b, queue)->half;
    bool last = book_queue_leave(b, cell);
    book_forget(b, cell, half);
    if (LIKELY(last)) book_queue_drop_foreseen(b, queue);
    return 0;
}

#endif
