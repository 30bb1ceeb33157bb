/* book_accounts.c: what is done with rings of accounts now and then. */
#include "shm/book_accounts.h"
#include "shm/book_ids.h"

#include <string.h>

/* ---- links that wait to join ---- */

/* Who waits where nobody does: a ring of no account, to join itself. */
static struct book_grown nobody(const struct books *b)
{
    u32 ring = b->rings + b->accounts_mask + 1;
    return (struct book_grown){ring, ring};
}

/* All that wait join now, the earliest first, as one link may wait more than once. */
static void join_all(struct books *b)
{
    for (u32 i = 0; i < BOOK_GROWN; i++) {
        struct book_grown *g = &b->grown[b->grown_count++ % BOOK_GROWN];
        book_account_join(b, *g);
        *g = nobody(b);
    }
}

/* Where in `grown` a link is, the first if there are more; BOOK_GROWN = nowhere. */
static u32 waiting(const struct books *b, u32 link)
{
    u32 i = 0;
    while (i < BOOK_GROWN && b->grown[i].link != link) i++;
    return i;
}

/* ---- whole rings ---- */

void book_accounts_new(struct books *b)
{
    u32 link = book_link(b, b->cells), accounts = b->accounts_mask + 1;
    for (u32 i = 0; i < b->config.orders_max; i++, link++) {
        *book_ring(b, link) = (struct book_ring){link, link};
    }
    for (u32 ring = b->rings; ring <= b->rings + accounts; ring++) {
        *book_ring(b, ring) = (struct book_ring){ring, ring};
    }
    memset(book_ref(b, b->counts), 0, accounts * sizeof(u32));
    memset(book_ref(b, b->joined), 0, accounts + 1UL);
    for (u32 i = 0; i < BOOK_GROWN; i++) b->grown[i] = nobody(b);
}

/* True if the link is in the ring where the order of its cell belongs. */
static bool belongs(const struct books *b, u32 link, u32 ring)
{
    const struct book_cell *c = book_cell(b, book_link_cell(b, link));
    return c->id && book_account_ring(b, c->account, book_cell_half(b, c)) == ring;
}

void book_account_tidy(struct books *b, u32 ring)
{
    u8 *joined = (u8 *)book_ref(b, b->joined) + (ring - b->rings);
    if (++*joined % 64) return;
    u32 link = book_ring(b, ring)->next, looks = 8;
    for (u32 i = 0, next; i < looks && link != ring; i++, link = next) {
        next = book_ring(b, link)->next;
        if (belongs(b, link, ring)) continue;
        book_account_part(b, link);
        looks = (u32)min_u64(looks + 4, 128);
    }
    if (link == ring) return;
    book_ring_take(b, ring);
    book_ring_push(b, link, ring);
}

/* True if an order of the account rests in the link's cell, and is not young. */
static bool is_of(const struct books *b, u32 link, u32 account, u32 half)
{
    u32 cell = book_link_cell(b, link);
    bool young = book_young(b, (u32)book_cell(b, cell)->id)->cell == cell;
    return !young && book_account_has(b, cell, account, half);
}

u32 book_account_resting(const struct books *b, u32 account, u32 half)
{
    u32 n = 0, ring = book_account_ring(b, account, half);
    for (u32 i = 0; i < BOOK_YOUNG; i++) {
        const struct book_young *y = book_young(b, i);
        n += y->cell && (y->whose & ~BOOK_JOINED) == book_whose(account, half);
    }
    for (u32 i = 0; i < BOOK_GROWN; i++) {
        u32 link = b->grown[i].link;
        n += waiting(b, link) == i && is_of(b, link, account, half);
    }
    for (u32 i = book_ring(b, ring)->next; i != ring; i = book_ring(b, i)->next) {
        n += waiting(b, i) == BOOK_GROWN && is_of(b, i, account, half);
    }
    return n;
}

/* ---- in ascending order of ids ---- */

/* Merge two ascending chains of orders (by `next` of their links alone, as orders); returns the
 * head. */
static u32 merge(struct books *b, u32 x, u32 y)
{
    u32 head = 0, *tail = &head;
    while (x && y) {
        u32 *least = book_cell(b, x)->id < book_cell(b, y)->id ? &x : &y;
        *tail = *least;
        tail = &book_ring(b, book_link(b, *least))->next;
        *least = *tail;
    }
    *tail = x ? x : y;
    return head;
}

/* The young orders of an account in a half, and all that wait, join their rings. */
static void bring_in(struct books *b, u32 account, u32 half)
{
    for (u32 i = 0; i < BOOK_YOUNG; i++) {
        struct book_young *y = book_young(b, i);
        if (!y->cell || (y->whose & ~BOOK_JOINED) != book_whose(account, half)) continue;
        book_grow_up(b, *y);
        *y = (struct book_young){.slot = ~y->slot}; /* no slot that is asked for here */
    }
    join_all(b);
}

/* Own orders are taken out and merged, links left behind part; other accounts' stay. All own ones
 * are found when as many were as the entry counts: what is left behind after them is not walked. */
void book_account_sort(struct books *b, u32 account, u32 half)
{
    u32 ring = book_account_ring(b, account, half);
    u32 left = *book_account_count_at(b, book_account(b, account, half));
    u32 run[32] = {0}; /* run[i] is empty or a sorted chain of 2^i orders */
    if (!left) return;
    bring_in(b, account, half);
    for (u32 link = book_ring(b, ring)->next, next; link != ring && left; link = next) {
        u32 cell = book_link_cell(b, link), i = 0;
        bool own = book_account_has(b, cell, account, half);
        next = book_ring(b, link)->next;
        if (!own && belongs(b, link, ring)) continue;
        book_account_part(b, link);
        if (!own) continue;
        left--;
        book_ring(b, link)->next = 0;
        for (; run[i]; run[i++] = 0) cell = merge(b, run[i], cell);
        run[i] = cell;
    }
    u32 cell = 0, front = book_ring(b, ring)->next;
    for (u32 i = 0; i < COUNT_OF(run); i++) cell = merge(b, run[i], cell);
    for (u32 next; cell; cell = next) { /* back from a chain to the ring */
        next = book_ring(b, book_link(b, cell))->next;
        book_ring_push(b, front, book_link(b, cell));
    }
}
