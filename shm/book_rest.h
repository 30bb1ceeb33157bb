/* book_rest.h: an order comes to rest in a book, and leaves it (internal). */
#ifndef EIDOS_SHM_BOOK_REST_H
#define EIDOS_SHM_BOOK_REST_H

#include "shm/book_accounts.h"
#include "shm/book_cells.h"
#include "shm/book_ids.h"
#include "shm/book_levels.h"

/* Put an order behind the others at its price. False if the arena is full, or if the sum of the
 * level would not fit 64 bits: nothing has changed then. */
static inline bool book_rest(struct books *b, u64 id, u32 half, u64 price, u64 lots, u32 account)
{
    u32 cell = book_pool_get(b, &b->orders);
    if (UNLIKELY(!cell)) return false;
    u32 level = book_level_get(b, half, book_key(half, price));
    struct book_cell *l = book_cell(b, level), *c = book_cell(b, cell);
    if (UNLIKELY(!level || l->lots + lots < lots)) {
        book_pool_put(b, &b->orders, cell);
        return false;
    }
    l->lots += lots;
    c->lots = lots;
    c->id = id;
    c->account = account;
    c->level = level;
    book_queue_push(b, level, cell);
    book_account_add(b, half, cell);
    book_half(b, half)->orders++;
    book_enter(b, id, cell);
    return true;
}

/* A sweep eats one level after another: when it comes to `level`, start loading the first order of
 * the next one, and the one after that. */
static inline void book_sweep_ahead(const struct books *b, u32 level)
{
    u32 ahead[2];
    if (!level) return;
    book_level_ahead(b, level, ahead);
    __builtin_prefetch(book_cell(b, ahead[1]), 1);
    if (!ahead[0]) return;
    u32 first = book_cell(b, ahead[0])->next;
    __builtin_prefetch(book_cell(b, first), 1);
    book_account_prefetch(b, first);
}

/* Take an order out of the book. Its level goes with it when it was the last one there. */
static inline void book_unrest(struct books *b, u32 cell)
{
    struct book_cell *c = book_cell(b, cell);
    struct book_cell *level = book_cell(b, c->level);
    u32 half = level->half;
    level->lots -= c->lots;
    book_forget(b, c->id);
    c->id = 0;
    book_half(b, half)->orders--;
    book_account_remove(b, cell);
    if (book_queue_take(b, c)) book_level_drop(b, c->level);
    book_pool_put(b, &b->orders, cell);
}

#endif
