/* book_rest.h: an order comes to rest in a book, and leaves it (internal). */
#ifndef EIDOS_SHM_BOOK_REST_H
#define EIDOS_SHM_BOOK_REST_H

#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

/* Put an order behind the others at its price; its slot belongs to no other resting order. False if
 * the arena is full, or if the sum of the level would not fit 64 bits: nothing has changed then. */
static inline bool book_rest(struct books *b, u64 id, u32 half, u64 price, u64 lots, u32 account)
{
    u32 cell = book_pool_get(b, &b->orders, sizeof(struct book_cell));
    if (UNLIKELY(!cell)) return false;
    u32 queue = book_queue_get(b, half, book_key(half, price));
    struct book_queue *q = book_queue(b, queue);
    if (UNLIKELY(!queue || q->lots + lots < lots)) {
        book_pool_put(b, &b->orders, cell);
        return false;
    }
    q->lots += lots;
    book_enter(b, (u32)id, cell, account, half);
    struct book_cell *c = book_cell(b, cell);
    c->lots = lots;
    c->id = id;
    c->account = account;
    c->queue = queue;
    book_ring_push(b, queue, cell);
    book_half(b, half)->orders++;
    return true;
}

/* Take an order out of the book. Its level goes with it when it was the last one there. */
static inline void book_unrest(struct books *b, u32 cell)
{
    struct book_cell *c = book_cell(b, cell);
    u32 queue = c->queue, half = book_queue(b, queue)->half;
    book_queue(b, queue)->lots -= c->lots;
    book_half(b, half)->orders--;
    bool young = book_is_young(b, cell);
    c->id = 0;
    if (LIKELY(young)) {
        book_account_count(b, c->account, half, -1);
    } else {
        book_account_remove(b, cell);
    }
    if (book_ring_take(b, cell)) book_queue_drop(b, queue);
    book_pool_put(b, &b->orders, cell);
}

#endif
