/* flow.h: order flows to drive a book with, made from a seed.
 *
 * A flow is a list of messages. Times are in new orders: at each the mid price takes a step of a
 * random walk, a new order comes, and amends and cancels of older orders fall due.
 *
 *   15 % IOC, priced through the touch    85 % rest, at a power-law distance from the mid
 *   of those that rest 20 % are amended (one tick away, or larger, or smaller) and 95 % cancelled,
 *   after a life that is exponential and longer the deeper they lie
 */
#ifndef EIDOS_BENCH_BOOK_FLOW_H
#define EIDOS_BENCH_BOOK_FLOW_H

#include "shm/book.h"

enum flow_kind { FLOW_NEW = 0, FLOW_CANCEL = 1, FLOW_AMEND = 2, FLOW_KINDS = 3 };

struct flow_message {
    u64 slot; /* of the order's id */
    u64 price, lots;
    u32 account;
    u8 kind, side, tif, stp;
};

struct flow {
    const char *name;
    struct flow_message *m;
    u64 n;
    u32 slots;
    bool sweeps; /* few messages with many fills each: the fills are what counts */
};

struct flow_regime {
    const char *name;
    double swing;   /* how far the mid typically walks over the flow, as a share of itself */
    double crash;   /* a drop by this share within a hundredth of the flow, and half of it back */
    double life;    /* mean life of an order near the mid, in new orders */
    double outlier; /* share of orders priced anywhere in [1, BOOK_PRICE_MAX], passively */
};

/* The five regimes, and the two wide ones, by name. */
extern const struct flow_regime flow_regimes[];
extern const u32 flow_regimes_count;

/* `orders` new orders in a regime; messages are the caller's, to be freed with flow_free. */
struct flow flow_make(const struct flow_regime *regime, u32 orders, u32 accounts, u64 seed);
void flow_free(struct flow *flow);

/* splitmix64, and from it a double in [0, 1). */
u64 flow_random(u64 *state);
double flow_unit(u64 *state);

#endif
