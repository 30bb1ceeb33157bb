/* accounts_none.h: for comparison, a book that keeps no account lists: what accounts and self-trade
 * checks cost is the distance to it. Takes the place of shm/book_accounts.h in a build of the book.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

struct book_link {
    u32 prev, next;
};

struct book_owner {
    u32 unused[4];
};

#define BOOK_OWNERS_LINE 4U

static inline struct book_owner *book_owner(const struct books *b, u32 at)
{
    return (struct book_owner *)ptr_at(b, b->owners_off) + at;
}

static inline bool book_account_rests(const struct books *b, u32 account, u32 half)
{
    return (void)b, (void)account, (void)half, false;
}

static inline void book_account_add(struct books *b, u32 half, u32 cell)
{
    (void)b, (void)half, (void)cell;
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

static inline void book_account_prefetch(const struct books *b, u32 cell)
{
    (void)b, (void)cell;
}

static inline void book_account_prefetch_around(const struct books *b, u32 cell)
{
    (void)b, (void)cell;
}

#endif
