/* accounts_none.h: for comparison, a book that keeps no account lists: what accounts and self-trade
 * checks cost is the distance to it. Takes the place of shm/book_accounts.h in a build of the book.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

struct book_owner {
    u32 unused[4];
};

#define BOOK_OWNERS_LINE 4U
#define BOOK_CELL_REFS   ((u32)(sizeof(struct book_cell) / 8))

static inline u32 book_owners_for(u32 orders)
{
    return (void)orders, BOOK_OWNERS_LINE;
}

static inline struct book_owner *book_owner(const struct books *b, u32 at)
{
    return (struct book_owner *)book_ref(b, b->owners) + at;
}

static inline void book_account_count(struct books *b, u32 account, u32 half, int by)
{
    (void)b, (void)account, (void)half, (void)by;
}

static inline bool book_account_may_have(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, false;
}

static inline bool book_is_own(const struct book_cell *c, u32 account)
{
    return (void)c, (void)account, false;
}

static inline u32 book_link(const struct books *b, u32 cell)
{
    return (void)b, cell;
}

static inline u32 book_account_ahead(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, 0U;
}

static inline void book_account_sweep_ahead(const struct books *b, struct book_scout *s, u32 next)
{
    (void)b, (void)s, (void)next;
}

static inline void book_account_add(struct books *b, u32 cell, u32 account, u32 half)
{
    (void)b, (void)cell, (void)account, (void)half;
}

static inline void book_account_remove(struct books *b, u32 cell)
{
    (void)b, (void)cell;
}

static inline u32 book_account_first(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, 0U;
}

static inline u32 book_account_next(const struct books *b, u32 cell)
{
    return (void)b, (void)cell, 0U;
}

static inline void book_account_sort(struct books *b, u32 account, u32 half)
{
    (void)b, (void)account, (void)half;
}

#endif
