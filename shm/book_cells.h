/* book_cells.h: memory of the books (internal to shm/book*.c and to harnesses that include them).
 *
 *   struct books | cells: [0 nil][levels 1..L][orders L+1..L+N] | halves | recent ids | ids
 *                | account table | account links | trie nodes
 *
 * A level and an order are both one cell of 32 bytes, and a level is the sentinel of the circular
 * queue of its orders: linking and unlinking need no branch, and an order that finds the same
 * neighbour on both sides knows that its level is now empty, without looking at the level.
 *
 * A half is one side of one market. Prices of a half are kept as keys, smaller = better: an ask's
 * key is its price, a bid's is BOOK_PRICE_MAX + 1 - price. From there on both sides are one code.
 *
 * Free cells form a stack, so that the cell freed last, still in the cache, is used next.
 * Memory per resting order: 32 (cell) + 24 (two entries of the account table) + 8 (account links)
 * = 64.
 */
#ifndef EIDOS_SHM_BOOK_CELLS_H
#define EIDOS_SHM_BOOK_CELLS_H

#include "shm/book.h"

#define BOOKS_MAGIC    0x31534b4f4f424545UL /* "EEBOOKS1" */
#define BOOK_CELLS_OFF 512UL                /* place of the cells: constant, for the hot path */
#define BOOK_HINTS     1024U /* recently used levels a half remembers, power of two */
#define BOOK_RECENT    1024U /* ids that are looked up without the table, power of two */
#define BOOK_HALF_NONE UINT32_MAX

struct book_cell {
    u32 prev, next; /* cells; of a level: its last and its first order */
    u64 lots;       /* of an order: what is left; of a level: sum of its orders */
    union {
        u64 id;  /* order; 0 = free */
        u64 key; /* level */
    };
    union {
        u32 account; /* order */
        u32 parent;  /* level: its trie node */
    };
    union {
        u32 level; /* order: its level's cell */
        u32 half;  /* level: its half; BOOK_HALF_NONE = free */
    };
};
SIZE_IS(struct book_cell, 32);

struct book_half {
    u64 best_key; /* key of the best level, UINT64_MAX = side is empty */
    u32 best;     /* its cell, 0 = side is empty */
    u32 root;     /* of the trie */
    u32 levels;   /* price levels of this half */
    u32 orders;   /* resting orders of this half */
    u32 open;     /* the market was opened */
    u32 zero[9];
    u32 hint[BOOK_HINTS]; /* by key: a level that had this key's low bits; may be stale, never
                             trusted */
};

/* A stack of free cells, linked by `next`, above cells never used so far. */
struct book_pool {
    u32 top;   /* 0 = none freed */
    u32 fresh; /* first cell never used */
    u32 end;
    u32 used;
};

/* The request under way: an order on its way through the other side, or a mass cancel. It lives
 * here, not on the stack, so that a full buffer can interrupt it at any event. */
struct book_taker {
    struct book_order o; /* lots: what it still wants; budget: what it may still spend */
    u64 limit;           /* its price as a key of the half it takes from */
    u64 price;           /* the last price it met, 0 = none */
    u32 half, against;   /* where it would rest, what it takes from */
    bool budgeted;
    bool own;    /* the account has orders in `against` */
    bool traded; /* it has traded, or rested before: it can no longer be refused */
    u8 end;      /* enum book_reason once stp ended it */
    u8 busy;     /* what is under way: enum book_busy */
    u8 sides;    /* mass cancel: sides to do, bit 0 buys, bit 1 sells */
    u8 sorted;   /* mass cancel: sides whose list is in order of ids already */
    u8 zero;
    u16 reason; /* mass cancel */
};

enum book_busy { BOOK_IDLE = 0, BOOK_TAKING = 1, BOOK_MASS = 2 };

struct books {
    u64 magic;
    u64 bytes;
    struct books_config config; /* levels_max resolved */
    u64 halves_off, ids_off, recent_off, owners_off, nodes_off;
    u32 owners_count;
    u32 units_first; /* a cell's unit is this plus the cell, modulo 2^32 */
    struct book_pool orders, levels, nodes;
    struct book_taker taker;
};
_Static_assert(sizeof(struct books) <= BOOK_CELLS_OFF, "struct books outgrew its place");

static inline struct book_cell *book_cell(const struct books *b, u32 cell)
{
    return (struct book_cell *)ptr_at(b, BOOK_CELLS_OFF) + cell;
}

static inline struct book_half *book_half(const struct books *b, u32 half)
{
    return (struct book_half *)ptr_at(b, b->halves_off) + half;
}

static inline bool book_is_open(const struct books *b, u32 market)
{
    return market < b->config.markets_max && book_half(b, market << 1)->open;
}

static inline u32 book_half_of(u32 market, u8 side)
{
    return market << 1 | (u32)(side - BOOK_BUY);
}

static inline u8 book_half_side(u32 half)
{
    return (u8)(BOOK_BUY + (half & 1));
}

/* Price to key and back: the same function, as the mirror is its own inverse. */
static inline u64 book_key(u32 half, u64 price)
{
    return half & 1 ? price : BOOK_PRICE_MAX + 1 - price;
}

static inline u32 book_pool_get(struct books *b, struct book_pool *pool)
{
    u32 cell = pool->top;
    if (LIKELY(cell != 0)) {
        pool->top = book_cell(b, cell)->next;
    } else {
        if (UNLIKELY(pool->fresh == pool->end)) return 0;
        cell = pool->fresh++;
    }
    pool->used++;
    return cell;
}

static inline void book_pool_put(struct books *b, struct book_pool *pool, u32 cell)
{
    book_cell(b, cell)->next = pool->top;
    pool->top = cell;
    pool->used--;
}

/* Put an order's cell behind all others of a level. */
static inline void book_queue_push(struct books *b, u32 level, u32 cell)
{
    struct book_cell *l = book_cell(b, level), *c = book_cell(b, cell);
    c->prev = l->prev;
    c->next = level;
    book_cell(b, l->prev)->next = cell;
    l->prev = cell;
}

/* Take an order's cell out of its queue; true if it was the last one. */
static inline bool book_queue_take(struct books *b, const struct book_cell *c)
{
    book_cell(b, c->prev)->next = c->next;
    book_cell(b, c->next)->prev = c->prev;
    return c->prev == c->next;
}

#endif
