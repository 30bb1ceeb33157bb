/* book_accounts.h: which resting orders an account has in a half (internal).
 *
 *   table[hash(account, half)] -> latest order <-> earlier order <-> ...
 *
 * An open table with linear probing and two entries for each order the arena holds, so it is never
 * more than half full; removal shifts back what follows, so it never degrades. An account whose
 * last order leaves a half leaves the table: "has this account anything on the other side?" is one
 * probe.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

static inline u32 book_owner_home(const struct books *b, u32 account, u32 half)
{
    u64 h = (account | (u64)half << 32) * 0x9e3779b97f4a7c15UL;
    h ^= h >> 32;
    return (u32)((h * 0xbf58476d1ce4e5b9UL >> 32) * b->owners_count >> 32);
}

static inline u32 book_owner_after(const struct books *b, u32 at)
{
    return at + 1 == b->owners_count ? 0 : at + 1;
}

/* The entry of the account, or the empty one where it belongs. */
static inline u32 book_owner_probe(const struct books *b, u32 account, u32 half)
{
    const struct book_owner *t = book_owners(b);
    u32 at = book_owner_home(b, account, half);
    while (t[at].head && (t[at].account != account || t[at].half != half)) {
        at = book_owner_after(b, at);
    }
    return at;
}

/* The account's latest order in a half, 0 = none. */
static inline u32 book_account_head(const struct books *b, u32 account, u32 half)
{
    return book_owners(b)[book_owner_probe(b, account, half)].head;
}

static inline void book_owner_erase(struct books *b, u32 gap)
{
    struct book_owner *t = book_owners(b);
    for (u32 at = book_owner_after(b, gap); t[at].head; at = book_owner_after(b, at)) {
        u32 home = book_owner_home(b, t[at].account, t[at].half);
        bool stays = gap <= at ? gap < home && home <= at : gap < home || home <= at;
        if (stays) continue;
        t[gap] = t[at];
        gap = at;
    }
    t[gap].head = 0;
}

static inline void book_account_add(struct books *b, u32 half, u32 cell)
{
    u32 account = book_cell(b, cell)->account;
    struct book_owner *o = &book_owners(b)[book_owner_probe(b, account, half)];
    *book_link(b, cell) = (struct book_link){.next = o->head};
    if (o->head) book_link(b, o->head)->prev = cell;
    *o = (struct book_owner){.account = account, .half = half, .head = cell};
}

static inline void book_account_remove(struct books *b, u32 half, u32 cell)
{
    struct book_link l = *book_link(b, cell);
    if (l.next) book_link(b, l.next)->prev = l.prev;
    if (l.prev) {
        book_link(b, l.prev)->next = l.next;
        return;
    }
    u32 at = book_owner_probe(b, book_cell(b, cell)->account, half);
    if (l.next) {
        book_owners(b)[at].head = l.next;
    } else {
        book_owner_erase(b, at);
    }
}

/* Bring an account's list in a half into ascending order of ids: the only order that two books
 * with different histories share. A merge sort in place, bottom up. */
void book_account_sort(struct books *b, u32 account, u32 half);

#endif
