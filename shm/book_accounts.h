/* book_accounts.h: which resting orders an account has in a half (internal).
 *
 *   count[hash(account, half)]   its orders, young and old
 *   ring [hash(account, half)] <=> link <=> link <=> ... back to the ring: its orders that came of
 * age
 *
 * There are as many entries as orders in the arena, rounded down to a power of two. Few accounts
 * share one, and each order says whose it is: a mass cancel passes the others by.
 *
 * Every cell has a link; they lie apart from the orders, eight to a cache line, as joining a ring
 * and leaving it touches two neighbours. An order that leaves does not touch its link, which stays
 * behind in the ring until another order comes of age in the same cell, or until it is met there:
 * by a mass cancel, or when rings are tidied. They are while many cells are free, at every 64th
 * order that joins; so a ring never holds more links than some five thousand, and forty for each
 * order that it ever had at once. The other order takes the link with it, unless it is of the same
 * account and half: the link stays where it is then.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

#define BOOK_CELL_REFS ((u32)(sizeof(struct book_cell) / 8))
#ifndef BOOK_LEFT
#define BOOK_LEFT (4 * BOOK_YOUNG) /* free cells from which on rings are tidied */
#endif

/* The entries for so many orders. */
static inline u32 book_accounts_for(u32 orders)
{
    return 1U << (31 - __builtin_clz(orders));
}

/* The entry of an account in a half. Those of accounts with consecutive indexes lie together. */
static inline u32 book_account(const struct books *b, u32 account, u32 half)
{
    return (account + half * 0x9e3779b1U) & b->accounts_mask;
}

static inline u32 *book_account_count_at(const struct books *b, u32 entry)
{
    return (u32 *)book_ref(b, b->counts) + entry;
}

/* An order comes to rest in a half, or leaves it. */
static inline void book_account_count(struct books *b, u32 account, u32 half, int by)
{
    *book_account_count_at(b, book_account(b, account, half)) += (u32)by;
}

/* False only if the account has no order in the half: nearly always so then. */
static inline bool book_account_may_have(const struct books *b, u32 account, u32 half)
{
    return *book_account_count_at(b, book_account(b, account, half)) != 0;
}

/* The order of an account's own, which it must not trade with. */
static inline bool book_is_own(const struct book_cell *c, u32 account)
{
    return c->account == account;
}

/* The link of a cell; and the cell of a link, 0 if it is a ring. */
static inline u32 book_link(const struct books *b, u32 cell)
{
    return b->links + cell / BOOK_CELL_REFS;
}

static inline u32 book_link_cell(const struct books *b, u32 link)
{
    return link < b->rings ? (link - b->links) * BOOK_CELL_REFS : 0;
}

static inline u32 book_account_ring(const struct books *b, u32 account, u32 half)
{
    return b->rings + book_account(b, account, half);
}

/* A free cell keeps in mind that its link stayed behind in the ring of its last order, who and in
 * which half that was: the next one may be of the same account, as who cancels often comes again at
 * once. Nothing if the order was not in the ring: what it keeps then is not what is asked for. */
static inline void book_account_keep(struct book_cell *c, u64 whose)
{
    c->lots = whose;
}

/* BOOK_JOINED if the link of a cell that was free is in the right ring already, else 0. */
static inline u64 book_account_kept(const struct book_cell *c, u64 whose)
{
    return (u64)(c->lots == (whose | BOOK_JOINED)) << 32;
}

/* A link leaves the ring it is in, if it is in one. */
static inline void book_account_part(struct books *b, u32 link)
{
    struct book_cell *c = book_cell(b, book_link_cell(b, link));
    if (!c->id) c->lots = 0;
    book_ring_take(b, link);
    *book_ring(b, link) = (struct book_ring){link, link};
}

/* Every 64th time look at some links from the front of a ring, at more where some were left behind:
 * those part. The ring begins after them from now on. */
void book_account_tidy(struct books *b, u32 ring);

/* A link leaves the ring it is in, and joins another. Cells with links that were left behind are
 * free, or have young orders. */
static inline void book_account_join(struct books *b, struct book_grown g)
{
    book_ring_take(b, g.link);
    book_ring_push(b, g.ring, g.link);
    u32 cells = (b->orders.fresh - b->cells) / BOOK_CELL_REFS;
    if (UNLIKELY(cells - b->orders.used > BOOK_LEFT)) book_account_tidy(b, g.ring);
}

/* An order comes of age. Its link joins the account's ring when 16 more have come of age: until
 * then memory is asked for its neighbours, old and new, in a book larger than the cache. Should the
 * order leave in between, then its link joins as one left behind. */
static inline void book_account_add(struct books *b, u32 cell, u32 account, u32 half)
{
    u32 n = b->grown_count++;
    struct book_grown *g = &b->grown[n % BOOK_GROWN], first = *g;
    *g = (struct book_grown){book_link(b, cell), book_account_ring(b, account, half)};
    if (UNLIKELY(book_is_large(b))) {
        const struct book_grown *next = &b->grown[(n + BOOK_GROWN / 2) % BOOK_GROWN];
        book_fetch(b, g->link);
        book_fetch(b, g->ring);
        book_fetch(b, book_ring(b, next->link)->prev);
        book_fetch(b, book_ring(b, next->link)->next);
        book_fetch(b, book_ring(b, next->ring)->prev);
    }
    book_account_join(b, first);
}

/* True if an order of the account rests in the cell. */
static inline bool book_account_has(const struct books *b, u32 cell, u32 account, u32 half)
{
    const struct book_cell *c = book_cell(b, cell);
    return c->id && c->account == account && book_cell_half(b, c) == half;
}

/* No orders yet: every link and every ring alone. */
void book_accounts_new(struct books *b);

/* How many orders an account has in a half; time follows the links in its ring. */
u32 book_account_resting(const struct books *b, u32 account, u32 half);

/* Bring all of an account's orders in a half to the front of their ring, in ascending order of ids:
 * the only order that two books with different histories share. A merge sort in place, bottom up.
 */
void book_account_sort(struct books *b, u32 account, u32 half);

/* After that: its first order, 0 = none is left; and what it does when it has left. */
static inline u32 book_account_sorted(const struct books *b, u32 account, u32 half)
{
    u32 cell = book_link_cell(b, book_ring(b, book_account_ring(b, account, half))->next);
    return cell && book_account_has(b, cell, account, half) ? cell : 0;
}

static inline void book_account_left(struct books *b, u32 cell)
{
    book_account_part(b, book_link(b, cell));
}

#endif
