/* flow.h: a stream of orders and cancels as a busy market sees it, for tests and benches that need
 * trading's input without signatures. Deterministic by seed. Prices walk; half of the
 * orders take what is there, the others rest near the touch. */
#ifndef EIDOS_TESTS_LIB_FLOW_H
#define EIDOS_TESTS_LIB_FLOW_H

#include "shm/msg.h"
#include "shm/trading.h"

#define FLOW_MARKETS     2U
#define FLOW_MARKETS_MAX 12U

struct flow {
    u64 state; /* of the generator */
    u32 accounts;
    u32 markets;               /* FLOW_MARKETS, or what flow_config was asked for */
    u64 count;                 /* messages made */
    u64 mid[FLOW_MARKETS_MAX]; /* ticks */
    u64 *nonces;               /* next nonce per account */
};

/* A random number (splitmix64, Steele et al. 2014). */
u64 flow_random(struct flow *f);

void flow_init(struct flow *f, u64 seed, u32 accounts);
void flow_free(struct flow *f);

/* Configure the flow's tokens and markets, FLOW_MARKETS or as many as asked for. Of each market one
 * token, and the one they all trade against. */
void flow_config(struct trading *t);
void flow_config_markets(u32 markets, struct trading *t);

/* The wallet of an account of the flow, in [0, accounts). */
void flow_wallet(u32 account, u8 *wallet);

/* Credits that let every account trade: message `i` in [0, accounts x (markets + 1)).
 */
void flow_credit(const struct flow *f, u32 i, struct msg_credit *m);

/* All of them, at once, without a source. */
void flow_fund(const struct flow *f, struct trading *t);

/* The next order: fields as verify would pass them, evidence filled with (unproven) bytes. */
void flow_order(struct flow *f, struct msg_order *m);

/* Money comes or goes: a deposit, a withdrawal, or a step of one that was asked for. Trading gets
 * it at once, without a source. */
void flow_transfer(struct flow *f, struct trading *t);

#endif
