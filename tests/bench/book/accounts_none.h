/* accounts_none.h: for comparison, a book that keeps no account lists: what accounts and self-trade
 * checks cost is the distance to it. Takes the place of shm/book_accounts.h in a build of the book.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

#define BOOK_CELL_REFS ((u32)(sizeof(struct book_cell) / 8))

static inline u32 book_accounts_for(u32 orders)
{
    return (void)orders, 1U;
}

static inline void book_accounts_new(struct books *b)
{
    (void)b;
}

static inline void book_account_count(struct books *b, u32 account, u32 half, int by)
{
    (void)b, (void)account, (void)half, (void)by;
}

static inline bool book_account_may_have(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, false;
}

static inline void book_account_keep(struct book_cell *c, u64 whose)
{
    (void)c, (void)whose;
}

static inline u64 book_account_kept(const struct book_cell *c, u64 whose)
{
    return (void)c, (void)whose, 0UL;
}

static inline bool book_is_own(const struct book_cell *c, u32 account)
{
    return (void)c, (void)account, false;
}

static inline void book_account_add(struct books *b, u32 cell, u32 account, u32 half)
{
    (void)b, (void)cell, (void)account, (void)half;
}

static inline u32 book_account_resting(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, 0U;
}

static inline void book_account_sort(struct books *b, u32 account, u32 half)
{
    (void)b, (void)account, (void)half;
}

static inline u32 book_account_sorted(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, 0U;
}

static inline void book_account_left(struct books *b, u32 cell)
{
    (void)b, (void)cell;
}

#endif
