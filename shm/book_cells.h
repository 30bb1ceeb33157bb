/* book_cells.h: memory of the books (internal to shm/book*.c and to harnesses that include them).
 *
 *   struct books | young orders | halves | hints | starts |
 *                  orders | queues | nodes of the trie | links of orders | rings of accounts,
 *                  their counts, and how many joined | ids
 *
 *   queue [first, last, lots] <=> order <=> order <=> ... back to the queue      (price priority)
 *   node of the trie --> queue, or the order itself if it is alone at its price  (book_levels.h)
 *   ring of an account        <=> link  <=> link  <=> ... back to the ring      (book_accounts.h)
 *
 * They refer to each other by `ref`s: offsets in units of 8 bytes from the object's start, which
 * the processor adds and scales for nothing. Ref 0 is nothing, and may be read: see struct books.
 * Every ring is circular through its head, so that linking and unlinking take no branch, and a
 * member that finds the same neighbour on both sides knows it was the last.
 *
 * A half is one side of one market. Prices of a half are kept as keys, smaller = better: an ask's
 * key is its price, a bid's is that with 63 bits turned over. From there on both sides are one
 * code.
 *
 * Free orders form a stack, so that the one freed last, still in the cache, is used next.
 * Memory per resting order: 32 (order) + 8 (its link) + at most 13 (tables of accounts) + 4 (id
 * table) = 57.
 */
#ifndef EIDOS_SHM_BOOK_CELLS_H
#define EIDOS_SHM_BOOK_CELLS_H

#include "shm/book.h"

#define BOOKS_MAGIC 0x44534b4f4f424545UL /* "EEBOOKSD" */
#ifndef BOOK_YOUNG
#define BOOK_YOUNG 1024U /* orders that came lately, power of two */
#endif
#ifndef BOOK_LARGE
#define BOOK_LARGE 32768U /* orders from which on a book is larger than the cache of a core */
#endif
#ifndef BOOK_MIDDLE
#define BOOK_MIDDLE 8192U /* orders from which on theirs no longer stay in the nearer caches */
#endif
#ifndef BOOK_SCATTERED
#define BOOK_SCATTERED 4096U /* levels from which on they and their nodes no longer stay there */
#endif
#ifndef BOOK_STREWN
#define BOOK_STREWN 16384U /* levels from which on all that leads there may be out of the cache */
#endif
#ifndef BOOK_HINTS
#define BOOK_HINTS 1024U /* queues found without a trie, for each half; power of two */
#endif

#define BOOK_STARTS 4096U /* nodes that ways are begun at ahead: 16^3 */

/* What is kept out of the hot path, so that the path keeps its registers: a tenth of the whole. */
#define BOOK_ASIDE __attribute__((noinline, unused))

struct book_ring {
    u32 prev, next; /* refs; of a head: its last and its first member */
};

/* The orders at one price. */
struct book_queue {
    struct book_ring ring;
    u64 key;
    u64 lots;   /* sum of its orders */
    u32 parent; /* its node in the trie, with BOOK_IS_NODE; 0 = it is the root, or in the front */
    u32 half;   /* UINT32_MAX = free */
};
SIZE_IS(struct book_queue, 32);
OFFSET_IS(struct book_queue, key, 8);

/* An order. One that is alone at its price may have no queue: it is its own level then, until
 * another joins it, and keeps in two fields what its queue would. */
struct book_cell {
    union {
        struct book_ring ring; /* in its queue */
        u64 alone_lots;        /* alone: what is left */
    };
    union {
        u64 lots; /* what is left; of a free one: see book_account_keep() */
        u64 key;  /* alone */
    };
    u64 id;    /* 0 = free */
    u32 queue; /* alone: its node in the trie, with BOOK_IS_NODE */
    u32 account;
};
SIZE_IS(struct book_cell, 32);
OFFSET_IS(struct book_cell, id, 16);

/* What a queue, a node of the trie, and an order that is alone have in the same places. */
struct book_entry {
    u64 own;
    u64 key;
    u64 more;
    u32 parent; /* node, with BOOK_IS_NODE; 0 = none */
    u32 half;   /* not of an order */
} __attribute__((may_alias));
SIZE_IS(struct book_entry, 32);

/* The queue that last had a key of this hash; never trusted. */
struct book_hint {
    u32 hash;
    u32 queue;
};
SIZE_IS(struct book_hint, 8);

/* Where a sweep will come: a child of a node, some levels ahead of the best. Never trusted: the
 * sweep takes nodes away behind it, though what is read of a freed node is still there, and others
 * come. */
#define BOOK_SWEEP 32U /* levels ahead, power of two */
struct book_sweep {
    u64 key; /* of the node, from the time it was entered */
    u32 node, digit;
    u32 end, at;           /* levels found, and those the sweep has come to */
    u32 queue[BOOK_SWEEP]; /* the last ones found; of orders that are alone, themselves */
};

#ifndef BOOK_FRONT
#define BOOK_FRONT 16U /* best levels that are kept outside of the trie, at most one less */
#endif
struct book_half {
    u32 best;   /* queue, or order that is alone; 0 = side is empty: front[fronts] */
    u32 root;   /* of the trie: a queue, or a node; 0 = it is empty */
    u32 orders; /* resting orders of this half */
    u32 zero;
    u64 head;                  /* of its orders' events: side, market; 0 = not opened */
    u64 mirror;                /* price to key and back: book_key(half, 0) */
    u32 fronts;                /* levels in front of the trie, */
    u32 front[BOOK_FRONT + 1]; /* [1, fronts], best last; [0] is the best in the trie, 0 = none */
    struct book_sweep sweep;
};
SIZE_IS(struct book_half, 256); /* a power of two: each request looks at both sides */

struct book_young {
    u32 slot;
    u32 cell;  /* 0 = the order has left */
    u64 whose; /* book_whose(), and BOOK_JOINED if its link is in the right ring already */
};
#define BOOK_JOINED (1UL << 32)

/* Account and half of an order, in one word. */
static inline u64 book_whose(u32 account, u32 half)
{
    return account | (u64)half << 33;
}

/* Orders that came of age and wait until that many more have: their links, and the rings to join.
 */
#define BOOK_GROWN 16U /* power of two */
struct book_grown {
    u32 link, ring;
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
    u64 no_key; /* ref 0 reads as a queue with this key, UINT64_MAX, */
    u64 no_id;  /* and as an order with this id, 0, */
    u64 none;   /* in no queue */
    u64 bytes;
    struct books_config config; /* levels_max resolved */
    u64 ids_off;
    u32 starts; /* ref; BOOK_STARTS of u32 */
    u32 hints;  /* ref; of all halves */
    u32 hints_mask;
    u32 cells;                 /* ref of the first order's place */
    u32 links;                 /* ref of the link that an order at ref 0 would have */
    u32 rings, counts, joined; /* refs of the tables of accounts: struct book_ring, u32, u8 */
    u32 accounts_mask;
    u32 way;     /* what was found ahead for the next request: see BOOK_IS_NODE; never trusted */
    u32 asks;    /* what is asked ahead, when last looked at: enum book_asks */
    u32 batches; /* in how many that was a question, modulo 2^32 */
    struct book_pool orders, queues, nodes; /* orders that are alone use their levels' queues up */
    u32 orders_limit;                       /* books_limit, */
    u32 orders_room;                        /* and orders_max if that is less */
    struct book_taker taker;
    u32 grown_count; /* the earliest of those that wait, modulo BOOK_GROWN */
    struct book_grown grown[BOOK_GROWN];
};

/* Parts of fixed size have fixed places, for the hot path; then come the halves, then the rest. */
#define BOOK_YOUNG_OFF  512UL
#define BOOK_HALVES_OFF (BOOK_YOUNG_OFF + BOOK_YOUNG * sizeof(struct book_young))
_Static_assert(sizeof(struct books) <= BOOK_YOUNG_OFF, "struct books outgrew its place");
OFFSET_IS(struct books, no_key, 8);
OFFSET_IS(struct books, no_id, 16);

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

static inline struct book_half *book_half(const struct books *b, u32 half)
{
    return (struct book_half *)ptr_at(b, BOOK_HALVES_OFF) + half;
}

static inline struct book_hint *book_hint(const struct books *b, u32 half, u32 hash)
{
    return book_ref(b, b->hints + ((hash + half * 0x9e3779b1U) & b->hints_mask));
}

/* The node of a prefix, three digits below the root of a half, or what book_trie_begin() keeps; of
 * all halves, and never trusted. */
static inline u32 *book_start(const struct books *b, u32 half, u64 prefix)
{
    return (u32 *)book_ref(b, b->starts) + (((u32)prefix + half * 0x9e3779b1U) & (BOOK_STARTS - 1));
}

/* What is found ahead for a request: for a new order its level, or the last node on the way there,
 * marked as such, and with BOOK_TAKEN if there is something in its place; for a cancel that its
 * level will be empty, or also that the node above is left with one child. Requests branch by that
 * before they have read what decides: a wrong guess is then found out at once, not after all the
 * loads that lead there, for which the work on the next requests would be thrown away. */
#define BOOK_IS_NODE 1U /* in a ref: of a node, not a queue; refs are multiples of 4 */
#define BOOK_ALONE   2U /* in a ref of a level: of an order that is alone */
#define BOOK_TAKEN   2U
#define BOOK_EMPTIES 2U
#define BOOK_MERGES  6U

/* What a ref is of, tag or not. */
static inline struct book_entry *book_entry(const struct books *b, u32 ref)
{
    return book_ref(b, ref & ~(BOOK_IS_NODE | BOOK_ALONE));
}

/* Its key, by a ref without a tag. */
static inline u64 book_key_at(const struct books *b, u32 ref)
{
    return ((const struct book_entry *)book_ref(b, ref))->key;
}

/* True if the order has no queue. */
static inline bool book_is_alone(const struct book_cell *c)
{
    return c->queue & BOOK_IS_NODE;
}

/* True if the ref, without a tag, is of an order's place, not of a queue; also for ref 0. */
static inline bool book_is_cell(const struct books *b, u32 ref)
{
    return ref < b->orders.end;
}

/* A level by what it is of. */
static inline u32 book_level_of(const struct books *b, u32 ref)
{
    return ref && book_is_cell(b, ref) ? ref | BOOK_ALONE : ref;
}

/* The half an order rests in. */
static inline u32 book_cell_half(const struct books *b, const struct book_cell *c)
{
    return book_entry(b, c->queue)->half;
}

static inline bool book_will_empty(const struct books *b)
{
    return (b->way & (BOOK_IS_NODE | BOOK_EMPTIES)) == BOOK_EMPTIES;
}

/* book_cancel() of an order whose level will be empty, as far as was found ahead. */
int book_cancel_foreseen(struct books *b, u64 id, u16 reason, struct book_events *out);

static inline bool book_is_open(const struct books *b, u32 market)
{
    return market < b->config.markets_max && book_half(b, market << 1)->head;
}

/* Start loading a line: for reading, as nobody else has it, and as a hint may find out that it need
 * not be written. The empty statement keeps gcc from taking a function that only does this for one
 * without effect, and dropping it. */
static inline void book_load(const void *p)
{
    __builtin_prefetch(p);
    __asm__ volatile("");
}

static inline void book_fetch(const struct books *b, u32 ref)
{
    book_load(book_ref(b, ref));
}

/* Too large for the cache of a core: only then hints pay. */
static inline bool book_is_large(const struct books *b)
{
    return b->orders.used >= BOOK_LARGE;
}

/* Its levels are too many as well: those of orders that crowd at few prices stay in the cache. */
static inline bool book_is_scattered(const struct books *b)
{
    return b->queues.used >= BOOK_SCATTERED;
}

/* What memory is asked for ahead of requests. */
enum book_asks { BOOK_ASKS_NOTHING, BOOK_ASKS_ORDERS, BOOK_ASKS_ALL };

/* True once it ever was: the orders that are left lie scattered. A sweep asks memory ahead then. */
static inline bool book_was_large(const struct books *b)
{
    u32 refs = sizeof(struct book_cell) / 8, unused = b->orders.end - b->orders.fresh;
    return b->config.orders_max >= BOOK_LARGE + unused / refs;
}

static inline u32 book_half_of(u32 market, u8 side)
{
    return market << 1 | (u32)(side - BOOK_BUY);
}

/* Market and side as the first 8 bytes of an event have them. */
static inline u64 book_head(u32 market, u8 side)
{
    return (u64)market << 32 | (u64)side << 8;
}

static inline u8 book_half_side(u32 half)
{
    return (u8)(BOOK_BUY + (half & 1));
}

/* Price to key and back: the same function, as the mirror is its own inverse. */
static inline u64 book_key(u32 half, u64 price)
{
    u64 bid = (u64)(half & 1) - 1; /* all ones for a bid */
    return price ^ bid >> 1;
}

/* True if one more order may rest. */
static inline bool book_has_room(const struct books *b)
{
    return b->orders.used < b->orders_room;
}

/* The same for a half at hand. */
static inline u64 book_half_key(const struct book_half *h, u64 price)
{
    return price ^ h->mirror;
}

/* What is left of an order; and of all orders of a level. */
static inline u64 book_cell_lots(const struct book_cell *c)
{
    return book_is_alone(c) ? c->alone_lots : c->lots;
}

static inline u64 book_level_lots(const struct books *b, u32 level)
{
    return level & BOOK_ALONE ? book_cell(b, level & ~BOOK_ALONE)->alone_lots
                              : book_queue(b, level)->lots;
}

/* The first order of a level, and the one behind an order; 0 = there is none. */
static inline u32 book_level_first(const struct books *b, u32 level)
{
    return level & BOOK_ALONE ? level & ~BOOK_ALONE : book_ring(b, level)->next;
}

static inline u32 book_level_later(const struct books *b, u32 cell)
{
    const struct book_cell *c = book_cell(b, cell);
    return book_is_alone(c) || c->ring.next == c->queue ? 0 : c->ring.next;
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
        book_cell(b, ref)->lots = 0; /* see book_account_keep(): an order's place keeps nothing */
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
