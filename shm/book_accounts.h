/* book_accounts.h: which resting orders an account has in a half (internal).
 *
 *   table[hash(account, half)] <=> earliest order <=> later order <=> ... back to the entry
 *
 * An open table with linear probing, five entries for each four orders the arena holds; removal
 * shifts back what follows, so it never degrades. An entry is the head of the ring of the account's
 * orders, and it is there only while there are any: "has this account anything on the other side?"
 * is one probe. Four accounts with consecutive indexes share a cache line.
 *
 * Rings join entries and the links of orders. These lie apart from the orders, eight to a cache
 * line, as taking one out touches its neighbours.
 */
#ifndef EIDOS_SHM_BOOK_ACCOUNTS_H
#define EIDOS_SHM_BOOK_ACCOUNTS_H

#include "shm/book_cells.h"

struct book_owner {
    struct book_ring ring;
    u64 tag; /* account and half, 0 = empty entry */
};
SIZE_IS(struct book_owner, 16);

#define BOOK_OWNERS_LINE 4U /* entries in a cache line */
#define BOOK_CELL_REFS   ((u32)(sizeof(struct book_cell) / 8))

/* The entries for so many orders. */
static inline u32 book_owners_for(u32 orders)
{
    return (u32)align_up(orders + orders / 4 + 1UL, BOOK_OWNERS_LINE);
}

static inline struct book_owner *book_owner(const struct books *b, u32 at)
{
    return (struct book_owner *)book_ref(b, b->owners) + at;
}

static inline u64 book_owner_tag(u32 account, u32 half)
{
    return (half + 1UL) << 32 | account;
}

/* Fibonacci hashing of the tag without its last two bits, which choose in the line. */
static inline u32 book_owner_home(const struct books *b, u64 tag)
{
    u64 h = (tag / BOOK_OWNERS_LINE) * 0x9e3779b97f4a7c15UL >> 32;
    u32 line = (u32)(h * b->owners_lines >> 32);
    return line * BOOK_OWNERS_LINE + (u32)tag % BOOK_OWNERS_LINE;
}

static inline u32 book_owner_after(const struct books *b, u32 at)
{
    return at + 1 == b->owners_count ? 0 : at + 1;
}

/* The entry of the tag, or the empty one where it belongs. */
static inline u32 book_owner_probe(const struct books *b, u64 tag)
{
    u32 at = book_owner_home(b, tag);
    for (;; at = book_owner_after(b, at)) {
        u64 there = book_owner(b, at)->tag;
        if (LIKELY(there == tag || !there)) return at;
    }
}

static inline u32 book_owner_ref(const struct books *b, u32 at)
{
    return b->owners + at * (u32)(sizeof(struct book_owner) / 8);
}

/* The count of young orders that an account's are part of. */
static inline book_young_count *book_account_young(const struct books *b, u64 tag)
{
    u64 h = tag * 0x9e3779b97f4a7c15UL >> 32 & (BOOK_YOUNG_COUNTS - 1);
    return (book_young_count *)ptr_at(b, BOOK_COUNTS_OFF) + h;
}

/* A young order comes to rest in a half, or ceases to be young. */
static inline void book_account_count(struct books *b, u32 account, u32 half, int by)
{
    book_young_count *count = book_account_young(b, book_owner_tag(account, half));
    *count = (book_young_count)(*count + by);
}

/* False only if the account has no order in the half, young or old: nearly always so then. */
static inline bool book_account_may_have(const struct books *b, u32 account, u32 half)
{
    u64 tag = book_owner_tag(account, half);
    return *book_account_young(b, tag) || book_owner(b, book_owner_probe(b, tag))->tag;
}

/* The order of an account's own, which it must not trade with. */
static inline bool book_is_own(const struct book_cell *c, u32 account)
{
    return c->account == account;
}

/* The link of an order in its account's ring. */
static inline u32 book_link(const struct books *b, u32 cell)
{
    return b->links + cell / BOOK_CELL_REFS;
}

/* Put an order into its account's ring. */
static inline void book_account_add(struct books *b, u32 cell, u32 account, u32 half)
{
    u64 tag = book_owner_tag(account, half);
    u32 at = book_owner_probe(b, tag), head = book_owner_ref(b, at);
    struct book_owner *o = book_owner(b, at);
    if (!o->tag) *o = (struct book_owner){{head, head}, tag};
    book_ring_push(b, head, book_link(b, cell));
}

/* Take an entry out whose ring is empty. */
BOOK_ASIDE static void book_owner_erase(struct books *b, u32 ref)
{
    u32 gap = (ref - b->owners) / (u32)(sizeof(struct book_owner) / 8);
    for (u32 at = book_owner_after(b, gap);; at = book_owner_after(b, at)) {
        const struct book_owner *o = book_owner(b, at);
        if (LIKELY(!o->tag)) break;
        u32 home = book_owner_home(b, o->tag);
        if (gap <= at ? gap < home && home <= at : gap < home || home <= at) continue;
        *book_owner(b, gap) = *o;
        book_ring(b, o->ring.prev)->next = book_owner_ref(b, gap);
        book_ring(b, o->ring.next)->prev = book_owner_ref(b, gap);
        gap = at;
    }
    book_owner(b, gap)->tag = 0;
}

static inline void book_account_remove(struct books *b, u32 cell)
{
    u32 link = book_link(b, cell);
    if (book_ring_take(b, link)) book_owner_erase(b, book_ring(b, link)->prev);
}

/* The entry that an order would be put into. */
static inline u32 book_account_ahead(const struct books *b, u32 account, u32 half)
{
    u64 tag = book_owner_tag(account, half);
    return book_owner_ref(b, book_owner_home(b, tag));
}

/* The order behind another in its queue, or that one again if it is the last. */
static inline u32 book_scout_step(const struct books *b, u32 cell)
{
    u32 next = book_ring(b, cell)->next;
    return next < b->orders.end && next ? next : cell;
}

/* A sweep comes to the next order of a queue: start loading the links of orders far behind it, and
 * of nearer ones what their links tell of. At first `far` goes twice as fast as the sweep. */
static inline void book_account_sweep_ahead(const struct books *b, struct book_scout *s, u32 next)
{
    if (UNLIKELY(s->next != next)) *s = (struct book_scout){.far = next};
    s->next = book_ring(b, next)->next;
    if (UNLIKELY(s->steps < BOOK_SCOUT)) {
        s->far = book_scout_step(b, s->far);
        book_fetch(b, book_link(b, s->far));
        if (++s->steps == BOOK_SCOUT / 2) s->near = s->far;
    }
    s->far = book_scout_step(b, s->far);
    book_fetch(b, s->far);
    book_fetch(b, book_link(b, s->far));
    if (UNLIKELY(!s->near)) return;
    s->near = book_scout_step(b, s->near);
    struct book_ring link = *book_ring(b, book_link(b, s->near));
    book_fetch(b, link.prev);
    book_fetch(b, link.next);
}

/* The order that owns a link, or 0 if it is an entry's. */
static inline u32 book_owned_cell(const struct books *b, u32 link)
{
    return link < b->owners ? (link - b->links) * BOOK_CELL_REFS : 0;
}

/* The account's first order in a half, 0 = none; and the one after an order, 0 = none. */
static inline u32 book_account_first(const struct books *b, u32 account, u32 half)
{
    const struct book_owner *o = book_owner(b, book_owner_probe(b, book_owner_tag(account, half)));
    return o->tag ? book_owned_cell(b, o->ring.next) : 0;
}

static inline u32 book_account_next(const struct books *b, u32 cell)
{
    return book_owned_cell(b, book_ring(b, book_link(b, cell))->next);
}

/* Bring an account's ring in a half into ascending order of ids: the only order that two books
 * with different histories share. A merge sort in place, bottom up. */
void book_account_sort(struct books *b, u32 account, u32 half);

#endif
