/* book_cells.h: memory of the books (internal to shm/book*.c and to harnesses that include them).
 *
 *   struct books | queues of leaves | orders | owners | leaves | nodes | halves | hints | ids
 *
 *   queue [first, last, lots] <=> order <=> order <=> ... back to the queue      (price priority)
 *   owner [first, last, tag]  <=> order <=> order <=> ... back to the owner      (see
 * book_accounts.h)
 *
 * Queues, orders and owners refer to each other by `ref`s: offsets in units of 8 bytes from the
 * object's start, which the processor adds and scales for nothing. Ref 0 is nothing: it reads as an
 * order with id 0. Every ring is circular through its head, so that linking and unlinking take no
 * branch, and a member that finds the same neighbour on both sides knows it was the last.
 *
 * A half is one side of one market. Prices of a half are kept as keys, smaller = better: an ask's
 * key is its price, a bid's is BOOK_PRICE_MAX + 1 - price. From there on both sides are one code.
 *
 * Free orders form a stack, so that the one freed last, still in the cache, is used next.
 * Memory per resting order: 40 (order) + 20 (one and a quarter owners) + 4 (id table) = 64.
 */
#ifndef EIDOS_SHM_BOOK_CELLS_H
#define EIDOS_SHM_BOOK_CELLS_H

#include "shm/book.h"

#define BOOKS_MAGIC 0x32534b4f4f424545UL /* "EEBOOKS2" */
#ifndef BOOK_YOUNG
#define BOOK_YOUNG 4096U /* orders that came lately, power of two */
#endif
#ifndef BOOK_ASLEEP
#define BOOK_ASLEEP 4096U /* leaves that lost their last order lately, power of two */
#endif
#ifndef BOOK_HINTS
#define BOOK_HINTS 1024U /* leaves a half finds without its trie, power of two */
#endif

struct book_ring {
    u32 prev, next; /* refs; of a head: its last and its first member */
};

/* The orders at one price. */
struct book_queue {
    struct book_ring ring; /* free: next is the one below in the stack */
    u64 lots;              /* sum of its orders */
    u64 key;
    u32 leaf; /* node of its price */
    u32 half;
};
SIZE_IS(struct book_queue, 32);

struct book_cell {
    struct book_ring ring; /* in its queue */
    u64 lots;              /* what is left */
    u64 id;                /* 0 = free */
    u32 account;
    u32 queue;
    struct book_ring owned; /* in its account's ring; of a young order {its place, 0} */
};
SIZE_IS(struct book_cell, 40);
OFFSET_IS(struct book_cell, id, 16);

/* Neighbouring prices, or nodes of the trie: book_levels.h. */
struct book_node {
    u64 prefix; /* a key's bits from shift + 6 up; of what stands for nothing, UINT64_MAX */
    u64 live;   /* bit i: there are orders below the i-th child */
    u32 parent; /* BOOK_NOTHING = it is the root */
    u32 half;
    u8 shift;     /* of the digit that chooses its child; 0: a leaf, its children are queues */
    u8 asleep;    /* leaf: it stands in the list of those that lost their last order */
    u16 children; /* inner node */
    u32 zero;
    u32 group[8]; /* inner node: 0 = no children there */
};
SIZE_IS(struct book_node, 64);

struct book_group {
    u32 child[8];
};

struct book_half {
    u32 best;   /* leaf no leaf with orders is in front of; BOOK_NOTHING = side is empty */
    u32 root;   /* of the trie, 0 = none */
    u32 orders; /* resting orders of this half */
    u32 open;   /* the market was opened */
    u32 zero[12];
    u32 hint[BOOK_HINTS]; /* by prefix: a leaf that had these low bits, or BOOK_NOTHING */
};

struct book_young {
    u32 slot;
    u32 cell;
};

/* A stack of free things, linked by what lies where a ring's `next` does, above things never used
 * so far. */
struct book_pool {
    u32 top;   /* 0 = none freed */
    u32 fresh; /* first never used */
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
    bool traded; /* it has traded, or rested before: it can no longer be refused */
    u8 end;      /* enum book_reason once stp ended it */
    u8 busy;     /* what is under way: enum book_busy */
    u8 sides;    /* mass cancel: sides to do, bit 0 buys, bit 1 sells */
    u8 sorted;   /* mass cancel: sides whose ring is in order of ids already */
    u8 zero[2];
    u16 reason; /* mass cancel */
};

enum book_busy { BOOK_IDLE = 0, BOOK_TAKING = 1, BOOK_MASS = 2 };

struct books {
    u64 magic;
    u64 bytes;
    u64 zero;                   /* the id of the order with ref 0 */
    struct books_config config; /* levels_max resolved */
    u64 ids_off;
    u32 owners; /* ref of the table */
    u32 owners_count;
    u32 owners_lines;
    u32 asleep_at;
    struct book_pool orders, queues, nodes, groups;
    struct book_taker taker;
};

/* Parts of fixed size have fixed places, for the hot path; then come the halves, then the rest. */
#define BOOK_YOUNG_OFF   512UL
#define BOOK_ASLEEP_OFF  (BOOK_YOUNG_OFF + BOOK_YOUNG * sizeof(struct book_young))
#define BOOK_NOTHING_OFF (BOOK_ASLEEP_OFF + BOOK_ASLEEP * sizeof(u32))
#define BOOK_HALVES_OFF  (BOOK_NOTHING_OFF + sizeof(struct book_node))
#define BOOK_NOTHING     ((u32)(BOOK_NOTHING_OFF / 8)) /* the leaf that stands for none */
_Static_assert(sizeof(struct books) <= BOOK_YOUNG_OFF, "struct books outgrew its place");
_Static_assert(BOOK_NOTHING_OFF % CACHE_LINE == 0, "nodes are lines");
OFFSET_IS(struct books, zero, 16);

static inline void *book_ref(const struct books *b, u32 ref)
{
    return ptr_at(b, 8UL * ref);
}

static inline struct book_ring *book_ring(const struct books *b, u32 ref)
{
    return book_ref(b, ref);
}

static inline struct book_cell *book_cell(const struct books *b, u32 ref)
{
    return book_ref(b, ref);
}

static inline struct book_queue *book_queue(const struct books *b, u32 ref)
{
    return book_ref(b, ref);
}

static inline struct book_node *book_node(const struct books *b, u32 ref)
{
    return book_ref(b, ref);
}

static inline struct book_half *book_half(const struct books *b, u32 half)
{
    return (struct book_half *)ptr_at(b, BOOK_HALVES_OFF) + half;
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
    u64 bid = (u64)(half & 1) - 1; /* all ones for a bid */
    return (price ^ bid) + (bid & (BOOK_PRICE_MAX + 2));
}

/* Put a member behind all others of a ring. */
static inline void book_ring_push(struct books *b, u32 head, u32 member)
{
    u32 last = book_ring(b, head)->prev;
    *book_ring(b, member) = (struct book_ring){.prev = last, .next = head};
    book_ring(b, last)->next = member;
    book_ring(b, head)->prev = member;
}

/* Take a member out of its ring; true if it was the last one. */
static inline bool book_ring_take(struct books *b, u32 member)
{
    struct book_ring r = *book_ring(b, member);
    book_ring(b, r.prev)->next = r.next;
    book_ring(b, r.next)->prev = r.prev;
    return r.prev == r.next;
}

/* An order or a queue that is free, or 0 if there is none. */
static inline u32 book_pool_get(struct books *b, struct book_pool *pool, u32 bytes)
{
    u32 ref = pool->top;
    if (LIKELY(ref != 0)) {
        pool->top = book_ring(b, ref)->next;
    } else {
        if (UNLIKELY(pool->fresh == pool->end)) return 0;
        ref = pool->fresh;
        pool->fresh += bytes / 8;
    }
    pool->used++;
    return ref;
}

static inline void book_pool_put(struct books *b, struct book_pool *pool, u32 ref)
{
    book_ring(b, ref)->next = pool->top;
    pool->top = ref;
    pool->used--;
}

#endif
