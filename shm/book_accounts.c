/* book_accounts.c: an account's ring in ascending order of ids. */
#include "shm/book_accounts.h"
#include "shm/book_ids.h"

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

void book_account_sort(struct books *b, u32 account, u32 half)
{
    book_account_gather(b, account, half);
    if (!book_account_first(b, account, half)) return;
    u32 head = book_owner_ref(b, book_owner_probe(b, book_owner_tag(account, half)));
    u32 run[32] = {0}; /* run[i] is empty or a sorted chain of 2^i orders */
    for (u32 cell = book_account_first(b, account, half), next; cell; cell = next) {
        next = book_account_next(b, cell);
        book_ring(b, book_link(b, cell))->next = 0;
        u32 i = 0;
        for (; run[i]; run[i++] = 0) cell = merge(b, run[i], cell);
        run[i] = cell;
    }
    u32 cell = 0;
    for (u32 i = 0; i < COUNT_OF(run); i++) cell = merge(b, run[i], cell);
    *book_ring(b, head) = (struct book_ring){head, head};
    for (u32 next; cell; cell = next) { /* back from a chain to a ring */
        next = book_ring(b, book_link(b, cell))->next;
        book_ring_push(b, head, book_link(b, cell));
    }
}

void book_account_gather(struct books *b, u32 account, u32 half)
{
    for (u32 i = 0; i < BOOK_YOUNG; i++) {
        struct book_young *y = book_young(b, i);
        if (!y->cell || y->account != account || y->half != half) continue;
        book_grow_up(b, y);
        *y = (struct book_young){.slot = ~y->slot}; /* no slot that is asked for here */
    }
}
