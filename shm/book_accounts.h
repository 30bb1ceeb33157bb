/* book_accounts.h: which resting orders an account has in a half (internal).
 *
 *   table[hash(account, half)] <=> earliest order <=> later order <=> ... back to the entry
 *
 * An open table with linear probing, one and a half entries for each order the arena holds; removal
 * shifts back what follows, so it never degrades. An entry is the sentinel of the circular list of
 * the account's orders, and it is there only while there are any: "has this account anything on the
 * other side?" is one probe. Four accounts with consecutive indexes share a cache line.
 *
 * Lists link units of 8 bytes: an entry is two units, of which the first is its link; the links
 * of the orders follow the table.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

struct book_link { /* units */
    u32 prev, next;
};

struct book_owner {
    struct book_link list;
    u32 account;
    u32 half; /* plus 1; 0 = empty entry */
};
SIZE_IS(struct book_owner, 16);

#define BOOK_OWNERS_LINE 4U /* entries in a cache line */

static inline struct book_link *book_link(const struct books *b, u32 unit)
{
    return (struct book_link *)ptr_at(b, b->owners_off) + unit;
}

static inline struct book_owner *book_owner(const struct books *b, u32 at)
{
    return (struct book_owner *)ptr_at(b, b->owners_off) + at;
}

static inline u32 book_unit(const struct books *b, u32 cell)
{
    return cell + b->units_first;
}

static inline u32 book_unit_cell(const struct books *b, u32 unit)
{
    return unit - b->units_first;
}

/* An order's unit, not an entry's. */
static inline bool book_unit_is_order(const struct books *b, u32 unit)
{
    return unit >= 2 * b->owners_count;
}

static inline u32 book_owner_home(const struct books *b, u32 account, u32 half)
{
    u64 h = (account / BOOK_OWNERS_LINE | (u64)half << 32) * 0x9e3779b97f4a7c15UL;
    h = (h ^ h >> 32) * 0xbf58476d1ce4e5b9UL >> 32;
    u32 line = (u32)(h * (b->owners_count / BOOK_OWNERS_LINE) >> 32);
    return line * BOOK_OWNERS_LINE + account % BOOK_OWNERS_LINE;
}

static inline u32 book_owner_after(const struct books *b, u32 at)
{
    return at + 1 == b->owners_count ? 0 : at + 1;
}

/* The entry of the account, or the empty one where it belongs. */
static inline u32 book_owner_probe(const struct books *b, u32 account, u32 half)
{
    u32 at = book_owner_home(b, account, half);
    for (;; at = book_owner_after(b, at)) {
        const struct book_owner *o = book_owner(b, at);
        if (!o->half || (o->account == account && o->half == half + 1)) return at;
    }
}

/* True if the account has an order in this half. */
static inline bool book_account_rests(const struct books *b, u32 account, u32 half)
{
    return book_owner(b, book_owner_probe(b, account, half))->half != 0;
}

static inline void book_account_add(struct books *b, u32 half, u32 cell)
{
    u32 account = book_cell(b, cell)->account, at = book_owner_probe(b, account, half);
    struct book_owner *o = book_owner(b, at);
    u32 unit = book_unit(b, cell), head = 2 * at;
    if (!o->half) *o = (struct book_owner){{head, head}, account, half + 1};
    *book_link(b, unit) = (struct book_link){.prev = o->list.prev, .next = head};
    book_link(b, o->list.prev)->next = unit;
    o->list.prev = unit;
}

static inline void book_owner_erase(struct books *b, u32 gap)
{
    for (u32 at = book_owner_after(b, gap);; at = book_owner_after(b, at)) {
        const struct book_owner *o = book_owner(b, at);
        if (LIKELY(!o->half)) break;
        u32 home = book_owner_home(b, o->account, o->half - 1);
        if (gap <= at ? gap < home && home <= at : gap < home || home <= at) continue;
        *book_owner(b, gap) = *o;
        book_link(b, o->list.prev)->next = 2 * gap;
        book_link(b, o->list.next)->prev = 2 * gap;
        gap = at;
    }
    book_owner(b, gap)->half = 0;
}

static inline void book_account_remove(struct books *b, u32 cell)
{
    struct book_link l = *book_link(b, book_unit(b, cell));
    book_link(b, l.prev)->next = l.next;
    book_link(b, l.next)->prev = l.prev;
    if (l.prev == l.next) book_owner_erase(b, l.prev / 2);
}

/* The account's first order in a half, 0 = none; and the one after an order, 0 = none. */
static inline u32 book_account_first(const struct books *b, u32 account, u32 half)
{
    const struct book_owner *o = book_owner(b, book_owner_probe(b, account, half));
    return o->half ? book_unit_cell(b, o->list.next) : 0;
}

static inline u32 book_account_next(const struct books *b, u32 cell)
{
    u32 unit = book_link(b, book_unit(b, cell))->next;
    return book_unit_is_order(b, unit) ? book_unit_cell(b, unit) : 0;
}

/* Hints: an order's links; and, once these are there, those of its neighbours. */
static inline void book_account_prefetch(const struct books *b, u32 cell)
{
    __builtin_prefetch(book_link(b, book_unit(b, cell)), 1);
}

static inline void book_account_prefetch_around(const struct books *b, u32 cell)
{
    const struct book_link *l = book_link(b, book_unit(b, cell));
    __builtin_prefetch(book_link(b, l->prev), 1);
    __builtin_prefetch(book_link(b, l->next), 1);
}

/* Bring an account's list in a half into ascending order of ids: the only order that two books
 * with different histories share. A merge sort in place, bottom up. */
void book_account_sort(struct books *b, u32 account, u32 half);

#endif
