/* book_accounts.c: an account's list in ascending order of ids. */
#include "shm/book_accounts.h"

/* Merge two ascending chains of cells (by `next` alone, as cells); returns the head. */
static u32 merge(struct books *b, u32 x, u32 y)
{
    u32 head = 0, *tail = &head;
    while (x && y) {
        u32 *least = book_cell(b, x)->id < book_cell(b, y)->id ? &x : &y;
        *tail = *least;
        tail = &book_link(b, book_unit(b, *least))->next;
        *least = *tail;
    }
    *tail = x ? x : y;
    return head;
}

void book_account_sort(struct books *b, u32 account, u32 half)
{
    u32 at = book_owner_probe(b, account, half);
    u32 run[32] = {0}; /* run[i] is empty or a sorted chain of 2^i orders */
    for (u32 cell = book_account_first(b, account, half), next; cell; cell = next) {
        next = book_account_next(b, cell);
        book_link(b, book_unit(b, cell))->next = 0;
        u32 i = 0;
        for (; run[i]; run[i++] = 0) cell = merge(b, run[i], cell);
        run[i] = cell;
    }
    u32 cell = 0, prev = 2 * at;
    for (u32 i = 0; i < COUNT_OF(run); i++) cell = merge(b, run[i], cell);
    while (cell) { /* back from a chain of cells to a circle of units */
        u32 unit = book_unit(b, cell);
        cell = book_link(b, unit)->next;
        book_link(b, prev)->next = unit;
        book_link(b, unit)->prev = prev;
        prev = unit;
    }
    book_link(b, prev)->next = 2 * at;
    book_owner(b, at)->list.prev = prev;
}
