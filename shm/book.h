/* book.h: the order books of one matching process, in shared memory, by index.
 *
 *            market 7                          cells of 32 bytes, all books share them
 *      asks ----> trie of levels                 level: queue ends, lots in all, price key
 *      bids ----> trie of levels                 order: queue links, lots, id, account, level
 *
 *   ids[slot] ---------------------------.
 *                                        v
 *   best level -> [level 101]<=>[order]<=>[order]<=>[order]<=> back to the level
 *        next  -> [level 103]<=>[order]<=> back to the level
 *
 * One object `struct books` holds up to markets_max books over one fixed arena: orders_max resting
 * orders, levels_max price levels and an id table of slots_max entries. Nothing is allocated after
 * books_new. There is exactly one writer; the object has no locks and no atomics. It reads no
 * clock and no random numbers: the same calls give the same events, whatever the arena's size (of
 * one with room for what books_limit allows), and a book that was restored from a snapshot answers
 * exactly like the one it was taken from.
 *
 * Every call that changes a book appends what happened to a buffer of the caller. A sweep may be
 * longer than the buffer: the call then returns BOOK_MORE, and the caller empties the buffer and
 * calls book_continue until it gets BOOK_DONE. Nothing else may be asked of the object in between,
 * but questions (best, depth, iterate), which then see the state so far.
 *
 * Units: prices in ticks, sizes in lots, budgets in tick x lot. The configuration of a market keeps
 * price x lots of any order below 2^63.
 */
#ifndef EIDOS_SHM_BOOK_H
#define EIDOS_SHM_BOOK_H

#include "shm/base.h"

#define BOOK_PRICE_MAX   (1UL << 62) /* ticks; the smallest price is 1 */
#define BOOK_LOTS_MAX    (1UL << 62) /* per order; the smallest order is 1 lot */
#define BOOK_MARKETS_MAX 65536U
#define BOOK_ORDERS_MAX  (1U << 28)
#define BOOK_EVENTS_MIN  4U /* free entries a buffer needs at every call */

/* Numbers as on the wires: protocol.md 1 (side, time in force) and 3 (stp). */
enum book_side { BOOK_BUY = 1, BOOK_SELL = 2 };
enum book_tif { BOOK_GTC = 1, BOOK_IOC = 2, BOOK_FOK = 3, BOOK_GTX = 4 };
enum book_stp {
    BOOK_STP_REJECT = 0,       /* refuse the new order before any fill, code 11018 */
    BOOK_STP_CANCEL_TAKER = 1, /* stop at the own order, cancel what is left of the new one */
    BOOK_STP_CANCEL_MAKER = 2, /* cancel the own resting order, go on */
    BOOK_STP_CANCEL_BOTH = 3,
};

enum book_status {
    BOOK_DONE = 0, /* the request is complete */
    BOOK_MORE = 1, /* the buffer is full: empty it, then book_continue */
};

enum book_kind {
    BOOK_RESTED = 1,   /* `lots` of the order now rest at `price` */
    BOOK_TRADE = 2,    /* `lots` traded at the maker's `price`; `side` is the taker's */
    BOOK_FILLED = 3,   /* the new or amended order ended filled; says nothing the trades did not */
    BOOK_CANCELED = 4, /* `lots` of the order ended unfilled; code is an enum book_reason */
    BOOK_REJECTED = 5, /* refused, nothing changed; code is of protocol.md 2 */
    BOOK_AMENDED = 6,  /* `lots` left the queue at the old `price`; trades, RESTED... follow */
    BOOK_REDUCED = 7,  /* `lots` were taken off in place, `left` rest on, priority is kept */
};

/* Why an order was cancelled. Up to BOOK_BY_STP_MAKER the lots rested in the book and leave it;
 * beyond, they are the remainder of an order that never rested (see book_reason_resting). */
enum book_reason {
    BOOK_BY_USER = 1,
    BOOK_BY_MASS = 2,
    BOOK_BY_EXPIRY = 3,
    BOOK_BY_ADMIN = 4,
    BOOK_BY_STP_MAKER = 5, /* an own resting order met by a new order of the same account */
    BOOK_BY_STP_TAKER = 6, /* the new order that met it */
    BOOK_BY_IOC = 7,       /* remainder of IOC */
    BOOK_BY_FOK = 8,       /* could not be filled in full: nothing was filled */
    BOOK_BY_BUDGET = 9,    /* the budget does not even buy the first lot */
    BOOK_BY_CAPACITY = 10, /* partly filled, and no room for the remainder: 20002 */
};

/* Codes a book answers with (protocol.md 2). */
enum book_code {
    BOOK_CODE_PARAMS = 10003,
    BOOK_CODE_UNKNOWN = 11001, /* no such resting order: cancelled, filled, or never seen */
    BOOK_CODE_PRICE = 11004,
    BOOK_CODE_LOTS = 11005,
    BOOK_CODE_SELF_TRADE = 11018,
    BOOK_CODE_WOULD_TAKE = 11021,
    BOOK_CODE_MARKET = 13001,   /* no such book */
    BOOK_CODE_CAPACITY = 20002, /* the arena is full, or the limit of orders is reached */
};

/* Ids are the caller's: it hands out a slot that no resting order has, with a generation that this
 * slot has not had. (Were a slot given twice, the older order could no longer be found by its id;
 * it is not looked for, as that would touch cold memory for every order.) */

/* A new order, and what iterating gives and restoring takes (tif, stp, budget are then 0). */
struct book_order {
    u64 id;     /* generation << 32 | slot; slot in [0, slots_max), never 0 as a whole; see below */
    u64 price;  /* limit, in [1, BOOK_PRICE_MAX] */
    u64 lots;   /* in [1, BOOK_LOTS_MAX]; of a resting order: what is left of it */
    u64 budget; /* 0 = none; else an IOC or FOK buy spends at most this, in tick x lot */
    u32 market; /* in [0, markets_max), opened */
    u32 account; /* index of the wallet's account, any u32 */
    u8 side;     /* enum book_side */
    u8 tif;      /* enum book_tif */
    u8 stp;      /* enum book_stp */
    u8 zero[5];
};
SIZE_IS(struct book_order, 48);

/* What happened. Fields that a kind does not name are 0. Level totals of market data follow from
 * these alone: RESTED adds `lots` at (side, price); TRADE takes `lots` off (other side, price);
 * REDUCED, AMENDED and CANCELED of a resting order take `lots` off (side, price). */
struct book_event {
    u8 kind;        /* enum book_kind */
    u8 side;        /* of the order `id` */
    u16 code;       /* enum book_reason or enum book_code */
    u32 market;     /* all kinds */
    u64 price;      /* TRADE: the maker's; else the order's limit price */
    u64 lots;       /* see the kinds; REJECTED: as asked */
    u64 id;         /* the order; of TRADE the taker */
    u64 left;       /* unfilled lots of the order `id` after this event; with a budget, of lots */
    u64 maker;      /* TRADE: the maker's id */
    u64 maker_left; /* TRADE: lots of the maker that still rest; 0: it left the book */
    u32 account;    /* of the order `id` */
    u32 maker_account; /* TRADE: the maker's */
};
SIZE_IS(struct book_event, 64);

/* The caller's buffer: events are appended at at[count], count <= max. */
struct book_events {
    struct book_event *at;
    u32 max;
    u32 count;
};

/* True when a CANCELED event takes lots off a price level. */
static inline bool book_reason_resting(u16 reason)
{
    return reason <= BOOK_BY_STP_MAKER;
}

struct books_config {
    u32 markets_max; /* [1, BOOK_MARKETS_MAX] */
    u32 orders_max;  /* resting orders in all books, [1, BOOK_ORDERS_MAX]; 53 bytes each */
    u32 levels_max;  /* price levels in all books, 0 = orders_max (then never the limit) */
    u32 slots_max;   /* order-id slots, at least 1; 4 bytes each */
};

struct books; /* opaque: shm/book_cells.h */

/* Object life, as for every shared object. footprint answers 0 for impossible parameters; new
 * formats `mem`, aligned to books_align(), and returns it, or NULL with err_set; join checks the
 * magic and the size and returns a local pointer, or NULL with err_set; leave gives the pointer up;
 * delete destroys the magic. `mem` stays the caller's. */
u64 books_align(void);
u64 books_footprint(const struct books_config *config);
void *books_new(void *mem, const struct books_config *config);
struct books *books_join(void *mem);
void *books_leave(struct books *b);
void *books_delete(void *mem);

/* Open the (empty) book of a market. 0, or -1 with err_set: out of range, or open already. */
int books_open(struct books *b, u32 market);
bool books_is_open(const struct books *b, u32 market);

/* Turn away who would rest when `orders` do, in all books: 0 = orders_max, as in new books. Neither
 * what rests already nor book_restore is bound by it. Beyond orders_max the arena is the limit. */
void books_limit(struct books *b, u32 orders);

/* Arena use, for metrics: resting orders and price levels in all books, room for each, and the
 * limit of orders that was set. */
struct books_use {
    u32 orders, orders_max;
    u32 levels, levels_max;
    u32 orders_limit;
};
struct books_use books_use(const struct books *b);

/* Requests. Each returns an enum book_status; `out` has BOOK_EVENTS_MIN free entries at least.
 *
 * A new order ends in exactly one of RESTED, FILLED, CANCELED, REJECTED with its id, after its
 * trades (and the CANCELED of own resting orders that stp removed). Checks, in this order: fields
 * and market, post-only, self trade, fill-or-kill, then room for the remainder. */
int book_submit(struct books *b, const struct book_order *o, struct book_events *out);

/* Cancel a resting order; `reason` is BOOK_BY_USER, _EXPIRY or _ADMIN. CANCELED, or REJECTED with
 * BOOK_CODE_UNKNOWN and market 0 if no such order rests. A stale id never hits a newer order. */
int book_cancel(struct books *b, u64 id, u16 reason, struct book_events *out);

/* Change price and open lots of a resting order. Same price and fewer lots: REDUCED, in place. Any
 * other change loses priority: AMENDED, and then as for a new GTC order with this id (trades, then
 * RESTED or FILLED, or CANCELED by stp). price 0 = as it is; `lots` is what shall be open from now
 * on. REJECTED leaves the order as it was (unknown id, bad price or lots, 11018 by stp = reject).
 */
int book_amend(struct books *b, u64 id, u64 price, u64 lots, u8 stp, struct book_events *out);

/* Cancel all resting orders of an account in one market (side 0 = both), in ascending order of
 * their ids, buys first; CANCELED by `reason` each. Time follows the number of orders cancelled;
 * what is left of orders that went before adds at most a look each, at five thousand or at forty
 * for each order that the account ever had at once. */
int book_cancel_all(struct books *b, u32 market, u32 account, u8 side, u16 reason,
                    struct book_events *out);

/* Go on after BOOK_MORE. */
int book_continue(struct books *b, struct book_events *out);

/* True between BOOK_MORE and BOOK_DONE. */
bool book_busy(const struct books *b);

/* A request as data, so that many can be asked for at once. */
enum book_what { BOOK_SUBMIT = 1, BOOK_CANCEL = 2, BOOK_AMEND = 3, BOOK_CANCEL_ALL = 4 };

struct book_request {
    struct book_order o; /* amend: id, price, lots, stp; cancel: id; all: market, account, side */
    u16 what;            /* enum book_what */
    u16 reason;          /* cancels: enum book_reason */
    u32 zero;
};
SIZE_IS(struct book_request, 56);

/* Requests to be made one after the other. A book larger than the cache answers several times
 * faster when it knows them: it asks memory for what a group of them will touch while it makes the
 * group before. The caller's alone, not for sharing; to begin, all but the first two fields 0. */
#define BOOK_GROUP 64U
struct book_group {
    u32 n;
    u32 at[BOOK_GROUP];  /* numbers of the requests, of orders that come */
    u32 ref[BOOK_GROUP]; /* what was asked for last */
    u64 key[BOOK_GROUP];
};
struct book_batch {
    const struct book_request *requests; /* the caller's, until all are made */
    u32 count;
    u32 done;                     /* requests made */
    u32 told;                     /* requests memory is being asked for */
    u32 asks;                     /* when it is asked next, in requests made */
    u32 step;                     /* how far that is */
    struct book_group rest, come; /* what is asked for */
    u32 way[2 * BOOK_GROUP];      /* what that found for requests, by their number modulo this */
};

/* Make the next request of a batch, which has one, or go on with it: the same events as by
 * book_submit and so on, BOOK_MORE likewise. Nothing else may be asked between BOOK_MORE and the
 * next call with the same batch, but questions. */
int book_run_one(struct books *b, struct book_batch *t, struct book_events *out);

/* Are the books so large that a batch gains anything? To be asked before each one: where the last
 * ones did not, as their requests met in few places, now and then the answer is yes all the same,
 * to see whether they still do. */
bool book_gains_ahead(struct books *b);

/* Make all the requests that are left. BOOK_MORE: the buffer is full, between two requests or amid
 * one; empty it and call again. */
int book_run(struct books *b, struct book_batch *t, struct book_events *out);

/* Questions. Markets that are not open answer as empty. */

struct book_level {
    u64 price;
    u64 lots;   /* sum of its orders */
    u32 orders; /* book_depth counts them; book_best leaves 0 */
};

/* Best level of a side; false if the side is empty. */
bool book_best(const struct books *b, u32 market, u8 side, struct book_level *level);

/* The best price of each side, 0 = it is empty. */
struct book_top {
    u64 bid, ask;
};
struct book_top book_top(const struct books *b, u32 market);

/* The best `max` levels of a side, best first; returns how many there are. Walks their orders. */
u32 book_depth(const struct books *b, u32 market, u8 side, struct book_level *levels, u32 max);

/* Lots at one price of a side; 0 if there is no such level. */
u64 book_lots_at(const struct books *b, u32 market, u8 side, u64 price);

/* Resting orders and price levels of a market. */
u32 book_orders(const struct books *b, u32 market);
u32 book_levels(const struct books *b, u32 market);

/* Resting orders of an account on one side of a market; time follows their number. */
u32 book_account_orders(const struct books *b, u32 market, u32 account, u8 side);

/* Find a resting order by id; false if it does not rest. */
bool book_find(const struct books *b, u64 id, struct book_order *o);

/* All orders of a side in priority order: for (c = book_first(...); c; c = book_next(b, c)). A
 * cursor is valid until the books change. book_at tells the order at a cursor. */
u32 book_first(const struct books *b, u32 market, u8 side);
u32 book_next(const struct books *b, u32 cursor);
void book_at(const struct books *b, u32 cursor, struct book_order *o);

/* Put a resting order behind all others of its price, without matching: how a snapshot, written in
 * the order of book_first and book_next, is loaded. 0, or -1 with err_set: bad field, id in use,
 * arena full, or it would cross the book. */
int book_restore(struct books *b, const struct book_order *o);

/* A number over all resting orders of a market in priority order (side, price, lots, id, account);
 * equal books give equal numbers whatever the arena's size or history. */
u64 book_checksum(const struct books *b, u32 market);

#endif
