/* book_ids.h: from an order's id to its cell (internal).
 *
 *   recent[slot mod 1024] = {slot, cell}   the order came lately: this is its cell
 *   table[slot] = cell                     else this is, if the id there is the id asked for
 *
 * The table has 4 bytes for each slot. It is never cleared: a cell keeps the id of the order in it,
 * so a reference that is out of date does not pass the test, nor does a stale id. A new order is
 * entered in `recent` only, and in the table when another one pushes it out and it still rests.
 * Most orders are gone by then, so the table, which may be far larger than the cache, is seldom
 * touched.
 */
#ifndef EIDOS_SHM_BOOK_IDS_H
#define EIDOS_SHM_BOOK_IDS_H

#include "shm/book_cells.h"

struct book_recent {
    u32 slot;
    u32 cell; /* 0 = none, or gone */
};

static inline u32 *book_slot(const struct books *b, u64 id)
{
    return (u32 *)ptr_at(b, b->ids_off) + (u32)id;
}

static inline struct book_recent *book_recent(const struct books *b, u64 id)
{
    return (struct book_recent *)ptr_at(b, b->recent_off) + ((u32)id & (BOOK_RECENT - 1));
}

/* The resting order with this id, or 0. */
static inline u32 book_lookup(const struct books *b, u64 id)
{
    if (UNLIKELY((u32)id >= b->config.slots_max || id == 0)) return 0;
    const struct book_recent *r = book_recent(b, id);
    u32 cell = r->slot == (u32)id ? r->cell : *book_slot(b, id);
    return book_cell(b, cell)->id == id ? cell : 0;
}

/* Enter the order in this cell; its slot belongs to no other resting order. */
static inline void book_enter(struct books *b, u64 id, u32 cell)
{
    struct book_recent *r = book_recent(b, id);
    if (r->cell) *book_slot(b, r->slot) = r->cell;
    *r = (struct book_recent){(u32)id, cell};
}

/* The order with this id leaves. */
static inline void book_forget(struct books *b, u64 id)
{
    struct book_recent *r = book_recent(b, id);
    r->cell = r->slot == (u32)id ? 0 : r->cell;
}

/* True if the id's slot belongs to a resting order, of whatever generation. */
static inline bool book_slot_taken(const struct books *b, u64 id)
{
    const struct book_recent *r = book_recent(b, id);
    u64 old = book_cell(b, *book_slot(b, id))->id;
    return (r->cell && r->slot == (u32)id) || (old && (u32)old == (u32)id);
}

#endif
