/* book_rest.h: an order comes to rest in a book, and leaves it (internal). */
#ifndef EIDOS_SHM_BOOK_REST_H
#define EIDOS_SHM_BOOK_REST_H

#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

/* Put an order behind the others at its price. False if there is no room for the level, or its sum
 * would not fit 64 bits: nothing has changed then. */
static inline bool book_queue_join(struct books *b, u32 cell, const struct book_order *o, u32 half)
{
    u32 queue = book_queue_get(b, half, book_key(half, o->price));
    struct book_queue *q = book_queue(b, queue);
    struct book_cell *c = book_cell(b, cell);
    if (UNLIKELY(!queue || q->lots + o->lots < o->lots)) return false;
    q->lots += o->lots;
    c->lots = o->lots;
    c->queue = queue;
    book_ring_push(b, queue, cell);
    return true;
}

/* Take an order from among the others at its price. True if it was the last one: the caller drops
 * the level. */
static inline bool book_queue_leave(struct books *b, u32 cell)
{
    const struct book_cell *c = book_cell(b, cell);
    book_queue(b, c->queue)->lots -= c->lots;
    return book_ring_take(b, cell);
}

/* Let an order rest whose slot belongs to no other; false if there is no room for it. */
static inline bool book_rest(struct books *b, const struct book_order *o, u32 half)
{
    u32 cell = book_pool_get(b, &b->orders, sizeof(struct book_cell));
    if (UNLIKELY(!cell)) return false;
    if (UNLIKELY(!book_queue_join(b, cell, o, half))) {
        book_pool_put(b, &b->orders, cell);
        return false;
    }
    struct book_cell *c = book_cell(b, cell);
    c->id = o->id;
    c->account = o->account;
    book_half(b, half)->orders++;
    book_enter(b, (u32)o->id, cell, o->account, half); /* last: a call costs no saved register */
    return true;
}

/* Forget an order of this half that is in no queue any more. */
static inline void book_forget(struct books *b, u32 cell, u32 half)
{
    struct book_cell *c = book_cell(b, cell);
    book_half(b, half)->orders--;
    struct book_young *y = book_young(b, (u32)c->id);
    c->id = 0;
    if (y->cell == cell) y->cell = 0;
    book_account_count(b, c->account, half, -1);
    book_pool_put(b, &b->orders, cell);
}

/* Take an order out of the book. */
static inline void book_unrest(struct books *b, u32 cell)
{
    u32 queue = book_cell(b, cell)->queue, half = book_queue(b, queue)->half;
    bool last = book_queue_leave(b, cell);
    book_forget(b, cell, half);
    if (last) book_queue_drop(b, queue); /* at the end, where a call costs no saved register */
}

#endif
