/* book_ids.h: from an order's id to its place; young orders and old ones (internal).
 *
 *   young[slot mod 1024] = {slot, ref, whose}   the order came lately: this is its place
 *   table[slot] = ref                           else this is, if the id there is the id asked for
 *
 * Most orders die young. So a new one is entered in `young` only, which stays in the cache. When
 * another pushes it out and it still rests, it comes of age: it is entered in the table, and in the
 * ring of its account. The entry says whose it is, as its own memory may be cold by then. An order
 * that leaves is taken from `young`, but not from the table: a place keeps the id of the order in
 * it, and 0 once it is free, so a reference that is out of date does not pass the test, nor does a
 * stale id.
 */
#ifndef EIDOS_SHM_BOOK_IDS_H
#define EIDOS_SHM_BOOK_IDS_H

#include "shm/book_accounts.h"

static inline u32 *book_slot(const struct books *b, u32 slot)
{
    return (u32 *)ptr_at(b, b->ids_off) + slot;
}

static inline struct book_young *book_young(const struct books *b, u32 slot)
{
    return (struct book_young *)ptr_at(b, BOOK_YOUNG_OFF) + (slot & (BOOK_YOUNG - 1));
}

/* Where the order with this slot is, if there is one. */
static inline u32 book_place(const struct books *b, u32 slot)
{
    const struct book_young *y = book_young(b, slot);
    return y->slot == slot ? y->cell : *book_slot(b, slot);
}

/* Find the resting order with this id. Ref 0 has none: its id is 0. */
static inline bool book_lookup(const struct books *b, u64 id, u32 *cell)
{
    if (UNLIKELY((u32)id >= b->config.slots_max || id == 0)) return false;
    *cell = book_place(b, (u32)id);
    return book_cell(b, *cell)->id == id;
}

/* True if the id's slot belongs to a resting order, of whatever generation. */
static inline bool book_slot_taken(const struct books *b, u64 id)
{
    u64 old = book_cell(b, book_place(b, (u32)id))->id;
    return old && (u32)old == (u32)id;
}

/* A young order comes of age, as another takes its entry: it is entered where old ones are. */
BOOK_ASIDE static int book_grow_up(struct books *b, struct book_young now)
{
    struct book_young *y = book_young(b, now.slot), before = *y;
    *y = now;
    *book_slot(b, before.slot) = before.cell;
    if (!(before.whose & BOOK_JOINED)) {
        book_account_add(b, before.cell, (u32)before.whose, (u32)(before.whose >> 33));
    }
    return 0;
}

/* Enter an order that rests in this cell; its slot belongs to no other resting order. */
static inline int book_enter(struct books *b, struct book_young now)
{
    struct book_young *y = book_young(b, now.slot);
    if (UNLIKELY(y->cell)) return book_grow_up(b, now);
    *y = now;
    return 0;
}

#endif
